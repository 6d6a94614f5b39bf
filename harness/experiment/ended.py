"""The trials of a run that have ended: kept in its journal, known here by their places there."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any, TypeAlias

from harness.core.record import AnswerPath, Record, Status
from harness.core.slots import Slots
from harness.core.spending import Spending
from harness.core.values import JsonValue
from harness.experiment.uncosted import n_unpriced
from harness.ports import Progress
from harness.storage.journal import Journal, Place

Key: TypeAlias = tuple[str, str, int]
"""A trial: variant, example, repeat."""


class Silence:
    """Tells nobody (a `Progress`)."""

    def begin(
        self, variants: Sequence[str], n_each: int, in_flight: int, before: Collection[Record]
    ) -> None:
        """Nothing."""

    def ended(self, record: Record) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class EndedTrials:
    """The trials of a run that have ended, on one clock; at first those that its journal has.

    `n_kept` counts them, `n_done` those that were not lost to the infrastructure: what was lost is
    yet to be run again. `latency_s` are those of live answers, by variant; `spending` is that of
    every call that is paid by the token, but of the fixed requests, which cost
    `fixed_usd`; `n_unpriced` calls of theirs may have been billed nobody
    knows what, and the dearest trial was `dearest_usd`. `listener` is told of every trial that
    ends.

    Raises:
        InputError: if the journal is damaged, or of another run.
    """

    def __init__(self, journal: Journal, slots: Slots) -> None:
        self.slots = slots
        self.journal = journal
        self.in_flight: set[Key] = set()
        self.latency_s = {variant: array("d") for variant in slots.variants}
        self.spending = Spending()
        self.n_unpriced, self.dearest_usd, self.fixed_usd = 0, 0.0, 0.0
        self.n_kept = self.n_done = 0
        self.listener: Progress = Silence()
        self._start, self._size = array("q", [-1]) * len(slots), array("i", [0]) * len(slots)
        self._done = bytearray(len(slots))
        self._before_s = self._zero_s = 0.0
        for place, record in journal.trials():
            self._note(record, place)
            self._before_s = max(self._before_s, _end_s(record))
        for event in journal.events:
            if event["event"] == "sentinel":
                self._fixed(event)

    @property
    def n_lost(self) -> int:
        """How many were lost to the infrastructure, and not run again."""
        return self.n_kept - self.n_done

    @property
    def known_usd(self) -> float:
        """What is known to be spent."""
        return self.spending.spent_usd + self.fixed_usd

    def is_done(self, key: Key) -> bool:
        """Whether a trial need not be run."""
        return bool(self._done[self.slots.index(*key)])

    def start(self) -> None:
        """Let the run's clock go on from where it stood."""
        self._zero_s = perf_counter() - self._before_s

    def begin(self, key: Key) -> float:
        """Note that a trial is under way; returns when it began, in seconds on the run's clock."""
        self.in_flight.add(key)
        return self.now_s()

    def now_s(self) -> float:
        """The time on the run's clock, in seconds."""
        return perf_counter() - self._zero_s

    def measured(
        self, route: str, at_s: float, latency_s: float | None, cost_usd: float | None
    ) -> None:
        """Keep what a fixed request to a service told."""
        facts: dict[str, JsonValue] = {
            "route": route,
            "at_s": at_s,
            "latency_s": latency_s,
            "cost_usd": cost_usd,
        }
        self.journal.note("sentinel", facts)
        self._fixed(facts)

    def stopped(self, event: str, counted_usd: float | None = None) -> None:
        """Keep which trials were under way when the run was stopped, if it can be resumed.

        And of all that its budget counted (`counted_usd`) what those that have ended do not tell.
        """
        if not self.n_done:
            return
        facts: dict[str, JsonValue] = {"in_flight": [list(key) for key in sorted(self.in_flight)]}
        if counted_usd is not None:
            facts["uncosted_usd"] = max(0.0, counted_usd - self.known_usd)
            facts["n_unpriced"] = self.n_unpriced
        with suppress(OSError):  # of a full disk, for one, and that is told already
            self.journal.note(event, facts)

    def keep(self, record: Record) -> None:
        """Keep a trial."""
        self.in_flight.discard((record.variant, record.example_id, record.repeat))
        self._note(record, self.journal.add(record))
        self.listener.ended(record)

    def places(self, *, lost: bool) -> Iterator[Place]:
        """Where each is kept, in the order (example, variant, repeat); with those `lost` or not."""
        for slot in self.slots.by_example():
            if self._done[slot] or (lost and self._start[slot] >= 0):
                yield Place(self._start[slot], self._size[slot])

    def _fixed(self, facts: Mapping[str, Any]) -> None:
        self.fixed_usd += facts["cost_usd"] or 0.0
        self._before_s = max(self._before_s, facts["at_s"] + (facts["latency_s"] or 0.0))

    def _note(self, record: Record, place: Place) -> None:
        slot = self.slots.index(record.variant, record.example_id, record.repeat)
        self.n_kept += self._start[slot] < 0
        self._start[slot], self._size[slot] = place
        if record.status is not Status.INFRASTRUCTURE_FAILURE:
            self.n_done += not self._done[slot]
            self._done[slot] = True
        self.spending.add(record)
        self.n_unpriced += n_unpriced(record)
        self.dearest_usd = max(self.dearest_usd, record.cost_usd or 0.0)
        if record.path is AnswerPath.WARM and record.latency_s is not None:
            self.latency_s[record.variant].append(record.latency_s)


def _end_s(record: Record) -> float:
    trace = record.trace
    if trace is None or trace.began_s is None:
        return 0.0
    return trace.began_s + trace.queue_s + trace.retry_wait_s + (record.latency_s or 0.0)
