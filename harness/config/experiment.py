"""Experiments: `configs/<name>.yaml` and all the files it names, checked in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from harness.config.factor_names import check_excuses, check_factor_names
from harness.config.gate import (
    Bounds,
    PolicyDocument,
    check_sides,
    is_metric,
    policy_of_experiment,
    unknown,
)
from harness.config.judging import read_pairwise
from harness.config.models import ExecutionFile, ExperimentFile, PrimaryEntry, ScorerEntry
from harness.config.paths import PathError, near_config, require, resolve
from harness.config.source import Location, Source, read_yaml
from harness.config.suggest import did_you_mean
from harness.config.validate import in_order, validated
from harness.config.variant import Entry, RecordedVariant, read_entries
from harness.core.example import ALL
from harness.core.experiment import Analysis, Excuse, Execution, PrimaryFigure, ServiceLimits
from harness.core.pairwise import PairwiseSpec
from harness.core.policy import GatePolicy
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant
from harness.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class ScorerSpec:
    """A scorer as an experiment asks for it: its name and options, and where they are written."""

    id: str
    use: str
    options: Mapping[str, JsonValue]
    source: Source = field(repr=False)
    at: Location

    def where(self, *keys: str | int) -> str:
        """`file:line:column` of the scorer's entry, or of the value under `keys` inside it."""
        return self.source.where((*self.at, *keys))


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is compared with what, how it is scored, and what the figures depend on.

    `document` is the file's content, for the manifest. `factors` are what may differ between
    variants; where `factors_limited` is false, anything may (recorded variants alone).
    `allowed_hosts` are the only hosts that data may be sent to; None allows all.
    """

    name: str
    path: Path
    evalset_folder: Path
    baseline: str
    variants: tuple[RecordedVariant | LiveVariant, ...]
    repeats: int
    scorers: tuple[ScorerSpec, ...]
    analysis: Analysis
    factors: tuple[str, ...]
    factors_limited: bool
    confounded_ok: tuple[Excuse, ...]
    execution: Execution
    allowed_hosts: tuple[str, ...] | None
    policy: PolicyDocument | None
    source: Source = field(repr=False)
    pairwise: tuple[PairwiseSpec, ...] = ()

    @property
    def document(self) -> JsonValue:
        """The file's content as plain data."""
        return self.source.data

    @property
    def live(self) -> tuple[LiveVariant, ...]:
        """The variants that are run."""
        return tuple(v for v in self.variants if isinstance(v, LiveVariant))

    @property
    def recorded(self) -> tuple[RecordedVariant, ...]:
        """The variants that ran elsewhere."""
        return tuple(v for v in self.variants if isinstance(v, RecordedVariant))

    @property
    def gate(self) -> GatePolicy | None:
        """The release policy, if the experiment has one."""
        return self.policy.policy if self.policy else None


@dataclass(frozen=True, slots=True)
class Draft:
    """What could be read of an experiment, and everything that is wrong with it.

    `experiment` is None if anything is. `entries` are its variants with their places.
    `evalset_folder` and `recordings` are those that exist; `repeats` is None where it cannot be
    told. `scorers` are well-formed entries; ids of others stand in `broken_scorers`, which is None
    where not even these can be told. `pairwise` are the judged comparisons that can be read.
    """

    problems: tuple[Problem, ...]
    experiment: Experiment | None
    source: Source
    entries: tuple[Entry, ...]
    evalset_folder: Path | None
    recordings: tuple[RecordedVariant, ...]
    repeats: int | None
    scorers: tuple[ScorerSpec, ...]
    broken_scorers: frozenset[str] | None
    policy: PolicyDocument | None
    pairwise: tuple[PairwiseSpec, ...] = ()


