"""What a rule is held against: an estimate with its interval, found in the comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from harness.core.comparison import Comparison, LatencyEstimate


@dataclass(frozen=True, slots=True)
class Evidence:
    """One figure. `above_is_good` tells on which side of a limit it must lie.

    `estimate`, `low` and `high` are None where the data do not say; `gap` then tells why.
    """

    kind: Literal["non_inferiority", "floor", "ceiling", "latency_ratio", "cost_ratio"]
    metric: str
    slice: str
    above_is_good: bool
    n: int
    coverage: float
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    gap: str = ""
    binary: bool = False

    @property
    def near_end(self) -> float | None:
        """The interval's end that must keep the limit for the rule to hold."""
        return self.low if self.above_is_good else self.high

    @property
    def far_end(self) -> float | None:
        """The interval's end that must break the limit for the rule to fail."""
        return self.high if self.above_is_good else self.low

    def holds_at(self, value: float, limit: float) -> bool:
        """Whether `value` keeps `limit`. A loss of exactly the margin does not."""
        if self.kind == "non_inferiority":
            return value > limit if self.above_is_good else value < limit
        return value >= limit if self.above_is_good else value <= limit

    def broken_at(self, value: float, limit: float) -> bool:
        """Whether `value` lies beyond `limit`."""
        return value < limit if self.above_is_good else value > limit


class Figures:
    """A comparison of two variants, indexed by metric and slice."""

    def __init__(self, comparison: Comparison) -> None:
        self.baseline = comparison.baseline
        self.candidate = next(v.id for v in comparison.variants if v.id != comparison.baseline)
        self.slices = [summary.id for summary in comparison.slices]
        self._metrics = {metric.id: metric for metric in comparison.metrics}
        self._sizes = {summary.id: summary.n_examples for summary in comparison.slices}
        self._pairs = {(pair.metric, pair.slice): pair for pair in comparison.pairs}
        self._scores = {
            (score.metric, score.slice): score
            for score in comparison.scores
            if score.variant == self.candidate
        }
        self.latency = comparison.latency
        self.cost = comparison.cost

    def size(self, slice_name: str) -> int:
        """How many examples a slice has."""
        return self._sizes[slice_name]

    def difference(self, metric: str, slice_name: str) -> Evidence:
        """Candidate minus baseline; above is good where a higher value is better."""
        pair = self._pairs.get((metric, slice_name))
        nature = self._metrics[metric]
        above = nature.higher_is_better
        if pair is None:
            gap = "the metric applies to none of these examples"
            return Evidence("non_inferiority", metric, slice_name, above, 0, 0.0, gap=gap)
        gap = "" if pair.ci_low is not None else "no interval can be given for so few examples"
        if pair.n and pair.finding == "too_few":
            gap = "too few independent examples for a verdict"
        usable = not gap
        return Evidence(
            "non_inferiority",
            metric,
            slice_name,
            above,
            pair.n,
            pair.n / (pair.n + pair.n_missing),
            pair.diff,
            pair.ci_low if usable else None,
            pair.ci_high if usable else None,
            gap,
            binary=(nature.lower, nature.upper) == (0.0, 1.0),
        )

    def level(self, metric: str, slice_name: str, *, floor: bool) -> Evidence:
        """The candidate's own figure, against a floor or a ceiling."""
        kind: Literal["floor", "ceiling"] = "floor" if floor else "ceiling"
        score = self._scores.get((metric, slice_name))
        nature = self._metrics[metric]
        if score is None:
            gap = "the metric applies to none of these examples"
            return Evidence(kind, metric, slice_name, floor, 0, 0.0, gap=gap)
        wanted = score.n + score.n_missing
        return Evidence(
            kind,
            metric,
            slice_name,
            floor,
            score.n,
            score.n / wanted if wanted else 0.0,
            score.mean,
            score.ci_low,
            score.ci_high,
            "" if score.ci_low is not None else "no interval can be given for these examples",
            binary=(nature.lower, nature.upper) == (0.0, 1.0),
        )


def latency_ratio(figures: Figures, quantile: Literal["p50", "p95"], slice_name: str) -> Evidence:
    """The candidate's latency quantile over the baseline's, measured on the same path."""
    sides = {(row.variant, row.path): row for row in figures.latency if row.slice == slice_name}
    blank = Evidence("latency_ratio", quantile, slice_name, above_is_good=False, n=0, coverage=1.0)
    for path in ("warm", "recorded"):
        ours = sides.get((figures.candidate, path))
        theirs = sides.get((figures.baseline, path))
        if ours is not None and theirs is not None:
            coverage = min(1.0, min(ours.n, theirs.n) / max(1, figures.size(slice_name)))
            return _ratio(
                blank, _quantile(ours, quantile), _quantile(theirs, quantile), ours.n, coverage
            )
    return replace(blank, gap="latency is unknown, or was not measured alike, on one side")


def cost_ratio(figures: Figures, slice_name: str) -> Evidence:
    """The candidate's mean cost over the baseline's."""
    sides = {row.variant: row for row in figures.cost if row.slice == slice_name}
    ours, theirs = sides.get(figures.candidate), sides.get(figures.baseline)
    blank = Evidence("cost_ratio", "mean", slice_name, above_is_good=False, n=0, coverage=1.0)
    if ours is None or theirs is None:
        return replace(blank, gap="cost is unknown on one side")
    if ours.total_usd is None or theirs.total_usd is None:
        return replace(blank, gap="cost is unknown for some trials")
    return _ratio(
        blank,
        (ours.mean_usd, ours.ci_low_usd, ours.ci_high_usd),
        (theirs.mean_usd, theirs.ci_low_usd, theirs.ci_high_usd),
        ours.n,
        1.0,
    )


_Interval = tuple[float | None, float | None, float | None]


def _quantile(row: LatencyEstimate, quantile: Literal["p50", "p95"]) -> _Interval:
    if quantile == "p50":
        return row.p50_s, row.p50_ci_low_s, row.p50_ci_high_s
    return row.p95_s, row.p95_ci_low_s, row.p95_ci_high_s


def _ratio(
    blank: Evidence, ours: _Interval, theirs: _Interval, n: int, coverage: float
) -> Evidence:
    """A ratio of two positive figures from their intervals (MOVER; Donner and Zou 2012).

    On the logarithmic scale, each side's distance to its limit is squared and added. The two are
    taken as uncorrelated, which is cautious: on the same examples they rise and fall together.
    """
    (a, a_low, a_high), (b, b_low, b_high) = ours, theirs
    if a is None or b is None or a <= 0 or b <= 0:
        return replace(blank, gap="a ratio needs figures above 0 on both sides")
    centre = math.log(a / b)
    low = _limit(centre, -1, _log_distance(a, a_low), _log_distance(b, b_high))
    high = _limit(centre, 1, _log_distance(a, a_high), _log_distance(b, b_low))
    gap = "" if high is not None else "too few examples for an interval of this quantile"
    return replace(blank, n=n, coverage=coverage, estimate=a / b, low=low, high=high, gap=gap)


def _log_distance(value: float, end: float | None) -> float | None:
    return abs(math.log(value / end)) if end is not None and end > 0 else None


def _limit(centre: float, sign: int, first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return None
    return math.exp(centre + sign * math.hypot(first, second))
