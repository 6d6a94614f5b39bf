"""A finished run held against a policy: the gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from harness.comparison.compare import compare
from harness.config.gate import PolicyDocument, check_policy, check_sides, read_policy
from harness.core.comparison import Comparison
from harness.core.label import Label
from harness.core.policy import GatePolicy
from harness.core.run import RunData
from harness.core.score import MetricScores
from harness.core.values import fingerprint
from harness.errors import InputError, Problem
from harness.experiment.frames import Run
from harness.experiment.judged_again import panels_of
from harness.experiment.judged_run import Panels, compared
from harness.experiment.merge import ensure_comparable, merged_scores, origin_of, renamed
from harness.experiment.renderings import render_again
from harness.experiment.subject import subject_of
from harness.gate.decide import decide
from harness.scoring.trials import trial_table
from harness.storage.labels import LABELS, read_labels
from harness.storage.run_folder import load_run, write_verdict


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two systems that a gate compares, and the run that it comes from."""

    run: RunData
    variant: str


def gate_run(folder: Path, baseline_folder: Path | None, policy_path: Path | None) -> Run:
    """Hold a run's candidate against a baseline and write `verdict.json` and the renderings anew.

    Args:
        folder: the run's folder.
        baseline_folder: the run to compare with; None for the run's own baseline variant.
        policy_path: the policy's file; None for the policy of the experiment itself.

    Raises:
        InputError: if the policy is wrong or missing, it does not fit the run, a run is partial,
            unfinished or changed, or candidate and baseline are the same answers.
        NotComparableError: if the runs differ in their eval set or its scorers.
    """
    run = load_run(folder)
    reference = run if baseline_folder is None else load_run(baseline_folder)
    labels = read_labels(folder / LABELS)
    policy = _policy(policy_path, run, reference, labels)
    _refuse_partial(run, reference)
    if reference is not run:
        ensure_comparable([run, reference])
    candidate = _Side(run, _candidate(run, policy))
    baseline = _Side(reference, _baseline(reference, policy, candidate))
    _refuse_itself(candidate, baseline)
    verdict = decide(
        policy,
        _comparer(candidate, baseline, policy, labels),
        policy_sha256=fingerprint(policy.model_dump(mode="json")),
        baseline_run_id=reference.run_id,
    )
    judged = replace(run, verdict=verdict)
    write_verdict(folder, verdict)
    render_again(folder, judged)
    return Run(folder, judged)


def _policy(
    path: Path | None, run: RunData, reference: RunData, labels: Sequence[Label]
) -> GatePolicy:
    judges = [panel.id for one in panels_of(run, labels) for panel in one.judged.panels]
    metrics = {metric.id: metric for metric in run.comparison.metrics}
    slices = [summary.id for summary in run.comparison.slices]
    systems = {"candidates": run.scores.variants, "baselines": reference.scores.variants}

    def check(document: PolicyDocument) -> list[Problem]:
        wrong = check_policy(document, metrics, slices, judges)
        return [*check_sides(document, **systems), *wrong]

    if path is not None:
        return read_policy(path, check).policy
    document = _own_policy(run)
    problems = check(document)
    if problems:
        raise InputError(problems)
    return document.policy


def _own_policy(run: RunData) -> PolicyDocument:
    """The policy of the experiment, as its run pinned it."""
    own = run.manifest.get("gate")
    hint = "give one: --policy FILE"
    if own is None:
        raise InputError(Problem("", f"run {run.run_id} has no gate policy of its own", hint))
    try:
        return PolicyDocument(GatePolicy.model_validate(own))
    except ValidationError as error:
        what = f"the gate policy of run {run.run_id} is not valid: {error.errors()[0]['msg']}"
        raise InputError(Problem("", what, hint)) from error


def _refuse_partial(*runs: RunData) -> None:
    problems = [
        Problem(
            "", f"run {run.run_id} is partial: a gate needs all examples", "run without --limit"
        )
        for run in {run.run_id: run for run in runs}.values()
        if run.manifest.get("partial")
    ]
    if problems:
        raise InputError(problems)


