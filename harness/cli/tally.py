"""Counts of a live run while it goes on, by variant."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import median
from time import monotonic

from harness.core.record import AnswerPath, Record, Status
from harness.core.spending import Spending

PILOT = 20
"""A forecast is made by so many trials of every variant."""
_RATE_S = 20.0
"""The rate is that of so many last seconds."""


@dataclass(slots=True)
class Moments:
    """Mean and variance of numbers, one by one (Welford, Technometrics, 1962)."""

    n: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    def add(self, value: float) -> None:
        """Take another one."""
        self.n += 1
        off = value - self.mean
        self.mean += off / self.n
        self._squares += off * (value - self.mean)

    @property
    def variance(self) -> float:
        """Of the mean; 0 where one number alone tells nothing of it."""
        return self._squares / (self.n - 1) / self.n if self.n > 1 else 0.0


@dataclass(slots=True)
class VariantTally:
    """A variant's trials so far; `latency_s` are those of its live answers."""

    n_done: int = 0
    n_failed: int = 0
    n_lost: int = 0
    spending: Spending = field(default_factory=Spending)
    costs_usd: Moments = field(default_factory=Moments)
    latency_s: array[float] = field(default_factory=lambda: array("f"))

    def add(self, record: Record) -> None:
        """Count a trial."""
        self.n_done += 1
        self.n_failed += record.status is Status.SYSTEM_FAILURE
        self.n_lost += record.status is Status.INFRASTRUCTURE_FAILURE
        self.spending.add(record)
        if record.cost_usd is not None:
            self.costs_usd.add(record.cost_usd)
        if record.path in {AnswerPath.WARM, AnswerPath.COLD} and record.latency_s is not None:
            self.latency_s.append(record.latency_s)

    @property
    def p50_s(self) -> float | None:
        """The median latency of its live answers."""
        return median(self.latency_s) if self.latency_s else None


class Tally:
    """A run's trials so far, of `n_each` for every variant. Those of `before` make no rate."""

    def __init__(
        self,
        variants: Sequence[str],
        n_each: int,
        before: Collection[Record] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.variants = {variant: VariantTally() for variant in variants}
        self.n_each = n_each
        self.n_trials = n_each * len(variants)
        self._clock = clock
        self._began_s = clock()
        self._ended_s: deque[float] = deque()
        self._n_now = 0
        for record in before:
            self.variants[record.variant].add(record)

    @property
    def n_done(self) -> int:
        """Of all variants."""
        return sum(tally.n_done for tally in self.variants.values())

    @property
    def n_failed(self) -> int:
        """Failures of the systems under test."""
        return sum(tally.n_failed for tally in self.variants.values())

    @property
    def n_lost(self) -> int:
        """Trials lost to failures of the infrastructure."""
        return sum(tally.n_lost for tally in self.variants.values())

    def add(self, record: Record) -> None:
        """Count a trial that ended just now."""
        self.variants[record.variant].add(record)
        self._n_now += 1
        at_s = self._clock()
        self._ended_s.append(at_s)
        while self._ended_s[0] < at_s - _RATE_S:
            self._ended_s.popleft()

    @property
    def per_s(self) -> float | None:
        """Trials per second of late; None until there is something to tell."""
        span_s = min(_RATE_S, self._clock() - self._began_s)
        return len(self._ended_s) / span_s if span_s > 1.0 and len(self._ended_s) > 1 else None

    @property
    def left_s(self) -> float | None:
        """How long the rest will take at that rate."""
        return (self.n_trials - self.n_done) / self.per_s if self.per_s else None

    @property
    def is_pilot(self) -> bool:
        """Whether so many trials have ended that they tell of the rest, and much is left."""
        if self.n_each < 3 * PILOT or self._n_now < PILOT * len(self.variants):
            return False
        return all(tally.n_done >= PILOT for tally in self.variants.values())

    def whole_usd(self) -> tuple[float, float] | None:
        """A 95 % interval of what the trials of the whole run cost; None where that is unknown."""
        mean = variance = 0.0
        for tally in self.variants.values():
            if tally.costs_usd.n < tally.n_done:
                return None
            mean += self.n_each * tally.costs_usd.mean
            variance += self.n_each**2 * tally.costs_usd.variance
        margin = 1.96 * sqrt(variance)
        return max(0.0, mean - margin), mean + margin

    @property
    def spending(self) -> Spending:
        """What all variants' calls cost."""
        total = Spending()
        for tally in self.variants.values():
            total += tally.spending
        return total


def spent(spending: Spending) -> str:
    """`$0.0120 spent`, and what else there is to say."""
    dollars = f"${spending.spent_usd:.4f} spent"
    parts = [dollars]
    if spending.n_unknown:
        parts = [f"over {dollars}, {spending.n_unknown} of unknown cost"]
        if not spending.spent_usd:
            parts = ["cost unknown"]
    if spending.n_cached:
        parts.append(f"{spending.n_cached} answers from the cache (${spending.avoided_usd:.4f})")
    return ", ".join(parts)


def forecast(tally: Tally) -> str:
    """What the pilot says of the whole run; empty if it says nothing."""
    parts = []
    cost = tally.whole_usd()
    if cost is not None and cost[1] > 0:
        parts.append(f"calls worth ${cost[0]:.4g} to ${cost[1]:.4g}")
    if tally.per_s:
        parts.append(f"about {duration(tally.n_trials / tally.per_s)}")
    return " and ".join(parts)


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h 10 min`: rough, as every guess is."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
