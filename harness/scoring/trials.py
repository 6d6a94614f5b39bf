"""What every trial took, in columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from harness.core.record import AnswerPath, Failure, Record, Status
from harness.core.score import TrialTable
from harness.core.slots import Slots
from harness.scoring.operations import Operations

_STATUS = {Status.OK: 0, Status.SYSTEM_FAILURE: 1, Status.INFRASTRUCTURE_FAILURE: 2}
_PATH = {
    AnswerPath.COLD: 1,
    AnswerPath.WARM: 2,
    AnswerPath.CACHED: 3,
    AnswerPath.RECORDED: 4,
}


def trial_table(
    variants: Sequence[str],
    example_ids: Sequence[str],
    n_repeats: int,
    records: Collection[Record],
) -> TrialTable:
    """What all records took, of shape (variants, examples, repeats).

    Raises:
        KeyError: if a record is of an unknown variant or example.
        ValueError: if a record's repeat is not below `n_repeats`.
    """
    live = any(record.trace is not None for record in records)
    columns = TrialColumns(Slots.of(variants, example_ids, n_repeats), live=live)
    for record in records:
        columns.add(record)
    return columns.table()


class TrialColumns:
    """The columns of a `TrialTable` while they are being collected; `live` if any trial is."""

    def __init__(self, slots: Slots, *, live: bool) -> None:
        n = len(slots)
        self._slots = slots
        self._status, self._path = np.full(n, -1, np.int8), np.zeros(n, np.int8)
        self._latency_s, self._cost_usd = np.full(n, np.nan), np.full(n, np.nan)
        self._error_kinds: dict[str, Counter[str]] = {}
        self._operations = Operations(slots) if live else None

    def seen(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records, each taken while it passes."""
        for record in records:
            self.add(record)
            yield record

    def add(self, record: Record) -> None:
        """Take a trial."""
        slot = self._slots.index(record.variant, record.example_id, record.repeat)
        self._status[slot] = _STATUS[record.status]
        self._path[slot] = _PATH[record.path]
        if record.latency_s is not None:
            self._latency_s[slot] = record.latency_s
        if record.cost_usd is not None:
            self._cost_usd[slot] = record.cost_usd
        if isinstance(record.outcome, Failure) and record.outcome.error_kind:
            kinds = self._error_kinds.setdefault(record.variant, Counter())
            kinds[record.outcome.error_kind] += 1
        if self._operations is not None:
            self._operations.add(slot, record)

    def table(self) -> TrialTable:
        """All that were taken."""
        shape = self._slots.shape
        return TrialTable(
            tuple(self._slots.variants),
            tuple(self._slots.examples),
            self._status.reshape(shape),
            self._path.reshape(shape),
            self._latency_s.reshape(shape),
            self._cost_usd.reshape(shape),
            self._error_kinds,
            self._operations.table() if self._operations else None,
        )
