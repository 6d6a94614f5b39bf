"""The trials of a run that have ended, kept as they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TypeAlias

from harness.core.prices import PriceBook
from harness.core.record import Record
from harness.core.values import JsonValue
from harness.experiment.hours import with_hours
from harness.ports import Progress
from harness.storage.journal import Journal

Key: TypeAlias = tuple[str, str, int]
"""A trial: variant, example, repeat."""


class Silence:
    """Tells nobody (a `Progress`)."""

    def begin(
        self, variants: Sequence[str], n_each: int, in_flight: int, before: Sequence[Record]
    ) -> None:
        """Nothing."""

    def ended(self, record: Record) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class EndedTrials:
    """The trials of a run that have ended, on one clock."""

    def __init__(
        self,
        journal: Journal,
        done: Mapping[Key, Record],
        prices: PriceBook,
        progress: Progress,
    ) -> None:
        self.done = done
        self.in_flight: set[Key] = set()
        self._prices = prices
        self._journal, self._progress = journal, progress
        self._ended = list(done.values())
        self._before_s = max(map(_end_s, done.values()), default=0.0)
        self._zero_s = 0.0

    def start(self) -> None:
        """Let the run's clock go on from where it stood."""
        self._zero_s = perf_counter() - self._before_s

    def begin(self, key: Key) -> float:
        """Note that a trial is under way; returns when it began, in seconds on the run's clock."""
        self.in_flight.add(key)
        return perf_counter() - self._zero_s

    def interrupted(self) -> None:
        """Keep which trials were under way when the run was stopped."""
        if self.in_flight and (self.done or self._journal.n_kept):
            under_way: list[JsonValue] = [list(key) for key in sorted(self.in_flight)]
            self._journal.note("interrupted", {"in_flight": under_way})

    def keep(self, record: Record) -> None:
        """Keep a trial."""
        self.in_flight.discard((record.variant, record.example_id, record.repeat))
        self._journal.add(record)
        self._ended.append(record)
        self._progress.ended(record)

    def records(self) -> list[Record]:
        """All of them, with machines that are paid by the hour priced."""
        return with_hours(self._ended, self._prices)


def _end_s(record: Record) -> float:
    trace = record.trace
    if trace is None or trace.began_s is None:
        return 0.0
    return trace.began_s + trace.queue_s + trace.retry_wait_s + (record.latency_s or 0.0)
