"""What a run has done so far, line by line, so that it can go on after any end.

`journal.jsonl` in the run's folder. The first line is the header: what the run is of. Each further
one is a trial that has ended (the columns of `trials.parquet` that are known of it) or an event.
Once a run is finished, its trials are in that table, and the journal, if any, says so. A line is
handed to the system in one piece as soon as its trial ends, so a killed process loses none; twice
a second at most, what was written is made to survive a power failure too.

One process at a time writes a run: it holds a lock on the file, which the system lets go of when
the process ends, however it ends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

from harness.core.record import Record, Status
from harness.core.values import JsonValue
from harness.errors import InputError, Problem
from harness.files import write_atomically
from harness.storage import tables
from harness.storage.text import json_text

JOURNAL = "journal.jsonl"
FORMAT = "harness.journal/1"
_FINISHED = "finished"
_SYNC_S = 0.5
_NOTHING: Mapping[str, None] = dict.fromkeys(tables.TRIAL_COLUMNS)


@dataclass(slots=True)
class Journal:
    """The open journal of a run.

    `records` are those that had ended when it was opened; `events` are all that befell the run;
    `n_kept` counts the trials that were added and not lost.
    """

    path: Path
    header: Mapping[str, Any]
    records: tuple[Record, ...] = ()
    events: list[dict[str, JsonValue]] = field(default_factory=list)
    n_kept: int = 0
    _descriptor: int = -1
    _synced_s: float = field(default_factory=monotonic)

    @property
    def run_id(self) -> str:
        """The name of the run's folder."""
        return self.path.parent.name

    def add(self, record: Record) -> None:
        """Keep a trial.

        Raises:
            OSError: if the disk is full or the file cannot be written; the journal is whole still.
        """
        values = tables.trial_values(self.run_id, record)
        known = {key: value for key, value in values.items() if value is not None}
        del known["run_id"]
        self._write(known)
        self.n_kept += record.status is not Status.INFRASTRUCTURE_FAILURE

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
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def rest(self) -> None:
        """Keep the header and the events alone: the trials are in the run's table."""
        lines = [self.header, *self.events, {"event": _FINISHED}]
        self.close()
        write_atomically(self.path, "".join(json_text(line) + "\n" for line in lines))

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

    def _write(self, line: Mapping[str, JsonValue]) -> None:
        data = (json_text(line) + "\n").encode()
        before = os.fstat(self._descriptor).st_size
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise
        if monotonic() - self._synced_s > _SYNC_S:
            os.fsync(self._descriptor)
            self._synced_s = monotonic()


def create(folder: Path, header: Mapping[str, JsonValue]) -> Journal:
    """Begin the journal of a new run.

    Raises:
        OSError: if the file cannot be written.
    """
    path = folder / JOURNAL
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
    journal = Journal(path, {"format": FORMAT, **header}, _descriptor=os.open(path, flags, 0o666))
    _lock(journal)
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
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        what = f"there is nothing to resume: it has no {JOURNAL}"
        raise InputError(Problem(str(folder), what, "run the experiment anew")) from None
    journal = Journal(path, {}, _descriptor=descriptor)
    try:
        _lock(journal)
        content = path.read_bytes()
        end = content.rfind(b"\n") + 1
        os.ftruncate(descriptor, end)
        lines = _lines(path, content[:end])
        header = next(lines, {})
        if header.get("format") != FORMAT:
            found = header.get("format")
            what = f"its format is {found!r}, not {FORMAT!r}" if found else "it has no header"
            hint = "run the experiment anew, and delete this folder"
            raise InputError(Problem(str(path), what, hint))
        journal.header = header
        journal.records = tuple(_ended(path, lines, journal.events))
    except BaseException:
        os.close(descriptor)
        raise
    return journal


def _lines(path: Path, content: bytes) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(content.splitlines(), 1):
        try:
            found = json.loads(line)
        except ValueError:
            raise _damaged(path, number) from None
        if not isinstance(found, dict):
            raise _damaged(path, number)
        yield found


def _ended(
    path: Path, lines: Iterator[dict[str, Any]], events: list[dict[str, JsonValue]]
) -> Iterator[Record]:
    """The trials that have ended; the events go to `events`."""
    for number, line in enumerate(lines, 2):
        if line.get("event") == _FINISHED:
            found = tables.read_trials(path.with_name(tables.TRIALS))
            yield from (record for record in found if record.trace is not None)
        elif "event" in line:
            events.append(line)
        else:
            try:
                yield tables.record_of({**_NOTHING, **line})
            except (KeyError, TypeError, ValueError):
                raise _damaged(path, number) from None


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
        fcntl.flock(journal._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        folder = journal.path.parent
        hint = "wait for it to end, or stop it"
        raise InputError(
            Problem(str(folder), "another process is writing this run", hint)
        ) from None
