"""The journal of a run: what was written is there, whole, after any end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.record import Answer, AnswerPath, Record, Stage, Step, Trace
from harness.errors import InputError
from harness.storage import journal as journals
from harness.storage.journal import JOURNAL, Journal

HEADER = {"started": "2026-01-01T00:00:00Z"}


def record(example_id: str, said: str = "x") -> Record:
    steps = (Step(Stage.GENERATE, 0.0, 0.5, 0.01, detail={"text": said}),)
    trace = Trace(steps, calls=1, attempts=1, validation=None, block=3, began_s=1.5)
    return Record("v", example_id, 0, Answer(said, (), ()), AnswerPath.WARM, 0.5, 0.01, trace=trace)


@pytest.fixture(name="journal")
def _journal(tmp_path: Path) -> Iterator[Journal]:
    with journals.create(tmp_path, HEADER) as journal:
        yield journal


def again(journal: Journal) -> list[Record]:
    """The trials that another process finds."""
    journal.close()
    with journals.reopen(journal.path.parent) as found:
        return [record for _, record in found.trials()]


@given(said=st.lists(st.text(max_size=40), max_size=5))
def test_every_trial_is_read_where_it_was_kept(
    tmp_path_factory: pytest.TempPathFactory, said: list[str]
) -> None:
    records = [record(f"e{i}", text) for i, text in enumerate(said)]
    with journals.create(tmp_path_factory.mktemp("run"), HEADER) as journal:
        places = []
        for one in records:
            places.append(journal.add(one))
            journal.note("noticed", {"of": one.example_id})
        assert [journal.read(place) for place in reversed(places)] == records[::-1]
        assert list(journal.trials()) == list(zip(places, records, strict=True))


def test_a_journal_goes_on_where_it_ended(journal: Journal) -> None:
    journal.add(record("a"))
    journal.note("interrupted", {"in_flight": []})
    journal.close()
    with journals.reopen(journal.path.parent) as found:
        assert found.header == {"format": journals.FORMAT, **HEADER}
        assert found.events == [{"event": "interrupted", "in_flight": []}]
        place = found.add(record("b"))
        assert found.read(place) == record("b")
        assert [one.example_id for _, one in found.trials()] == ["a", "b"]


@pytest.mark.parametrize("torn", [b'{"variant":"v","exa', b"\x00\x00", b'{"half":1}'])
def test_a_line_that_was_cut_off_goes_and_no_other(journal: Journal, torn: bytes) -> None:
    journal.add(record("a"))
    journal.close()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + torn)
    assert again(journal) == [record("a")]
    assert journal.path.read_bytes() == whole


@pytest.mark.parametrize(
    ("line", "text"),
    [(2, "no json"), (2, "[1]"), (2, '{"variant":"v"}'), (3, '{"event"'), (1, "")],
)
def test_damage_is_named_by_its_line(journal: Journal, line: int, text: str) -> None:
    journal.add(record("a"))
    journal.add(record("b"))
    journal.close()
    lines = journal.path.read_text().splitlines()
    lines[line - 1] = text
    journal.path.write_text("".join(f"{one}\n" for one in lines))
    with pytest.raises(InputError, match=rf"{JOURNAL}:{line}: this line of the journal is damaged"):
        again(journal)


def test_damage_in_steps_is_found_before_anything_is_run(journal: Journal) -> None:
    journal.add(record("a"))
    journal.close()
    text = journal.path.read_text()
    journal.path.write_text(text.replace('\\"generate\\"', '\\"dream\\"'))
    with pytest.raises(InputError, match="damaged"):
        again(journal)


@pytest.mark.parametrize("header", ['{"format": "harness.journal/9"}', '{"started": "now"}'])
def test_another_format_is_refused(journal: Journal, header: str) -> None:
    journal.close()
    journal.path.write_text(header + "\n")
    with pytest.raises(InputError, match=r"format is 'harness.journal/9'|no header"):
        journals.reopen(journal.path.parent)


def test_an_empty_file_is_no_journal(journal: Journal) -> None:
    journal.close()
    journal.path.write_bytes(b"")
    with pytest.raises(InputError, match="it has no header"):
        journals.reopen(journal.path.parent)


def test_one_writer_at_a_time(journal: Journal) -> None:
    pytest.importorskip("fcntl", reason="files are not locked here")
    with pytest.raises(InputError, match="another process is writing this run"):
        journals.reopen(journal.path.parent)
    journal.close()
    journals.reopen(journal.path.parent).close()
