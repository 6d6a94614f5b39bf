"""Variants of several runs of one frozen set, compared as if they had run together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.comparison.compare import compare
from harness.core.record import Record
from harness.core.run import RunData
from harness.core.score import IntArray, MetricScores, ScoreTable, Unscored
from harness.core.values import JsonValue
from harness.errors import InputError, NotComparableError, Problem
from harness.experiment.clock import SystemClock
from harness.experiment.frames import Run
from harness.experiment.manifest import git_state, versions
from harness.experiment.renderings import renderings
from harness.experiment.subject import subject_of
from harness.ports import Clock
from harness.scoring.trials import trial_table
from harness.storage.run_folder import load_run, new_run_folder, write_run

_NO_REPEAT = Unscored("this run had fewer repeats")


def compare_runs(
    folders: Sequence[Path], command: Sequence[str] = (), clock: Clock | None = None
) -> Run:
    """Compare all variants of several finished runs, in a folder under `reports/NAME-compared`.

    The first run gives the name, the baseline, the primary family and the settings. A variant
    whose id occurs in several runs is called `run-id:variant`.

    Raises:
        NotComparableError: if the runs differ in their eval set, its examples or their scorers.
        InputError: if a run cannot be loaded, or a run and its baseline copy are both given.
    """
    clock = clock or SystemClock()
    started = clock.now_iso()
    folders = list({folder.resolve(): folder for folder in folders}.values())
    loaded = [load_run(folder) for folder in folders]
    _refuse_copies(folders, loaded)
    ensure_comparable(loaded)
    runs = [renamed(run, names) for run, names in _with_names(loaded)]
    first = runs[0]
    scores = merged_scores([run.scores for run in runs])
    records = _in_order([record for run in runs for record in run.records], scores)
    root = Path("reports") / f"{first.manifest['name']}-compared"
    with new_run_folder(root, started) as folder:
        manifest = _manifest(runs, folder.name, command, started)
        trials = trial_table(scores.variants, scores.example_ids, scores.n_repeats, records)
        comparison = compare(subject_of(manifest, first.examples, trials, scores, _warnings(runs)))
        manifest["finished"] = clock.now_iso()
        data = RunData(manifest, first.examples, records, scores, comparison)
        write_run(folder, data, renderings(data))
    return Run(folder, data)


def ensure_comparable(runs: Sequence[RunData]) -> None:
    """Make sure that all runs asked the same examples and scored them alike.

    Raises:
        NotComparableError: naming everything in which a run differs from the first.
    """
    first = runs[0]
    problems = [
        Problem("", f"runs {first.run_id} and {run.run_id} differ in {what}", hint)
        for run in runs[1:]
        for what, hint in _differences(first, run)
    ]
    if problems:
        raise NotComparableError(problems)


def renamed(run: RunData, names: Mapping[str, str]) -> RunData:
    """`run` with its variants called `names[id]`, except in its own comparison.

    Its manifest keeps each variant's origin: the run that it was part of, and its id there.
    """
    variants = [
        {**facts, "id": names[facts["id"]], "origin": origin_of(run, facts["id"])}
        for facts in run.manifest["variants"]
    ]
    baseline = names[run.manifest["baseline"]]
    confounded = [
        {**excused, "pair": [names[variant] for variant in excused["pair"]]}
        for excused in run.manifest.get("confounded", [])
        if names.keys() >= set(excused["pair"])
    ]
    manifest = {**run.manifest, "variants": variants, "baseline": baseline}
    return replace(
        run,
        manifest={**manifest, "confounded": confounded},
        records=tuple(replace(record, variant=names[record.variant]) for record in run.records),
        scores=replace(run.scores, variants=tuple(names[v] for v in run.scores.variants)),
    )


def origin_of(run: RunData, variant: str) -> dict[str, str]:
    """The run that a variant's answers were scored in, and the variant's id there."""
    (facts,) = (facts for facts in run.manifest["variants"] if facts["id"] == variant)
    origin: dict[str, str] = facts.get("origin", {"run_id": run.run_id, "variant": variant})
    return origin


def merged_scores(tables: Sequence[ScoreTable]) -> ScoreTable:
    """One table of the variants of all `tables`, which have the same examples and metrics."""
    n_repeats = max(table.n_repeats for table in tables)
    return ScoreTable(
        variants=tuple(variant for table in tables for variant in table.variants),
        example_ids=tables[0].example_ids,
        n_repeats=n_repeats,
        metrics=tuple(
            _merged_metric([table.metric(scores.metric.id) for table in tables], n_repeats)
            for scores in tables[0].metrics
        ),
    )


def _refuse_copies(folders: Sequence[Path], runs: Sequence[RunData]) -> None:
    """Make sure that no run is there twice, as itself and as a baseline.

    Raises:
        InputError: naming the folders of one run.
    """
    where: dict[str, list[str]] = {}
    for folder, run in zip(folders, runs, strict=True):
        where.setdefault(run.run_id, []).append(str(folder))
    problems = [
        Problem("", f"{' and '.join(same)} are the same run, {run_id}", "leave all but one out")
        for run_id, same in where.items()
        if len(same) > 1
    ]
    if problems:
        raise InputError(problems)


def _with_names(runs: Sequence[RunData]) -> Iterator[tuple[RunData, dict[str, str]]]:
    """Every run with its variants' new names: their ids, with the run's where several have one."""
    times = Counter(variant for run in runs for variant in run.scores.variants)
    for run in runs:
        yield (
            run,
            {
                variant: variant if times[variant] == 1 else f"{run.run_id}:{variant}"
                for variant in run.scores.variants
            },
        )


def _differences(first: RunData, run: RunData) -> Iterator[tuple[str, str]]:
    one, other = first.comparison.evalset, run.comparison.evalset
    if one.sha256 != other.sha256:
        names = f"{one.name} {one.sha256[:12]} and {other.name} {other.sha256[:12]}"
        yield f"their eval set ({names})", "run both on the same frozen set"
    elif first.scores.example_ids != run.scores.example_ids:
        counts = f"{len(first.examples)} and {len(run.examples)}"
        yield f"the examples they ran ({counts} of the set)", "run both without --limit"
    left, right = _scorer_hashes(first), _scorer_hashes(run)
    changed = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    if changed:
        yield f"their scorers ({', '.join(changed)})", "run both with the same scorers"


def _scorer_hashes(run: RunData) -> dict[str, str]:
    return {facts["id"]: facts["sha256"] for facts in run.manifest["scorers"]}


def _merged_metric(parts: Sequence[MetricScores], n_repeats: int) -> MetricScores:
    reasons = tuple(dict.fromkeys(why for part in parts for why in part.reasons))
    labels = tuple(dict.fromkeys(label for part in parts for label in part.labels))
    if any(part.value.shape[2] < n_repeats for part in parts) and _NO_REPEAT not in reasons:
        reasons += (_NO_REPEAT,)
    missing = reasons.index(_NO_REPEAT) + 1 if _NO_REPEAT in reasons else 0
    codes = {why: code for code, why in enumerate(reasons, start=1)}
    explanation = {}
    offset = 0
    for part in parts:
        for (variant, example, repeat), text in part.explanation.items():
            explanation[(variant + offset, example, repeat)] = text
        offset += part.value.shape[0]

    def stack(arrays: Sequence[Any], fill: float) -> Any:
        padded = [
            np.pad(
                array,
                ((0, 0), (0, 0), (0, n_repeats - array.shape[2])),
                constant_values=fill,
            )
            for array in arrays
        ]
        return np.concatenate(padded)

    def classes(name: str) -> IntArray | None:
        if any(getattr(part, name) is None for part in parts):
            return None
        return _as_codes(stack([_relabelled(part, name, labels) for part in parts], -1))

    return MetricScores(
        metric=parts[0].metric,
        value=stack([part.value for part in parts], np.nan),
        weight=stack([part.weight for part in parts], 1.0),
        reason=_as_codes(
            stack(
                [
                    np.array([0, *(codes[why] for why in part.reasons)])[part.reason]
                    for part in parts
                ],
                missing,
            )
        ),
        reasons=reasons,
        explanation=explanation,
        expected=classes("expected"),
        predicted=classes("predicted"),
        labels=labels,
    )


def _relabelled(part: MetricScores, name: str, labels: tuple[str, ...]) -> Any:
    """Indices into the part's own labels as indices into `labels`; -1 stays."""
    return np.array([*(labels.index(label) for label in part.labels), -1])[getattr(part, name)]


