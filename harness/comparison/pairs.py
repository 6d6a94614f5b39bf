"""Every variant against every other: paired differences, tests, win rates, findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.comparison.columns import Column
from harness.comparison.influence import NOTHING, coverage, informative, linearised, undefined
from harness.comparison.subject import Subject, local_clusters
from harness.core.comparison import Family, Finding, PairEstimate
from harness.core.example_values import signs
from harness.core.experiment import PrimaryFigure
from harness.core.score import Aggregate, FloatArray, IntArray
from harness.statistics.estimates import Estimate, cluster_totals, paired_estimate
from harness.statistics.multiplicity import benjamini_hochberg, holm
from harness.statistics.permutation import mcnemar_exact, sign_flip_p_values
from harness.statistics.power import detectable_difference, examples_to_show

_SPENT = np.zeros(0)
"""In place of differences that nobody reads any more: all pairs' together are large."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """One pair on one metric and slice, before its p-value is known.

    `diffs` is (n,) candidate minus baseline, linearised; `rows` are the examples' indices.
    """

    candidate: int
    baseline: int
    column: Column
    slice: str
    rows: IntArray
    n_missing: int
    diffs: FloatArray
    clusters: IntArray | None
    estimate: Estimate | None
    why_undefined: str
    coverage: float

    @property
    def n_units(self) -> int:
        """How many of the examples are independent of one another."""
        return len(self.rows) if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def exact(self) -> bool:
        """Whether McNemar's test applies: independent examples, one binary outcome each."""
        return (
            self.column.independent
            and self.column.metric.aggregate is Aggregate.MEAN
            and self.clusters is None
        )


def pair_estimates(subject: Subject, columns: Sequence[Column]) -> list[PairEstimate]:
    """All pairs, by metric, slice and pair, with adjusted p-values and findings."""
    pairs: list[_Pair] = []
    p_values: list[float | None] = []
    for name, rows in subject.slices.items():
        of_slice = list(_pairs_of_slice(subject, columns, name, rows))
        p_values += _p_values(subject, of_slice, rows)
        pairs += [replace(pair, diffs=_SPENT) for pair in of_slice]
    adjusted = _adjust(subject, pairs, p_values)
    made = [
        _finish(subject, pair, p, p_adjusted)
        for pair, p, p_adjusted in zip(pairs, p_values, adjusted, strict=True)
    ]
    order = {column.metric.id: index for index, column in enumerate(columns)}
    return sorted(made, key=lambda pair: order[pair.metric])


def _pairs_of_slice(
    subject: Subject, columns: Sequence[Column], name: str, rows: IntArray
) -> Iterator[_Pair]:
    for column in columns:
        applicable = rows[column.applicable[rows]]
        if not len(applicable):
            continue
        for candidate, baseline in subject.pairs():
            yield _pair(subject, column, (candidate, baseline), name, applicable)


def _pair(
    subject: Subject, column: Column, pair: tuple[int, int], name: str, applicable: IntArray
) -> _Pair:
    candidate, baseline = pair
    scored = column.scored[candidate, applicable] & column.scored[baseline, applicable]
    n_missing = int(np.count_nonzero(~scored))
    rows = informative(column, pair, applicable)
    clusters = local_clusters(subject.clusters, rows)
    why = undefined(column, pair, rows) if len(rows) else "no data"
    covered = coverage(column, subject.n_trials, pair, applicable)
    made = _Pair(
        candidate, baseline, column, name, rows, n_missing, _SPENT, clusters, None, why, covered
    )
    if why in ("no data", NOTHING):
        return made
    diffs = linearised(column, candidate, rows) - linearised(column, baseline, rows)
    lower, upper = column.metric.lower, column.metric.upper
    estimate = paired_estimate(
        diffs,
        clusters,
        None if lower is None or upper is None else upper - lower,
        subject.analysis.confidence,
        binary=column.independent and column.metric.aggregate is Aggregate.MEAN,
    )
    if why:
        return replace(made, estimate=replace(estimate, low=None, high=None, method=why))
    return replace(made, diffs=diffs, estimate=estimate)


def _p_values(subject: Subject, pairs: Sequence[_Pair], slice_rows: IntArray) -> list[float | None]:
    """Exact where McNemar's test applies; the rest are permuted together, one slice at a time."""
    result: list[float | None] = [None] * len(pairs)
    permuted = []
    for index, pair in enumerate(pairs):
        if not len(pair.diffs):
            continue
        if pair.exact:
            result[index] = mcnemar_exact(int((pair.diffs > 0).sum()), int((pair.diffs < 0).sum()))
        else:
            permuted.append(index)
    if not permuted:
        return result
    table = np.zeros((len(slice_rows), len(permuted)))
    for position, index in enumerate(permuted):
        pair = pairs[index]
        table[np.searchsorted(slice_rows, pair.rows), position] = pair.diffs
    totals = cluster_totals(table, local_clusters(subject.clusters, slice_rows))
    p = sign_flip_p_values(totals, subject.analysis.resamples, subject.analysis.seed)
    for position, index in enumerate(permuted):
        result[index] = float(p[position])
    return result


