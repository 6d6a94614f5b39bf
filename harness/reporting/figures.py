"""Looking figures up in a comparison, from either side of a pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.core.comparison import (
    Comparison,
    ConfoundedPair,
    CostEstimate,
    Family,
    Finding,
    LatencyEstimate,
    MetricSummary,
    PairEstimate,
    ScoreEstimate,
)
from harness.core.example import ALL
from harness.reporting.formats import Scale
from harness.reporting.text import one_line

_MIRROR: dict[Finding, Finding] = {"better": "worse", "worse": "better"}
_LIVE_FIRST = ("warm", "recorded", "cold", "cached")
_MAX_FIELDS = 6


class Figures:
    """A comparison with an index over its parts."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.variants = tuple(variant.id for variant in comparison.variants)
        self._metrics = {metric.id: metric for metric in comparison.metrics}
        self._scores = {(s.variant, s.metric, s.slice): s for s in comparison.scores}
        self._pairs = {(p.candidate, p.baseline, p.metric, p.slice): p for p in comparison.pairs}
        self._cost = {(c.variant, c.slice): c for c in comparison.cost}
        self._tested = Counter(p.family for p in comparison.pairs if p.p_value is not None)
        self._confounded = {
            frozenset((c.candidate, c.baseline)): _confounded(c) for c in comparison.confounded
        }

    @property
    def candidates(self) -> tuple[str, ...]:
        """Every variant but the baseline."""
        return tuple(v for v in self.variants if v != self.comparison.baseline)

    @property
    def metric_ids(self) -> tuple[str, ...]:
        """Metrics in the order to show them: the deciding one, other primary ones, the rest."""
        head = self.comparison.conclusion.metric
        rank = {m.id: (m.id != head, not m.primary) for m in self.comparison.metrics}
        return tuple(sorted(rank, key=rank.__getitem__))

    def metric(self, metric_id: str) -> MetricSummary | None:
        """The metric's nature, or None."""
        return self._metrics.get(metric_id)

    def scale(self, metric_id: str) -> Scale:
        """How the metric's values are written."""
        return Scale.of(self._metrics.get(metric_id))

    def up(self, metric_id: str) -> int:
        """1 where a higher value is better, else -1."""
        metric = self._metrics.get(metric_id)
        return 1 if metric is None or metric.higher_is_better else -1

    def score(self, variant: str, metric: str, slice_id: str = ALL) -> ScoreEstimate | None:
        """One variant's figure, or None."""
        return self._scores.get((variant, metric, slice_id))

    def pair(
        self, candidate: str, other: str, metric: str, slice_id: str = ALL
    ) -> PairEstimate | None:
        """The pair seen from `candidate`, whichever way round it is stored; or None."""
        found = self._pairs.get((candidate, other, metric, slice_id))
        if found is not None:
            return found
        found = self._pairs.get((other, candidate, metric, slice_id))
        return None if found is None else _mirrored(found)

    @property
    def is_live(self) -> bool:
        """Whether any variant was run by harness, so that its operation is known."""
        return bool(self.comparison.operations)

    def confounded(self, candidate: str, other: str) -> str:
        """What a pair differs in beside the thing under test, and why; "" if it is clean."""
        return self._confounded.get(frozenset((candidate, other)), "")

    def gain(self, pair: PairEstimate) -> float | None:
        """The difference in the metric's own direction: positive is better."""
        return None if pair.diff is None else pair.diff * self.up(pair.metric)

    def primary_pairs(self) -> Iterator[PairEstimate]:
        """The confirmatory family, in the comparison's order."""
        return (pair for pair in self.comparison.pairs if pair.family == "primary")

    def n_tested(self, family: Family) -> int:
        """How many figures the p-values of a family are corrected for."""
        return self._tested[family]

    def cost(self, variant: str, slice_id: str = ALL) -> CostEstimate | None:
        """A variant's cost, or None."""
        return self._cost.get((variant, slice_id))

    def latency(self, variant: str) -> LatencyEstimate | None:
        """A variant's latency over all examples; live answers go before others."""
        known = [
            entry
            for entry in self.comparison.latency
            if entry.variant == variant and entry.slice == ALL and entry.p50_s is not None
        ]
        return min(known, key=lambda entry: _LIVE_FIRST.index(entry.path), default=None)


def _confounded(pair: ConfoundedPair) -> str:
    """`confounded: model, user_template — the tuned model needs its own template`."""
    fields = [one_line(name, 60) for name in pair.fields]
    more = [f"{len(fields) - _MAX_FIELDS} more"] if len(fields) > _MAX_FIELDS else []
    return f"confounded: {', '.join(fields[:_MAX_FIELDS] + more)} — {one_line(pair.reason, 200)}"


def _mirrored(pair: PairEstimate) -> PairEstimate:
    """The same pair seen from the other side."""
    return pair.model_copy(
        update={
            "candidate": pair.baseline,
            "baseline": pair.candidate,
            "diff": _negated(pair.diff),
            "ci_low": _negated(pair.ci_high),
            "ci_high": _negated(pair.ci_low),
            "wins": pair.losses,
            "losses": pair.wins,
            "win_rate": _rest(pair.win_rate),
            "win_rate_ci_low": _rest(pair.win_rate_ci_high),
            "win_rate_ci_high": _rest(pair.win_rate_ci_low),
            "finding": _MIRROR.get(pair.finding, pair.finding),
        }
    )


def _negated(value: float | None) -> float | None:
    return None if value is None else -value


def _rest(value: float | None) -> float | None:
    return None if value is None else 1 - value
