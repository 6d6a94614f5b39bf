"""Where a live trial's time and money go: stage by stage, and the time to the first token."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.comparison.operations import ANSWERED, flat, latency_estimate
from harness.comparison.subject import Subject
from harness.core.comparison import LatencyEstimate
from harness.core.example import ALL
from harness.core.operations import StageEstimate
from harness.core.record import AnswerPath, Stage
from harness.core.score import BoolArray, IntArray, OperationsTable
from harness.statistics.quantiles import quantile_estimate

LIVE_FIRST = (AnswerPath.WARM, AnswerPath.COLD, AnswerPath.CACHED)
"""The paths of live answers; the first that a variant has is the one to show."""


def stage_estimates(subject: Subject) -> list[StageEstimate]:
    """Every stage of every live variant over all examples, on its warm path.

    A variant that has no warm answer is shown on its cold path, else on its cached one.
    """
    table = subject.trials.operations
    if table is None:
        return []
    return [
        estimate
        for variant in range(len(subject.variants))
        for estimate in _stages(subject, table, variant)
    ]


def first_token_estimates(subject: Subject) -> list[LatencyEstimate]:
    """Time to the first token per variant and path, over all examples, where it is known."""
    table = subject.trials.operations
    if table is None:
        return []
    known = np.isfinite(table.ttft_s) & _answered(subject, table)
    rows = subject.slices[ALL]
    result = []
    for variant in range(len(subject.variants)):
        for path in AnswerPath:
            values, clusters = flat(
                subject, table.ttft_s, known & on_path(subject, path), variant, rows
            )
            if len(values):
                result.append(latency_estimate(subject, variant, path, ALL, (values, clusters)))
    return result


def _stages(subject: Subject, table: OperationsTable, variant: int) -> Iterator[StageEstimate]:
    answered = _answered(subject, table)
    path = next((p for p in LIVE_FIRST if (answered & on_path(subject, p))[variant].any()), None)
    if path is None:
        return
    chosen = answered & on_path(subject, path)
    rows = subject.slices[ALL]
    whole_s = sum(
        float(np.nansum(time[variant][chosen[variant]])) for time in table.stage_s.values()
    )
    for stage in Stage:
        if stage in table.stage_s and (chosen & np.isfinite(table.stage_s[stage]))[variant].any():
            yield _stage(subject, table, (variant, stage, path), (chosen, rows), whole_s)


def _stage(
    subject: Subject,
    table: OperationsTable,
    what: tuple[int, Stage, AnswerPath],
    where: tuple[BoolArray, IntArray],
    whole_s: float,
) -> StageEstimate:
    variant, stage, path = what
    chosen, rows = where
    present = chosen & np.isfinite(table.stage_s[stage])
    times, clusters = flat(subject, table.stage_s[stage], present, variant, rows)
    costs, _ = flat(subject, table.stage_usd[stage], present, variant, rows)
    p50, p95 = (
        quantile_estimate(times, clusters, share, subject.analysis.confidence)
        for share in (0.5, 0.95)
    )
    return StageEstimate(
        variant=subject.variants[variant].id,
        stage=stage,
        path=path.value,
        n=len(times),
        p50_s=p50.value,
        p50_ci_low_s=p50.low,
        p50_ci_high_s=p50.high,
        p95_s=p95.value,
        p95_ci_low_s=p95.low,
        p95_ci_high_s=p95.high,
        time_share=float(times.sum()) / whole_s if whole_s > 0 else None,
        mean_usd=float(costs.mean()) if np.isfinite(costs).all() else None,
    )


def _answered(subject: Subject, table: OperationsTable) -> BoolArray:
    result: BoolArray = table.traced & np.isin(subject.trials.status, ANSWERED)
    return result


def on_path(subject: Subject, path: AnswerPath) -> BoolArray:
    """Which trials were answered on a path: (variants, examples, repeats)."""
    result: BoolArray = subject.trials.path == list(AnswerPath).index(path) + 1
    return result
