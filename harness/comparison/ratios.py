"""Latency and cost of a candidate over the baseline's, on the examples that both know them for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.comparison.operations import ANSWERED, cost_estimate, flat
from harness.comparison.subject import Subject
from harness.core.comparison import RatioEstimate
from harness.core.record import AnswerPath
from harness.core.score import IntArray, TrialState
from harness.statistics.quantiles import quantile_estimate
from harness.statistics.ratios import Interval, ratio_interval

_LIVE_OR_RECORDED = (AnswerPath.WARM, AnswerPath.RECORDED)
_SHARES: tuple[tuple[Literal["latency_p50", "latency_p95"], float], ...] = (
    ("latency_p50", 0.5),
    ("latency_p95", 0.95),
)


def ratio_estimates(subject: Subject) -> list[RatioEstimate]:
    """Ratios of p50, p95 and mean cost for every candidate against the baseline, by slice.

    An infrastructure failure on either side leaves the example out and counts as missing, as
    does an unknown latency or cost. Latencies are compared on one path: warm ones, else recorded;
    a repeat that took another path is as if it had not been made.
    """
    base = subject.variant_ids.index(subject.baseline)
    return [
        ratio
        for name, rows in subject.slices.items()
        for candidate in range(len(subject.variants))
        if candidate != base
        for ratio in _ratios(subject, (candidate, base), name, rows)
    ]


def _ratios(
    subject: Subject, pair: tuple[int, int], name: str, rows: IntArray
) -> Iterator[RatioEstimate]:
    trials = subject.trials
    sides = list(pair)
    answered = np.isin(trials.status, ANSWERED)
    unmade: NDArray[np.bool_] = trials.status == TrialState.NONE
    for path in _LIVE_OR_RECORDED:
        on_path = trials.path == list(AnswerPath).index(path) + 1
        known = np.isfinite(trials.latency_s) & answered & on_path
        elsewhere = np.isfinite(trials.latency_s) & answered & ~on_path
        shared = _shared(known, elsewhere | unmade, sides, rows)
        if len(shared):
            for quantity, share in _SHARES:
                ends = [_quantile(subject, v, shared, known, share) for v in sides]
                yield _ratio(subject, pair, (quantity, path), name, (shared, rows), ends)
            break
    known = np.isfinite(trials.cost_usd)
    shared = _shared(known, unmade, sides, rows)
    if len(shared):
        ends = [_mean_cost(subject, v, shared, known) for v in sides]
        yield _ratio(subject, pair, ("cost_mean", None), name, (shared, rows), ends)


def _shared(
    known: NDArray[np.bool_], blank: NDArray[np.bool_], sides: list[int], rows: IntArray
) -> IntArray:
    """The examples of which every trial of both sides is known, `blank` ones left out."""
    whole = np.logical_and((known | blank).all(axis=2), known.any(axis=2))
    shared: IntArray = rows[whole[np.ix_(np.array(sides), rows)].all(axis=0)]
    return shared


def _quantile(
    subject: Subject, variant: int, rows: IntArray, known: NDArray[np.bool_], share: float
) -> Interval:
    values, clusters = flat(subject, subject.trials.latency_s, known, variant, rows)
    estimate = quantile_estimate(values, clusters, share, subject.analysis.confidence)
    return estimate.value, estimate.low, estimate.high


def _mean_cost(
    subject: Subject, variant: int, rows: IntArray, known: NDArray[np.bool_]
) -> Interval:
    values, clusters = flat(subject, subject.trials.cost_usd, known, variant, rows)
    return cost_estimate(values, clusters, subject.analysis)


def _ratio(
    subject: Subject,
    pair: tuple[int, int],
    what: tuple[Literal["latency_p50", "latency_p95", "cost_mean"], AnswerPath | None],
    name: str,
    rows: tuple[IntArray, IntArray],
    ends: list[Interval],
) -> RatioEstimate:
    quantity, path = what
    shared, of_slice = rows
    interval = ratio_interval(ends[0], ends[1])
    ratio, low, high = interval or (None, None, None)
    few = len(shared) < subject.analysis.min_examples
    return RatioEstimate(
        candidate=subject.variants[pair[0]].id,
        baseline=subject.variants[pair[1]].id,
        quantity=quantity,
        path=None if path is None else path.value,
        slice=name,
        n=len(shared),
        n_missing=len(of_slice) - len(shared),
        ratio=ratio,
        ci_low=None if few else low,
        ci_high=None if few else high,
    )
