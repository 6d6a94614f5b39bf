"""The records of a run, gone through as often as needed without all of them being in memory."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping
from itertools import chain

from harness.core.prices import PriceBook
from harness.core.record import Record
from harness.core.slots import Slots
from harness.experiment.ended import EndedTrials
from harness.experiment.hours import hourly_costs_usd, priced


class KeptRecords(Collection[Record]):
    """The records of a run's ended trials in the order (example, variant, repeat).

    They are read from the journal whenever they are gone through; those that were `lost` to the
    infrastructure too, or not. Calls of machines that are paid by the hour are priced by those that
    had ended when this was made.
    """

    def __init__(self, ended: EndedTrials, prices: PriceBook, *, lost: bool = True) -> None:
        self._ended, self._lost = ended, lost
        self._costs_usd: Mapping[tuple[int, int], float] = {}
        self._costs_usd = hourly_costs_usd(self, prices)

    def __len__(self) -> int:
        return self._ended.n_kept if self._lost else self._ended.n_done

    def __iter__(self) -> Iterator[Record]:
        for which, place in enumerate(self._ended.places(lost=self._lost)):
            yield priced(self._ended.journal.read(place), which, self._costs_usd)

    def __contains__(self, record: object) -> bool:
        return any(own == record for own in self)


class MergedRecords(Collection[Record]):
    """Two collections of records, each in run order, as one that is."""

    def __init__(self, slots: Slots, *parts: Collection[Record]) -> None:
        self._slots, self._parts = slots, parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[Record]:
        parts = [part for part in self._parts if part]
        return heapq.merge(*parts, key=self._place) if len(parts) > 1 else chain(*parts)

    def __contains__(self, record: object) -> bool:
        return any(own == record for own in self)

    def _place(self, record: Record) -> tuple[int, int, int]:
        examples, variants = self._slots.examples, self._slots.variants
        return examples[record.example_id], variants[record.variant], record.repeat
