"""Everything that an experiment needs, read and checked, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.config.evalset import Examined, examine_evalset
from harness.config.experiment import Draft, Experiment, check_primary, draft_experiment
from harness.config.gate import check_policy
from harness.config.paths import shown
from harness.config.recorded import (
    Ids,
    load_records,
    n_repeats,
    record_problems,
    variant_facts,
)
from harness.config.suggest import did_you_mean
from harness.config.validate import in_order
from harness.config.variant import RecordedVariant
from harness.core.example import EvalSet
from harness.core.example_values import derived_metric_ids
from harness.core.experiment import VariantFacts
from harness.core.record import Record
from harness.core.score import Metric
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant
from harness.errors import InputError, Problem
from harness.experiment.judged_run import Panels, recorded_panels
from harness.experiment.live_setup import LiveSetup, set_up
from harness.files import read_pinned
from harness.ports import Scorer
from harness.registry import usable_scorers
from harness.storage.find import BASELINES

_T = TypeVar("_T")
_ANY_REPEATS = 5
"""Taken where the config's own number cannot be read."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user changes about one run without editing its config; None keeps the config's.

    `limit` takes the first so many examples by id, which makes the run partial. `variants` keeps
    these only. `out` stands for `reports/<name>`. `resume` names a stopped run to go on with.
    Without `cache`, every answer is asked for anew. `budget_usd` bounds what calls of models cost.
    `command` is kept in the manifest.
    """

    limit: int | None = None
    variants: tuple[str, ...] | None = None
    repeats: int | None = None
    seed: int | None = None
    concurrency: int | None = None
    out: Path | None = None
    resume: str | None = None
    cache: bool = True
    budget_usd: float | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """An experiment with its set, its scorers and its records, all of them valid.

    `n_examples` is the frozen set's size, of which `evalset` holds the part to run. `records` are
    those of recorded variants, `recordings` the sha256 of the files that they were read from.
    `setup` is what the live variants are run with, `panels` are verdicts that were given elsewhere.
    """

    experiment: Experiment
    evalset: EvalSet
    n_examples: int
    scorers: tuple[Scorer, ...]
    records: tuple[Record, ...]
    variants: tuple[VariantFacts, ...]
    recordings: Mapping[str, str]
    setup: LiveSetup
    panels: tuple[Panels, ...] = ()
    corpus_warnings: tuple[str, ...] = ()

    @property
    def partial(self) -> dict[str, JsonValue] | None:
        """What a partial run covers; None for a whole one."""
        n_run = len(self.evalset.examples)
        return None if n_run == self.n_examples else {"n_examples": n_run, "of": self.n_examples}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the figures has to know first."""
        if self.partial is None:
            return self.corpus_warnings
        return (
            f"a partial run: the first {len(self.evalset.examples)} of {self.n_examples} examples "
            "(--limit); it can be neither a baseline nor gated",
            *self.corpus_warnings,
        )


def prepare(config: Path, options: Options | None = None) -> Prepared:
    """Read the experiment at `config` and all that it names.

    Raises:
        InputError: with every problem of the config and of all the files that it names.
    """
    options = options or Options()
    draft = draft_experiment(config)
    scorers, wrong_scorers = usable_scorers(draft.scorers)
    found = examine_evalset(draft.evalset_folder) if draft.evalset_folder else _NO_SET
    problems = [*draft.problems, *wrong_scorers, *_wrong_name(draft)]
    problems = in_order([*problems, *_unknown_names(draft, scorers, found, options)])
    experiment = draft.experiment
    if experiment is not None:
        experiment = _collect(problems, partial(_narrowed, experiment, options))
    problems += found.problems
    reader = _Reader(found, draft.repeats, options)
    records, recordings = reader.read(draft.recordings, problems)
    live_problems: list[Problem] = []
    setup = set_up(draft, found, options.variants, live_problems, scorers)
    problems = in_order([*problems, *live_problems])
    panels = () if experiment is None else _panels(draft, experiment, found, options, problems)
    if problems or experiment is None or found.evalset is None:
        raise InputError(dict.fromkeys(problems))
    evalset = found.evalset
    kept = _kept(evalset, options)
    return Prepared(
        experiment=experiment,
        evalset=kept,
        n_examples=len(evalset.examples),
        scorers=tuple(scorers),
        records=_of(kept, records, experiment),
        variants=tuple(
            variant_facts(variant, recordings[variant.id])
            if isinstance(variant, RecordedVariant)
            else setup.variant_facts(variant)
            for variant in experiment.variants
        ),
        recordings=recordings,
        setup=setup,
        panels=panels,
        corpus_warnings=found.warnings,
    )


def _collect(problems: list[Problem], step: Callable[[], _T]) -> _T | None:
    """What `step` gives, or None with its problems added to `problems`."""
    try:
        return step()
    except InputError as error:
        problems += error.problems
        return None