def load_experiment(
    path: Path,
    *,
    scorer_problems: Callable[[Sequence[ScorerSpec]], Iterable[Problem]] | None = None,
) -> Experiment:
    """The experiment in `path`, with the variants, policy and paths that it names.

    Args:
        path: the YAML file.
        scorer_problems: tells what is wrong with scorers (`registry.scorer_problems`), so that
            it is listed with everything else.

    Raises:
        InputError: listing everything that is wrong in any of the files.
    """
    draft = draft_experiment(path)
    problems = [*draft.problems, *(scorer_problems(draft.scorers) if scorer_problems else ())]
    if problems or draft.experiment is None:
        raise InputError(in_order(problems))
    return draft.experiment


def draft_experiment(path: Path) -> Draft:
    """As much of the experiment in `path` as can be read, with all that is wrong with it.

    Raises:
        InputError: if the file cannot be read at all.
    """
    problems: list[Problem] = []
    source = read_yaml(path, problems)
    if source is None:
        hint = near_config(path)
        raise InputError([p if p.hint else replace(p, hint=hint) for p in problems])
    file = validated(ExperimentFile, source, problems)
    evalset_folder = _evalset_folder(source, problems)
    entries = read_entries(source, problems)
    policy = policy_of_experiment(source, problems)
    scorers, broken = _scorers(source, problems)
    pairwise = read_pairwise(source, problems)
    problems += _variant_problems(source, entries)
    ids = [entry.id for entry in entries if entry.id is not None]
    if policy is not None and ids and len(ids) == len(entries):
        problems += check_sides(policy, candidates=ids)
    problems += check_factor_names(source, entries)
    problems += check_excuses(source, entries)
    experiment = None
    if file is not None and evalset_folder is not None and not problems:
        experiment = _experiment(file, source, evalset_folder, entries, scorers, policy)
        experiment = replace(experiment, pairwise=pairwise)
    return Draft(
        problems=tuple(in_order(problems)),
        experiment=experiment,
        source=source,
        entries=tuple(entries),
        evalset_folder=evalset_folder,
        recordings=tuple(entry.recording for entry in entries if entry.recording),
        repeats=file.repeats if file else _repeats(source),
        scorers=scorers,
        broken_scorers=broken,
        policy=policy,
        pairwise=pairwise,
    )


def _experiment(
    file: ExperimentFile,
    source: Source,
    evalset_folder: Path,
    entries: Sequence[Entry],
    scorers: tuple[ScorerSpec, ...],
    policy: PolicyDocument | None,
) -> Experiment:
    hosts = file.allowed_hosts
    return Experiment(
        name=file.name,
        path=source.path,
        evalset_folder=evalset_folder,
        baseline=file.baseline,
        variants=tuple(entry.variant for entry in entries if entry.variant),
        repeats=file.repeats,
        scorers=scorers,
        analysis=_analysis(file),
        factors=tuple(file.factors or ()),
        factors_limited=file.factors is not None or any(entry.live for entry in entries),
        confounded_ok=tuple(
            Excuse((excused.pair[0], excused.pair[1]), excused.reason)
            for excused in file.confounded_ok
        ),
        execution=_execution(file.execution),
        allowed_hosts=None if hosts is None else tuple(hosts),
        policy=policy,
        source=source,
    )


def check_primary(
    source: Source,
    metrics: Mapping[str, Bounds | None] | None,
    slice_ids: Iterable[str] | None,
) -> list[Problem]:
    """What an experiment's `primary:` names that does not exist.

    Args:
        source: the experiment's document.
        metrics: as for `harness.config.gate.check_policy`.
        slice_ids: `all` and every `name=value` of the eval set; None where they cannot be told.
    """
    slices = None if slice_ids is None else list(slice_ids)
    given = source.data.get("primary")
    problems = []
    for index, entry in enumerate(given if isinstance(given, list) else ()):
        at: Location = ("primary", index)
        named = entry if isinstance(entry, dict) else {"metric": entry}
        metric, slice_id = named.get("metric"), named.get("slice", ALL)
        if isinstance(metric, str) and metrics is not None and not is_metric(metric, metrics):
            problems.append(unknown("metric", metric, metrics, source.where((*at, "metric"))))
        if isinstance(slice_id, str) and slices is not None and slice_id not in slices:
            problems.append(unknown("slice", slice_id, slices, source.where((*at, "slice"))))
    return problems