def _family(subject: Subject, pair: _Pair) -> Family:
    """Primary: a figure that the experiment names, against its baseline."""
    named = PrimaryFigure(pair.column.metric.id, pair.slice) in subject.analysis.primary
    against_baseline = subject.variants[pair.baseline].id == subject.baseline
    return "primary" if named and against_baseline else "exploratory"


def _adjust(
    subject: Subject, pairs: Sequence[_Pair], p_values: Sequence[float | None]
) -> list[float | None]:
    """Holm within the primary family, Benjamini and Hochberg within the exploratory one."""
    adjusted: list[float | None] = [None] * len(pairs)
    families = [_family(subject, pair) for pair in pairs]
    for family, method in (("primary", holm), ("exploratory", benjamini_hochberg)):
        members = [i for i, p in enumerate(p_values) if p is not None and families[i] == family]
        values = method([p for i in members if (p := p_values[i]) is not None])
        for index, value in zip(members, values, strict=True):
            adjusted[index] = value
    return adjusted


def _finish(
    subject: Subject, pair: _Pair, p_value: float | None, p_adjusted: float | None
) -> PairEstimate:
    estimate = pair.estimate
    better = _signs(pair)
    n = len(pair.rows)
    win_rate = None
    if n:
        win_rate = paired_estimate(
            better, pair.clusters, 1.0, subject.analysis.confidence, binary=True
        )
    low, high = (estimate.low, estimate.high) if estimate else (None, None)
    mde = detectable_difference(low, high, subject.analysis.confidence)
    finding = _finding(subject, pair, p_adjusted)
    return PairEstimate(
        candidate=subject.variants[pair.candidate].id,
        baseline=subject.variants[pair.baseline].id,
        metric=pair.column.metric.id,
        slice=pair.slice,
        n=n,
        n_units=pair.n_units,
        n_missing=pair.n_missing,
        coverage=pair.coverage,
        diff=estimate.value if estimate else None,
        standard_error=estimate.standard_error if estimate else None,
        ci_low=low,
        ci_high=high,
        method=estimate.method if estimate else pair.why_undefined,
        p_value=p_value,
        p_adjusted=p_adjusted,
        test=_test(pair, p_value),
        family=_family(subject, pair),
        wins=int((better > 0).sum()),
        ties=int((better == 0).sum()),
        losses=int((better < 0).sum()),
        win_rate=(1 + win_rate.value) / 2 if win_rate else None,
        win_rate_ci_low=_half(win_rate.low) if win_rate else None,
        win_rate_ci_high=_half(win_rate.high) if win_rate else None,
        mde=mde,
        n_needed=(
            examples_to_show(n, estimate.value, mde)
            if finding == "no_evidence" and estimate and mde is not None
            else None
        ),
        finding=finding,
    )


def _signs(pair: _Pair) -> FloatArray:
    """1 where the candidate is better on an example, -1 where worse, 0 where neither.

    In a ratio an example compares only where both variants have something to count.
    """
    column, rows = pair.column, pair.rows
    apart = column.value[pair.candidate, rows] - column.value[pair.baseline, rows]
    counted = column.counted[pair.candidate, rows] & column.counted[pair.baseline, rows]
    return signs(column.metric, apart, counted)


def _half(end: float | None) -> float | None:
    return None if end is None else (1 + end) / 2


def _finding(subject: Subject, pair: _Pair, p_adjusted: float | None) -> Finding:
    """Better or worse needs both the adjusted test and an interval that leaves out 0."""
    estimate = pair.estimate
    few = pair.n_units < subject.analysis.min_examples
    if estimate is None or few or pair.why_undefined:
        return "too_few"
    if estimate.low is None or estimate.high is None or p_adjusted is None:
        return "no_evidence"
    certain = p_adjusted <= 1 - subject.analysis.confidence
    if not certain or estimate.low <= 0 <= estimate.high:
        return "no_evidence"
    return "better" if (estimate.value > 0) == pair.column.metric.higher_is_better else "worse"


def _test(pair: _Pair, p_value: float | None) -> str:
    if p_value is None:
        return "none"
    return "mcnemar_exact" if pair.exact else "sign_flip_permutation"
