"""What a run has done so far, line by line, so that it can go on after any end.

`journal.jsonl` in the run's folder. The first line is the header: what the run is of. Each further
one is a trial that has ended (the columns of `trials.parquet` that are known of it) or an event.
A line is handed to the system in one piece as soon as its trial ends, so a killed process loses
none; twice a second at most, what was written is made to survive a power failure too. The trials
of a run are nowhere else until it ends, so that memory does not grow with them.

One process at a time writes a run: it holds a lock on the file, which the system lets go of when
the process ends, however it ends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple

from harness.core.record import Record
from harness.core.values import JsonValue
from harness.errors import InputError, Problem
from harness.storage import tables
from harness.storage.text import json_text

JOURNAL = "journal.jsonl"
FORMAT = "harness.journal/1"
_SYNC_S = 0.5
_NOTHING: Mapping[str, None] = dict.fromkeys(tables.TRIAL_COLUMNS)


class Place(NamedTuple):
    """Where a line begins in the file, and how long it is, in bytes."""

    start: int
    size: int


@dataclass(slots=True)
class Journal:
    """The open journal of a run; `events` are all that befell it."""

    path: Path
    header: Mapping[str, Any]
    _file: FileIO
    events: list[dict[str, JsonValue]] = field(default_factory=list)
    _end: int = 0
    _synced_s: float = field(default_factory=monotonic)

    @property
    def run_id(self) -> str:
        """The name of the run's folder."""
        return self.path.parent.name

    def add(self, record: Record) -> Place:
        """Keep a trial; returns where it is kept.

        Raises:
            OSError: if the disk is full or the file cannot be written; the journal is whole still.
        """
        values = tables.trial_values(self.run_id, record)
        known = {key: value for key, value in values.items() if value is not None}
        del known["run_id"]
        return self._write(known)

    def read(self, place: Place) -> Record:
        """The trial that is kept at a place.

        Raises:
            OSError: if the file cannot be read.
        """
        self._file.seek(place.start)
        return _record(json.loads(self._file.read(place.size)))

    def trials(self) -> Iterator[tuple[Place, Record]]:
        """All trials that have ended, in the order in which they did.

        Raises:
            InputError: if a line is damaged.
        """
        for number, (place, line) in enumerate(_lines(self.path), 1):
            if number > 1 and "event" not in line:
                try:
                    yield place, tables.whole(_record(line))
                except (KeyError, TypeError, ValueError):
                    raise _damaged(self.path, number) from None

    def note(self, event: str, facts: Mapping[str, JsonValue]) -> None:
        """Keep something that befell the run: that it was interrupted, or gone on with.

        Raises:
            OSError: as `add` does.
        """
        noted: dict[str, JsonValue] = {"event": event, **facts}
        self._write(noted)
        self.events.append(noted)

    def close(self) -> None:
        """Let go of the file, its content on the disk."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def remove(self) -> None:
        """Close and delete it: the run is whole in its tables."""
        self.close()
        self.path.unlink()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, line: Mapping[str, JsonValue]) -> Place:
        data = (json_text(line) + "\n").encode()
        place = Place(self._end, len(data))
        try:
            written = self._file.write(data)
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError:
            self._file.truncate(place.start)
            raise
        self._end += len(data)
        if monotonic() - self._synced_s > _SYNC_S:
            os.fsync(self._file.fileno())
            self._synced_s = monotonic()
        return place


def create(folder: Path, header: Mapping[str, JsonValue]) -> Journal:
    """Begin the journal of a new run.

    Raises:
        OSError: if the file cannot be written.
    """
    path = folder / JOURNAL
    path.touch(exist_ok=False)
    journal = _opened(path)
    journal.header = {"format": FORMAT, **header}
    journal._write(journal.header)
    return journal


def reopen(folder: Path) -> Journal:
    """Open the journal of a run that has not ended well, to go on with it.

    A last line that was cut off is taken away.

    Raises:
        InputError: if there is none, another process writes it, or it is damaged.
        OSError: if the file cannot be written.
    """
    path = folder / JOURNAL
    if not path.is_file():
        what = f"there is nothing to resume: it has no {JOURNAL}"
        raise InputError(Problem(str(folder), what, "run the experiment anew"))
    journal = _opened(path)
    try:
        for place, line in _lines(path):
            journal.header = journal.header or line
            journal._end = place.start + place.size
            if "event" in line:
                journal.events.append(line)
        found = journal.header.get("format")
        if found != FORMAT:
            what = f"its format is {found!r}, not {FORMAT!r}" if found else "it has no header"
            hint = "run the experiment anew, and delete this folder"
            raise InputError(Problem(str(path), what, hint))
        journal._file.truncate(journal._end)
    except BaseException:
        journal._file.close()
        raise
    return journal


def _opened(path: Path) -> Journal:
    """The file, opened to be read and to be written at its end, and locked."""
    journal = Journal(path, {}, FileIO(path, "a+"))
    try:
        _lock(journal)
    except BaseException:
        journal._file.close()
        raise
    return journal


def _lines(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The whole lines of the file, one at a time; not what stands after the last line's end."""
    start = 0
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.endswith(b"\n"):
                return
            try:
                line = json.loads(text)
            except ValueError:
                raise _damaged(path, number) from None
            if not isinstance(line, dict):
                raise _damaged(path, number)
            yield Place(start, len(text)), line
            start += len(text)


def _record(line: Mapping[str, Any]) -> Record:
    return tables.record_of({**_NOTHING, **line})


def _damaged(path: Path, line: int) -> InputError:
    hint = "restore the file, or run the experiment anew"
    return InputError(Problem(f"{path}:{line}", "this line of the journal is damaged", hint))


def _lock(journal: Journal) -> None:
    """Make sure that nobody else writes the run.

    Raises:
        InputError: if somebody does.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(journal._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        folder = journal.path.parent
        hint = "wait for it to end, or stop it"
        raise InputError(
            Problem(str(folder), "another process is writing this run", hint)
        ) from None