def _repeats(source: Source) -> int | None:
    """The repeats that a file with mistakes states; None where it does not, maybe by mistake."""
    given = source.data.get("repeats")
    return given if isinstance(given, int) and not isinstance(given, bool) and given > 0 else None


def _execution(file: ExecutionFile) -> Execution:
    limits = {
        service: ServiceLimits(one.in_flight, one.requests_per_minute, one.tokens_per_minute)
        for service, one in file.limits.items()
    }
    return Execution(file.concurrency, file.attempts, limits)


def _analysis(file: ExperimentFile) -> Analysis:
    statistics = file.statistics
    return Analysis(
        primary=tuple(
            PrimaryFigure(entry.metric, entry.slice)
            if isinstance(entry, PrimaryEntry)
            else PrimaryFigure(entry)
            for entry in file.primary
        ),
        confidence=statistics.confidence,
        resamples=statistics.resamples,
        seed=file.seed,
        min_examples=statistics.min_examples,
        coverage=statistics.coverage,
    )


def _evalset_folder(source: Source, problems: list[Problem]) -> Path | None:
    given = source.data.get("evalset")
    if not isinstance(given, str) or not given:
        return None
    try:
        folder = resolve(given, source.folder)
        require(folder, "folder")
    except PathError as error:
        what = f"the eval set {given} {error.what}"
        problems.append(Problem(source.where(("evalset",)), what, error.hint))
        return None
    return folder


def _scorers(
    source: Source, problems: list[Problem]
) -> tuple[tuple[ScorerSpec, ...], frozenset[str] | None]:
    """The scorers that can be read at all, and the ids of others, None where these have none.

    Adds a problem for each id used twice.
    """
    given = source.data.get("scorers")
    specs: dict[str, ScorerSpec] = {}
    broken: list[JsonValue] = [] if isinstance(given, list) else [None]
    for index, item in enumerate(given if isinstance(given, list) else []):
        try:
            entry = ScorerEntry.model_validate(item)
        except ValidationError:  # reported with the file as a whole
            broken.append(item.get("id") if isinstance(item, dict) else None)
            continue
        spec = ScorerSpec(entry.id, entry.use, entry.model_extra or {}, source, ("scorers", index))
        if spec.id in specs:
            first = specs[spec.id].where("id")
            what = f"two scorers are called '{spec.id}' (the first at {first})"
            problems.append(Problem(spec.where("id"), what, "give each scorer an id of its own"))
            broken.append(spec.id)
        specs.setdefault(spec.id, spec)
    named = [name for name in broken if isinstance(name, str)]
    return tuple(specs.values()), frozenset(named) if len(named) == len(broken) else None


def _variant_problems(source: Source, entries: Sequence[Entry]) -> list[Problem]:
    """Variants named twice, and a baseline that is none of them."""
    problems = []
    first: dict[str, Entry] = {}
    for entry in entries:
        if entry.id is None:
            continue
        if entry.id in first:
            what = (
                f"two variants are called '{entry.id}' (the first at {first[entry.id].where('id')})"
            )
            problems.append(Problem(entry.where("id"), what, "give each variant an id of its own"))
        first.setdefault(entry.id, entry)
    baseline = source.data.get("baseline")
    every_id_known = bool(entries) and all(entry.id for entry in entries)
    if isinstance(baseline, str) and every_id_known and baseline not in first:
        what = f"the baseline '{baseline}' is no variant"
        hint = did_you_mean(baseline, first)
        problems.append(Problem(source.where(("baseline",)), what, hint))
    return problems
