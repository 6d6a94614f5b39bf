"""A run's records, gone through without all of them being in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.prices import Price, PriceBook
from harness.core.record import Answer, AnswerPath, Failure, Record, Stage, Step, Trace
from harness.core.slots import Slots
from harness.experiment.ended import EndedTrials
from harness.experiment.records import KeptRecords, MergedRecords
from harness.storage.journal import Journal, create, reopen

SLOTS = Slots.of(["a", "b"], ["e0", "e1", "e2"], 2)
KEYS = [(v, e, r) for e in SLOTS.examples for v in SLOTS.variants for r in range(2)]
"""In run order."""


def record(variant: str, example_id: str, repeat: int, *, lost: bool = False) -> Record:
    outcome = Failure(infrastructure=True, error_kind="timeout") if lost else Answer("x", (), ())
    step = Step(Stage.GENERATE, 0.0, 1.0, None, detail={"model": "http/m"})
    trace = Trace((step,), calls=1, attempts=1, began_s=float(repeat))
    return Record(variant, example_id, repeat, outcome, AnswerPath.WARM, 1.0, trace=trace)


def keys(records: Iterator[Record]) -> list[tuple[str, str, int]]:
    return [(one.variant, one.example_id, one.repeat) for one in records]


@pytest.fixture(name="journal")
def _journal(tmp_path: Path) -> Iterator[Journal]:
    with create(tmp_path, {}) as journal:
        yield journal


@pytest.fixture(name="ended")
def _ended(journal: Journal) -> EndedTrials:
    return EndedTrials(journal, SLOTS)


def test_records_stand_in_run_order_however_they_ended(ended: EndedTrials) -> None:
    for key in [*KEYS[1::2][::-1], *KEYS[::2]]:
        ended.keep(record(*key))
    records = KeptRecords(ended, PriceBook())
    assert len(records) == len(KEYS)
    assert keys(iter(records)) == keys(iter(records)) == KEYS
    assert record(*KEYS[3]) in records
    assert record(*KEYS[3], lost=True) not in records


def test_what_was_lost_is_kept_and_run_again(ended: EndedTrials, journal: Journal) -> None:
    first, second = KEYS[:2]
    ended.keep(record(*first))
    ended.keep(record(*second, lost=True))
    assert (ended.n_kept, ended.n_done, ended.n_lost) == (2, 1, 1)
    assert (ended.is_done(first), ended.is_done(second)) == (True, False)
    assert keys(iter(KeptRecords(ended, PriceBook(), lost=False))) == [first]
    journal.close()
    with reopen(journal.path.parent) as found:
        later = EndedTrials(found, SLOTS)
        assert (later.n_kept, later.n_done) == (2, 1)
        later.keep(record(*second))
        assert (later.n_kept, later.n_done, later.n_lost) == (2, 2, 0)
        assert list(KeptRecords(later, PriceBook())) == [record(*first), record(*second)]


def test_machines_paid_by_the_hour_are_priced_when_all_have_ended(ended: EndedTrials) -> None:
    a_dollar_a_second = PriceBook(own={"http/m": Price(usd_per_hour=3600.0)})
    for repeat in (1, 0):
        ended.keep(record("a", "e0", repeat))
    found = KeptRecords(ended, a_dollar_a_second)
    assert [one.cost_usd for one in found] == pytest.approx([1.0, 1.0])  # one after the other


def test_recorded_and_live_records_are_one_run(ended: EndedTrials) -> None:
    live = [key for key in KEYS if key[0] == "a"]
    for key in live:
        ended.keep(record(*key))
    recorded = tuple(record(*key) for key in KEYS if key not in live)
    kept = KeptRecords(ended, PriceBook())
    both = MergedRecords(SLOTS, recorded, kept)
    assert keys(iter(both)) == KEYS
    assert len(both) == len(KEYS)
    assert keys(iter(MergedRecords(SLOTS, (), kept))) == live
    assert list(MergedRecords(SLOTS, recorded, ())) == list(recorded)