def _candidate(run: RunData, policy: GatePolicy) -> str:
    """The policy's candidate, or the run's only variant beside its baseline."""
    variants = run.scores.variants
    if policy.candidate is not None:
        return policy.candidate
    others = [variant for variant in variants if variant != run.comparison.baseline]
    if len(others) == 1:
        return others[0]
    if not others:
        return run.comparison.baseline
    hint = f"name it in the policy, candidate: one of {', '.join(others)}"
    raise InputError(Problem("", f"which variant of run {run.run_id} is the candidate?", hint))


def _baseline(reference: RunData, policy: GatePolicy, candidate: _Side) -> str:
    """The policy's baseline; in another run the candidate's namesake; else that run's baseline."""
    if policy.baseline is not None:
        return policy.baseline
    if reference is not candidate.run and candidate.variant in reference.scores.variants:
        return candidate.variant
    return reference.comparison.baseline


def _refuse_itself(candidate: _Side, baseline: _Side) -> None:
    """A system held against its own answers would always pass, and prove nothing."""
    origin = origin_of(candidate.run, candidate.variant)
    if origin != origin_of(baseline.run, baseline.variant):
        return
    what = f"{candidate.variant} of run {origin['run_id']} cannot be gated against itself"
    hint = (
        "give an earlier run to compare with: --baseline NAME"
        if baseline.run is candidate.run
        else "that baseline is a copy of this run: run the experiment again, "
        "or name another variant in the policy, baseline: VARIANT"
    )
    raise InputError(Problem("", what, hint))


def _comparer(
    candidate: _Side, baseline: _Side, policy: GatePolicy, labels: Sequence[Label]
) -> Callable[[float], Comparison]:
    """The two systems' comparison as a function of its confidence; rules read no p-values.

    Verdicts of judges are those of the candidate's run, of this pair, with reviewers' `labels`.
    """
    run = candidate.run
    one = _only(run, candidate.variant)
    other = _only(baseline.run, baseline.variant)
    if baseline.variant == candidate.variant:
        other = renamed(other, {baseline.variant: f"{baseline.run.run_id}:{baseline.variant}"})
    scores = merged_scores([other.scores, one.scores])
    manifest = {
        **run.manifest,
        "baseline": scores.variants[0],
        "variants": [*other.manifest["variants"], *one.manifest["variants"]],
    }
    records = [*other.records, *one.records]
    trials = trial_table(scores.variants, scores.example_ids, scores.n_repeats, records)
    subject = subject_of(manifest, run.examples, trials, scores)
    analysis = replace(subject.analysis, coverage=policy.coverage, resamples=0)
    panels = _judged_alike(candidate, baseline, labels)

    def at(confidence: float) -> Comparison:
        own = replace(analysis, confidence=confidence)
        return compare(replace(subject, analysis=own, judged=compared(panels, own)))

    return at


def _judged_alike(candidate: _Side, baseline: _Side, labels: Sequence[Label]) -> tuple[Panels, ...]:
    """What was judged of both sides: only answers of one run are shown side by side."""
    if baseline.run is not candidate.run:
        return ()
    return panels_of(candidate.run, labels, baseline.variant)


def _only(run: RunData, variant: str) -> RunData:
    """`run` with one variant alone, its baseline, except in its own comparison."""
    index = run.scores.variants.index(variant)
    table = run.scores
    variants = [facts for facts in run.manifest["variants"] if facts["id"] == variant]
    return replace(
        run,
        manifest={**run.manifest, "variants": variants, "baseline": variant},
        records=tuple(record for record in run.records if record.variant == variant),
        scores=replace(
            table,
            variants=(variant,),
            metrics=tuple(_row(scores, index) for scores in table.metrics),
        ),
    )


def _row(scores: MetricScores, index: int) -> MetricScores:
    rows = slice(index, index + 1)
    return replace(
        scores,
        value=scores.value[rows],
        weight=scores.weight[rows],
        reason=scores.reason[rows],
        explanation={},
        expected=None if scores.expected is None else scores.expected[rows],
        predicted=None if scores.predicted is None else scores.predicted[rows],
    )
