"""Everything that an experiment needs, read and checked, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.config.evalset import load_evalset
from harness.config.experiment import Experiment, check_primary, load_experiment
from harness.config.gate import check_policy
from harness.config.recorded import load_records, variant_facts
from harness.config.suggest import did_you_mean
from harness.config.variant import RecordedVariant
from harness.core.example import EvalSet
from harness.core.example_values import derived_metric_ids
from harness.core.experiment import VariantFacts
from harness.core.record import Record
from harness.core.values import JsonValue
from harness.errors import InputError, Problem
from harness.files import read_pinned
from harness.ports import Scorer
from harness.registry import build_scorers, scorer_problems
from harness.storage.find import BASELINES

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Options:
    """What a user changes about one run without editing its config; None keeps the config's.

    `limit` takes the first so many examples by id, which makes the run partial. `variants` keeps
    these only. `out` stands for `reports/<name>`. `command` is kept in the manifest.
    """

    limit: int | None = None
    variants: tuple[str, ...] | None = None
    repeats: int | None = None
    seed: int | None = None
    out: Path | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """An experiment with its set, its scorers and its records, all of them valid.

    `n_examples` is the frozen set's size, of which `evalset` holds the part to run. `recordings`
    are the sha256 of the files that the variants' records were read from.
    """

    experiment: Experiment
    evalset: EvalSet
    n_examples: int
    scorers: tuple[Scorer, ...]
    records: tuple[Record, ...]
    variants: tuple[VariantFacts, ...]
    recordings: Mapping[str, str]

    @property
    def partial(self) -> dict[str, JsonValue] | None:
        """What a partial run covers; None for a whole one."""
        n_run = len(self.evalset.examples)
        return None if n_run == self.n_examples else {"n_examples": n_run, "of": self.n_examples}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the figures has to know first."""
        if self.partial is None:
            return ()
        return (
            f"a partial run: the first {len(self.evalset.examples)} of {self.n_examples} examples "
            "(--limit); it can be neither a baseline nor gated",
        )


def prepare(config: Path, options: Options | None = None) -> Prepared:
    """Read the experiment at `config` and all that it names.

    Raises:
        InputError: with every problem of the config, else every problem of what it names.
    """
    options = options or Options()
    experiment = _narrowed(load_experiment(config, scorer_problems=scorer_problems), options)
    problems: list[Problem] = []
    if experiment.name == BASELINES:  # its runs would be taken for baselines, and committed
        where = experiment.source.where(("name",))
        problems.append(Problem(where, f"an experiment cannot be called '{BASELINES}'"))
    scorers = tuple(build_scorers(experiment.scorers))
    evalset = _collect(problems, lambda: load_evalset(experiment.evalset_folder))
    records: list[Record] = []
    recordings: dict[str, str] = {}
    repeats = experiment.repeats if options.repeats is None else None
    if evalset is not None:
        for variant in experiment.variants:
            reading = _reading(variant, evalset, repeats, experiment.repeats)
            read = _collect(problems, partial(read_pinned, variant.file, reading))
            if read is not None:
                records += read[0]
                recordings[variant.id] = read[1]
        problems += _unknown_names(experiment, evalset, scorers)
    if problems or evalset is None:
        raise InputError(problems)
    kept = evalset if options.limit is None else _first(evalset, options.limit)
    return Prepared(
        experiment=experiment,
        evalset=kept,
        n_examples=len(evalset.examples),
        scorers=scorers,
        records=_of(kept, records, experiment.repeats),
        variants=tuple(
            variant_facts(variant, recordings[variant.id]) for variant in experiment.variants
        ),
        recordings=recordings,
    )


def _collect(problems: list[Problem], step: Callable[[], _T]) -> _T | None:
    """What `step` gives, or None with its problems added to `problems`."""
    try:
        return step()
    except InputError as error:
        problems += error.problems
        return None


def _reading(
    variant: RecordedVariant, evalset: EvalSet, repeats: int | None, at_least: int
) -> Callable[[], list[Record]]:
    def read() -> list[Record]:
        records = load_records(variant, evalset, repeats)
        n_repeats = 1 + max(record.repeat for record in records)
        if n_repeats < at_least:
            hint = f"--repeats {n_repeats} or fewer"
            what = f"the recording holds {n_repeats} repeats, not {at_least}"
            raise InputError(Problem(str(variant.file), what, hint))
        return records

    return read


def _unknown_names(
    experiment: Experiment, evalset: EvalSet, scorers: Iterable[Scorer]
) -> list[Problem]:
    """Metrics and slices that the primary family or the gate names and that do not exist."""
    metrics = {
        name: metric
        for scorer in scorers
        for metric in scorer.metrics
        for name in (metric.id, *derived_metric_ids(metric, experiment.repeats))
    }
    slices = list(evalset.slice_members())
    problems = check_primary(experiment, metrics, slices)
    if experiment.policy is not None:
        problems += check_policy(experiment.policy, metrics, slices)
    return problems


def _narrowed(experiment: Experiment, options: Options) -> Experiment:
    """The experiment as `--variants`, `--repeats` and `--seed` would have it."""
    if options.variants is not None:
        experiment = replace(experiment, variants=_chosen(experiment, options.variants))
    if options.repeats is not None:
        experiment = replace(experiment, repeats=options.repeats)
    if options.seed is not None:
        analysis = replace(experiment.analysis, seed=options.seed)
        experiment = replace(experiment, analysis=analysis)
    return experiment


def _chosen(experiment: Experiment, names: Iterable[str]) -> tuple[RecordedVariant, ...]:
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


def _first(evalset: EvalSet, limit: int) -> EvalSet:
    return replace(evalset, examples=evalset.examples[:limit])


def _of(evalset: EvalSet, records: Iterable[Record], n_repeats: int) -> tuple[Record, ...]:
    """The records of the set's examples and the first `n_repeats`, in the order of a run's data."""
    position = {example.id: index for index, example in enumerate(evalset.examples)}
    variants: dict[str, int] = {}
    kept = [
        (position[record.example_id], variants.setdefault(record.variant, len(variants)), record)
        for record in records
        if record.example_id in position and record.repeat < n_repeats
    ]
    kept.sort(key=lambda item: (item[0], item[1], item[2].repeat))
    return tuple(record for _, _, record in kept)
