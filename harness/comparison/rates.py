"""How often live trials were rejected, repaired, handed over and retried, and what that added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.comparison.operations import ANSWERED, flat
from harness.comparison.subject import Subject
from harness.core.operations import OperationEstimate, OperationQuantity
from harness.core.record import AnswerPath
from harness.core.score import BoolArray, FloatArray, IntArray, OperationsTable
from harness.statistics.estimates import mean_estimate
from harness.statistics.ratios import Interval


@dataclass(frozen=True, slots=True)
class _Event:
    """What can happen to a trial. `among` are the trials that count, `added_*` what it took them.

    All are of shape (variants, examples, repeats); None where it adds nothing of its own.
    """

    quantity: OperationQuantity
    happened: BoolArray
    among: BoolArray
    added_s: FloatArray | None = None
    added_usd: FloatArray | None = None


def operation_estimates(subject: Subject) -> list[OperationEstimate]:
    """Rates for every live variant and slice; none for what a variant never does.

    Outputs are rejected, and fail, only where a variant's outputs are checked at all; calls of
    tools fail only in trials that called one. Answers from the cache count for what became of an
    output, but not for retries and for what was added.
    """
    table = subject.trials.operations
    if table is None:
        return []
    events = list(_events(subject, table))
    return [
        _estimate(subject, event, variant, name, rows)
        for name, rows in subject.slices.items()
        for variant in range(len(subject.variants))
        for event in events
        if event.among[variant, rows].any()
    ]


def _events(subject: Subject, table: OperationsTable) -> Iterator[_Event]:
    answered = table.traced & np.isin(subject.trials.status, ANSWERED)
    checked = answered & table.checked.any(axis=(1, 2), keepdims=True)
    sent = table.traced & _sent(subject)
    yield _Event("rejection_rate", table.rejected, checked)
    yield _Event("schema_failure_rate", table.schema_failed, checked)
    yield _Event("invalid_rate", table.invalid, checked)
    yield _Event("repair_rate", table.repaired, answered, table.repair_s, table.repair_usd)
    yield _Event("fallback_rate", table.fallback, answered, table.fallback_s, table.fallback_usd)
    yield _Event("retry_rate", table.retried, sent, table.retry_wait_s)
    yield _Event("tool_error_rate", table.tool_failed, answered & table.tool_called)


def _sent(subject: Subject) -> BoolArray:
    """Which trials asked a service anew."""
    cached = list(AnswerPath).index(AnswerPath.CACHED) + 1
    result: BoolArray = subject.trials.path != cached
    return result


def _estimate(
    subject: Subject, event: _Event, variant: int, name: str, rows: IntArray
) -> OperationEstimate:
    shares, clusters = flat(subject, event.happened.astype(np.float64), event.among, variant, rows)
    rate = mean_estimate(
        shares, clusters, (0.0, 1.0), subject.analysis.confidence, binary=clusters is None
    )
    latency, latency_each = _added(subject, event, event.added_s, variant, rows)
    cost, cost_each = _added(subject, event, event.added_usd, variant, rows)
    return OperationEstimate(
        variant=subject.variants[variant].id,
        slice=name,
        quantity=event.quantity,
        n=len(shares),
        n_affected=int(shares.sum()),
        rate=rate.value,
        ci_low=rate.low,
        ci_high=rate.high,
        latency_s=latency and latency[0],
        latency_ci_low_s=latency and latency[1],
        latency_ci_high_s=latency and latency[2],
        latency_per_affected_s=latency_each,
        cost_usd=cost and cost[0],
        cost_ci_low_usd=cost and cost[1],
        cost_ci_high_usd=cost and cost[2],
        cost_per_affected_usd=cost_each,
    )


def _added(
    subject: Subject, event: _Event, added: FloatArray | None, variant: int, rows: IntArray
) -> tuple[Interval | None, float | None]:
    """The mean that an event added to a trial with its interval, and to an affected trial.

    None where it is unknown for a trial that was affected: those left would not be like it.
    """
    if added is None:
        return None, None
    live = event.among & _sent(subject)
    values, clusters = flat(subject, added, live, variant, rows)
    if not len(values) or not np.isfinite(values).all():
        return None, None
    estimate = mean_estimate(values, clusters, (0.0, None), subject.analysis.confidence)
    happened, _ = flat(subject, event.happened.astype(np.float64), live, variant, rows)
    n_affected = int(happened.sum())
    each = float(values[happened > 0].mean()) if n_affected else None
    return (estimate.value, estimate.low, estimate.high), each