def _wrong_name(draft: Draft) -> list[Problem]:
    if draft.source.data.get("name") != BASELINES:
        return []
    # its runs would be taken for baselines, and committed
    where = draft.source.where(("name",))
    return [Problem(where, f"an experiment cannot be called '{BASELINES}'")]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads recordings against a set that may itself be wrong.

    `repeats` is what the config says; None if it does not.
    """

    found: Examined
    repeats: int | None
    options: Options

    def read(
        self, variants: Iterable[RecordedVariant], problems: list[Problem]
    ) -> tuple[list[Record], dict[str, str]]:
        """The records, and the sha256 of every variant's file; adds to `problems`."""
        records: list[Record] = []
        recordings: dict[str, str] = {}
        chosen = self.options.variants
        for variant in variants:
            if chosen is not None and variant.id not in chosen:
                continue
            try:
                read, sha256 = read_pinned(variant.file, partial(self._records, variant))
            except InputError as error:
                file = str(variant.file)
                problems += [
                    replace(problem, where=shown(variant.file))
                    if problem.where == file
                    else problem
                    for problem in error.problems
                ]
                continue
            records += read
            recordings[variant.id] = sha256
        return records, recordings

    def _records(self, variant: RecordedVariant) -> list[Record]:
        at_least = self.options.repeats
        exactly = self.repeats if at_least is None else None
        evalset = self.found.evalset
        if self.found.problems or evalset is None:
            problems = record_problems(variant, _ids(self.found), exactly)
            if problems:
                raise InputError(problems)
            return []
        records = load_records(variant, evalset, exactly)
        held = 1 + max(record.repeat for record in records)
        if at_least is not None and held < at_least:
            what = f"the recording holds {n_repeats(held)}, not {at_least}"
            hint = f"--repeats {held} or fewer" if held > 1 else "--repeats 1"
            raise InputError(Problem(shown(variant.file), what, hint))
        return records


_NO_SET = Examined(None, (), complete=False)


def _ids(found: Examined) -> Ids:
    """What recordings can be held against if the set is wrong: ids now, and when it was frozen."""
    evalset, frozen = found.evalset, found.frozen_ids
    now = tuple(example.id for example in evalset.examples) if evalset else ()
    name = evalset.name if evalset else ""
    if frozen is None:
        return Ids(name, now, frozenset(now) if evalset and found.complete else None)
    required = tuple(key for key in now if key in frozen)
    return Ids(name, required, frozen | frozenset(now))


def _unknown_names(
    draft: Draft, scorers: Iterable[Scorer], found: Examined, options: Options
) -> list[Problem]:
    """Metrics and slices that the primary family or the gate names and that do not exist.

    What cannot be told for a mistake elsewhere is not said to be unknown.
    """
    slices = found.slices
    metrics: dict[str, Metric | None] | None = None
    if draft.broken_scorers is not None:
        repeats = options.repeats or draft.repeats or _ANY_REPEATS
        metrics = {
            name: metric
            for scorer in scorers
            for metric in scorer.metrics
            for name in (metric.id, *derived_metric_ids(metric, repeats))
        }
        told = {name.partition(".")[0] for name in metrics}
        metrics |= dict.fromkeys(draft.broken_scorers)
        metrics |= dict.fromkeys(spec.id for spec in draft.scorers if spec.id not in told)
    problems = check_primary(draft.source, metrics, slices)
    if draft.policy is not None:
        judges = None  # what a file's judges are called, only reading it tells
        if not any(spec.verdicts for spec in draft.pairwise):
            judges = [spec.id for spec in draft.pairwise]
        problems += check_policy(draft.policy, metrics, slices, judges)
    return problems


def _narrowed(experiment: Experiment, options: Options) -> Experiment:
    """The experiment as `--variants`, `--repeats`, `--seed` and `--concurrency` would have it."""
    if options.variants is not None:
        experiment = replace(experiment, variants=_chosen(experiment, options.variants))
    if options.repeats is not None:
        experiment = replace(experiment, repeats=options.repeats)
    if options.seed is not None:
        analysis = replace(experiment.analysis, seed=options.seed)
        experiment = replace(experiment, analysis=analysis)
    if options.concurrency is not None:
        execution = replace(experiment.execution, concurrency=options.concurrency)
        experiment = replace(experiment, execution=execution)
    return experiment


def _chosen(
    experiment: Experiment, names: Iterable[str]
) -> tuple[RecordedVariant | LiveVariant, ...]:
    names = tuple(names)
    known = [variant.id for variant in experiment.variants]
    problems = [
        Problem("--variants", f"no variant {name!r}", did_you_mean(name, known))
        for name in names
        if name not in known
    ]
    if experiment.baseline not in names:
        hint = f"add {experiment.baseline}: every variant is compared with it"
        problems.append(Problem("--variants", "the baseline is not among them", hint))
    if problems:
        raise InputError(problems)
    return tuple(variant for variant in experiment.variants if variant.id in names)


def _kept(evalset: EvalSet, options: Options) -> EvalSet:
    """The part of the set that is run."""
    if options.limit is None:
        return evalset
    return replace(evalset, examples=evalset.examples[: options.limit])


def _panels(
    draft: Draft,
    experiment: Experiment,
    found: Examined,
    options: Options,
    problems: list[Problem],
) -> tuple[Panels, ...]:
    """The verdicts that were given elsewhere, of what is run."""
    if found.evalset is None or found.problems:
        return ()
    return recorded_panels(
        draft.pairwise,
        found.evalset.examples,
        [entry.id for entry in draft.entries if entry.id is not None],
        experiment.baseline,
        (
            [variant.id for variant in experiment.variants],
            _kept(found.evalset, options).examples,
        ),
        problems,
    )


def _of(evalset: EvalSet, records: Iterable[Record], experiment: Experiment) -> tuple[Record, ...]:
    """The records of the set's examples and of the repeats to run, in the order of a run's data."""
    position = {example.id for example in evalset.examples}
    kept = [
        record
        for record in records
        if record.example_id in position and record.repeat < experiment.repeats
    ]
    return in_run_order(evalset, [variant.id for variant in experiment.variants], kept)


def in_run_order(
    evalset: EvalSet, variants: Sequence[str], records: Iterable[Record]
) -> tuple[Record, ...]:
    """Records in the order of a run's data: examples, variants, repeats."""
    example = {item.id: index for index, item in enumerate(evalset.examples)}
    variant = {name: index for index, name in enumerate(variants)}
    return tuple(
        sorted(records, key=lambda r: (example[r.example_id], variant[r.variant], r.repeat))
    )