def _as_codes(array: Any) -> IntArray:
    result: IntArray = array.astype(np.int32)
    return result


def _in_order(records: Sequence[Record], scores: ScoreTable) -> tuple[Record, ...]:
    example = {name: index for index, name in enumerate(scores.example_ids)}
    variant = {name: index for index, name in enumerate(scores.variants)}
    return tuple(
        sorted(records, key=lambda r: (example[r.example_id], variant[r.variant], r.repeat))
    )


def _warnings(runs: Sequence[RunData]) -> tuple[str, ...]:
    first = runs[0]
    own = [text for run in runs for text in run.comparison.warnings]
    own += [
        f"run {run.run_id} was analysed with other settings; "
        f"those of run {first.run_id} are used for all"
        for run in runs[1:]
        if run.manifest["analysis"] != first.manifest["analysis"]
    ]
    own += [text for run in runs[1:] for text in _other_conditions(first, run)]
    return tuple(dict.fromkeys(own))


def _other_conditions(first: RunData, run: RunData) -> Iterator[str]:
    """Why latencies or costs of two live runs differ though the systems may be the same."""
    one, other = first.manifest, run.manifest
    if "execution" not in one or "execution" not in other:
        return
    yield (
        f"runs {first.run_id} and {run.run_id} did not run at the same time: their latencies may "
        "differ for what a service had to do then"
    )
    loads = [manifest["execution"]["concurrency"] for manifest in (one, other)]
    if loads[0] != loads[1]:
        yield (
            f"runs {first.run_id} and {run.run_id} had {loads[0]} and {loads[1]} trials at once: "
            "their latencies are of different loads"
        )
    if one["prices"]["used"] != other["prices"]["used"] and _prices_differ(one, other):
        yield (
            f"runs {first.run_id} and {run.run_id} were billed at different prices of the same "
            "model: their costs differ for that too"
        )


def _prices_differ(one: Mapping[str, JsonValue], other: Mapping[str, JsonValue]) -> bool:
    left, right = one["prices"]["used"], other["prices"]["used"]
    return any(left[model] != right[model] for model in left.keys() & right.keys())


def _manifest(
    runs: Sequence[RunData], run_id: str, command: Sequence[str], started: str
) -> dict[str, JsonValue]:
    """The first run's facts, with the variants of all and where they come from."""
    kept = ("name", "evalset", "partial", "scorers", "scorers_sha256", "analysis", "gate")
    return {
        **{key: runs[0].manifest[key] for key in kept},
        "run_id": run_id,
        "started": started,
        "command": list(command),
        "compared_runs": [run.run_id for run in runs],
        "baseline": runs[0].manifest["baseline"],
        "confounded": [excused for run in runs for excused in run.manifest.get("confounded", [])],
        "variants": [facts for run in runs for facts in run.manifest["variants"]],
        "repeats": max(run.scores.n_repeats for run in runs),
        "versions": versions(),
        "git": git_state(Path()),
    }
