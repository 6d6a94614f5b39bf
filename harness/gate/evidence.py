"""What a rule is held against: an estimate with its interval, found in the comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from harness.core.comparison import Comparison, RatioEstimate
from harness.core.example import ALL
from harness.core.verdict import RuleKind


@dataclass(frozen=True, slots=True)
class Evidence:
    """One figure. `above_is_good` tells on which side of a limit it must lie.

    `estimate`, `low` and `high` are None where the data do not say; `gap` then tells why.
    """

    kind: RuleKind
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
    informs: bool = False
    """It comes from a judge that has not shown the agreement with people that was declared."""

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
        self._pairs = {(pair.metric, pair.slice): pair for pair in comparison.pairs}
        self._scores = {
            (score.metric, score.slice): score
            for score in comparison.scores
            if score.variant == self.candidate
        }
        self._judged = {
            (one.judge, one.slice): one
            for one in comparison.pairwise
            if (one.candidate, one.baseline) == (self.candidate, self.baseline)
        }
        self._trusted = {one.judge: one.trusted for one in comparison.judges if one.slice == ALL}
        self._ratios: dict[tuple[str, str], RatioEstimate] = {
            (ratio.quantity, ratio.slice): ratio for ratio in comparison.ratios
        }

    def ratio(self, quantity: str, slice_name: str) -> Evidence:
        """The candidate's latency or cost over the baseline's: `latency_p95`, `cost_mean`."""
        kind = _QUANTITIES[quantity]
        what = quantity.partition("_")
        blank = Evidence(kind, what[2], slice_name, above_is_good=False, n=0, coverage=1.0)
        ratio = self._ratios.get((quantity, slice_name))
        if ratio is None:
            return replace(
                blank, gap=f"{what[0]} is unknown, or was not measured alike, on one side"
            )
        gap = "" if ratio.ci_high is not None else "too few examples for an interval of this ratio"
        return replace(
            blank,
            n=ratio.n,
            coverage=ratio.n / (ratio.n + ratio.n_missing),
            estimate=ratio.ratio,
            low=ratio.ci_low,
            high=ratio.ci_high,
            gap=gap if ratio.ratio is not None else "a ratio needs figures above 0 on both sides",
        )

    def win_rate(self, judge: str, slice_name: str) -> Evidence:
        """How often a judge prefers the candidate to the baseline."""
        found = self._judged.get((judge, slice_name))
        trusted = self._trusted.get(judge)
        blank = Evidence("win_rate", judge, slice_name, above_is_good=True, n=0, coverage=0.0)
        if found is None:
            return replace(blank, gap=f"{judge} has judged none of these examples")
        gap = "" if found.ci_low is not None and found.finding != "too_few" else "too few verdicts"
        return replace(
            blank,
            n=found.n,
            coverage=found.n / (found.n + found.n_missing),
            estimate=found.win_rate,
            low=None if gap else found.ci_low,
            high=None if gap else found.ci_high,
            gap=gap,
            binary=True,
            informs=trusted is False,
        )

    def has(self, metric: str, slice_name: str) -> bool:
        """Whether the metric applies to any example of the slice."""
        return (metric, slice_name) in self._pairs

    def difference(self, metric: str, slice_name: str) -> Evidence:
        """Candidate minus baseline; above is good where a higher value is better."""
        pair = self._pairs.get((metric, slice_name))
        nature = self._metrics[metric]
        above = nature.higher_is_better
        if pair is None:
            gap = "the metric applies to none of these examples"
            return Evidence("non_inferiority", metric, slice_name, above, 0, 0.0, gap=gap)
        gap = "" if pair.ci_low is not None else _why(pair.method)
        if not gap and pair.finding == "too_few":
            gap = "too few independent examples for a verdict"
        usable = not gap
        return Evidence(
            "non_inferiority",
            metric,
            slice_name,
            above,
            pair.n,
            pair.coverage,
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
        return Evidence(
            kind,
            metric,
            slice_name,
            floor,
            score.n,
            score.coverage,
            score.mean,
            score.ci_low,
            score.ci_high,
            "" if score.ci_low is not None else _why(score.method),
            binary=(nature.lower, nature.upper) == (0.0, 1.0),
        )


def _why(method: str) -> str:
    """Why there is no interval: the method says `undefined: a class has fewer than ...`."""
    return f"no interval: {method.removeprefix('undefined: ')}"


_QUANTITIES: dict[str, Literal["latency_ratio", "cost_ratio"]] = {
    "latency_p50": "latency_ratio",
    "latency_p95": "latency_ratio",
    "cost_mean": "cost_ratio",
}
