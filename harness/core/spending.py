"""What a run was billed, and what it would have been billed without answers kept from before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.core.record import Record


@dataclass(slots=True)
class Spending:
    """US dollars of calls, told apart by whether they were made or answered from the cache.

    `n_unknown` calls were made whose cost is not known, so that more was spent than `spent_usd`.
    """

    spent_usd: float = 0.0
    avoided_usd: float = 0.0
    n_cached: int = 0
    n_unknown: int = 0

    def __iadd__(self, other: Spending) -> Spending:
        """Count another's calls too."""
        self.spent_usd += other.spent_usd
        self.avoided_usd += other.avoided_usd
        self.n_cached += other.n_cached
        self.n_unknown += other.n_unknown
        return self

    def add(self, record: Record) -> None:
        """Count a trial's calls."""
        for step in record.trace.steps if record.trace else ():
            if step.detail.get("cached"):
                self.n_cached += 1
                self.avoided_usd += step.cost_usd or 0.0
            elif step.cost_usd is None:
                self.n_unknown += 1
            else:
                self.spent_usd += step.cost_usd


def total_cost(records: Iterable[Record]) -> Spending:
    """What the trials of a run cost together."""
    total = Spending()
    for record in records:
        total.add(record)
    return total
