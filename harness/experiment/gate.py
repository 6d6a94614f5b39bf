"""A finished run held against a policy: the gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.comparison.compare import compare
from harness.comparison.subject import Subject
from harness.config.gate import check_policy, read_policy
from harness.config.suggest import did_you_mean
from harness.core.comparison import Comparison
from harness.core.policy import GatePolicy
from harness.core.run import RunData
from harness.core.score import MetricScores, ScoreTable
from harness.core.values import fingerprint
from harness.errors import InputError, Problem
from harness.experiment.frames import Run
from harness.experiment.merge import (
    analysis_of,
    ensure_comparable,
    merged_scores,
    renamed,
    variant_facts,
)
from harness.experiment.renderings import render_again
from harness.gate.decide import decide
from harness.scoring.trials import trial_table
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
        InputError: if the policy is wrong or missing, it does not fit the run, or a run is
            partial, unfinished or changed.
        NotComparableError: if the runs differ in their eval set or its scorers.
    """
    run = load_run(folder)
    policy = _policy(run, policy_path)
    reference = run if baseline_folder is None else load_run(baseline_folder)
    _refuse_partial(run, reference)
    if reference is not run:
        ensure_comparable([run, reference])
    candidate = _Side(run, _candidate(run, policy))
    baseline = _Side(reference, _baseline(reference, policy, candidate))
    verdict = decide(
        policy,
        _comparer(candidate, baseline, policy),
        policy_sha256=fingerprint(policy.model_dump(mode="json")),
        baseline_run_id=reference.run_id,
    )
    judged = replace(run, verdict=verdict)
    write_verdict(folder, verdict)
    render_again(folder, judged)
    return Run(folder, judged)


def _policy(run: RunData, path: Path | None) -> GatePolicy:
    if path is None:
        own = run.manifest.get("gate")
        if own is None:
            hint = "give one: --policy FILE"
            raise InputError(Problem("", f"run {run.run_id} has no gate policy of its own", hint))
        return GatePolicy.model_validate(own)
    document = read_policy(path)
    metrics = [metric.id for metric in run.comparison.metrics]
    slices = [summary.id for summary in run.comparison.slices]
    problems = check_policy(document, metrics, slices)
    if problems:
        raise InputError(problems)
    return document.policy


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
        return _known(policy.candidate, run, "candidate")
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
        name = _known(policy.baseline, reference, "baseline")
    elif reference is not candidate.run and candidate.variant in reference.scores.variants:
        name = candidate.variant
    else:
        name = reference.comparison.baseline
    if reference is candidate.run and name == candidate.variant:
        hint = "give another run to compare with: --baseline RUN"
        raise InputError(Problem("", f"{name} cannot be gated against itself", hint))
    return name


def _known(name: str, run: RunData, role: str) -> str:
    if name in run.scores.variants:
        return name
    what = f"the policy's {role} {name!r} is no variant of run {run.run_id}"
    raise InputError(Problem("", what, did_you_mean(name, run.scores.variants)))


def _comparer(
    candidate: _Side, baseline: _Side, policy: GatePolicy
) -> Callable[[float], Comparison]:
    """The two systems' comparison as a function of its confidence; rules read no p-values."""
    run = candidate.run
    one = _only(run, candidate.variant)
    other = _only(baseline.run, baseline.variant)
    if baseline.variant == candidate.variant:
        other = renamed(other, {baseline.variant: f"{baseline.run.run_id}:{baseline.variant}"})
    scores = merged_scores([other.scores, one.scores])
    analysis = replace(analysis_of(run), coverage=policy.coverage, resamples=0)
    trials = trial_table(
        scores.variants, scores.example_ids, scores.n_repeats, other.records + one.records
    )
    subject = Subject(
        run_id=run.run_id,
        evalset_name=run.comparison.evalset.name,
        evalset_sha256=run.comparison.evalset.sha256,
        examples=run.examples,
        baseline=scores.variants[0],
        variants=variant_facts(other) + variant_facts(one),
        analysis=analysis,
        scores=scores,
        trials=trials,
    )
    return lambda confidence: compare(
        replace(subject, analysis=replace(analysis, confidence=confidence))
    )


def _only(run: RunData, variant: str) -> RunData:
    """`run` with one variant alone; its comparison keeps only the baseline's name."""
    index = run.scores.variants.index(variant)
    table = run.scores
    return replace(
        run,
        manifest={
            **run.manifest,
            "variants": [f for f in run.manifest["variants"] if f["id"] == variant],
        },
        records=tuple(record for record in run.records if record.variant == variant),
        scores=ScoreTable(
            (variant,),
            table.example_ids,
            table.n_repeats,
            tuple(_row(scores, index) for scores in table.metrics),
        ),
        comparison=run.comparison.model_copy(update={"baseline": variant}),
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
