"""`labels.jsonl` in a run's folder: what people said of pairs of answers, a line for each label.

Lines are only ever added. A later label of the same reviewer on the same pair counts in the place
of the earlier one, and a withdrawn one takes it back. Each line is a row of the votes that
`harness.config.verdicts` reads, with fields of its own beside them. The file is not sealed: people
go on after a run has ended.

Any number of processes may add to it: each holds a lock on the file while it writes a line. A line
is on the disk when `append` returns. One that was cut off (the power went) is stepped over: the
label after it carries `after_torn_line`, so that no other damage passes for that.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from harness.core.label import WINNERS, Label, Winner
from harness.core.values import JsonValue, parse_json
from harness.errors import InputError, Problem
from harness.files import sync
from harness.storage.text import json_text

LABELS = "labels.jsonl"

_AFTER_TORN = "after_torn_line"
_TAIL_BYTES = 1 << 20
"""More than the longest line."""
_HINT = "restore the line, or take it out; every other label is kept"


def read_labels(path: Path) -> tuple[Label, ...]:
    """The label that counts of every reviewer and pair, in the order in which they were begun.

    Without a file there are none.

    Raises:
        InputError: if a line is no label. One that was cut off while it was written is passed over.
        OSError: if the file cannot be read.
    """
    last: dict[object, Label] = {}
    torn = 0
    for number, text in enumerate(_content(path).split(b"\n"), 1):
        if not text.strip():
            continue
        line = _parsed(text)
        if torn and not (line and line.get(_AFTER_TORN)):
            raise _damaged(path, torn)
        torn = 0 if line else number
        if line is None:
            continue
        try:
            label = _label(line)
        except (KeyError, TypeError, ValueError):
            raise _damaged(path, number) from None
        last[label.key] = label
    return tuple(label for label in last.values() if not label.withdrawn)


@dataclass(frozen=True, slots=True)
class LabelFile:
    """The labels of one run, read and added to."""

    path: Path

    def read(self) -> tuple[Label, ...]:
        """As `read_labels`."""
        return read_labels(self.path)

    def append(self, label: Label) -> None:
        """Add a label; it is on the disk on return.

        Raises:
            OSError: if it cannot be written; the labels are then those that they were.
        """
        with FileIO(self.path, "a+") as file, _locked(file):
            end = file.seek(0, os.SEEK_END)
            mark, line = _mend(file, end), _line(label)
            if mark == _CUT:
                line[_AFTER_TORN] = True
            data = (("" if mark is None else "\n") + json_text(line) + "\n").encode()
            try:
                written = 0
                while written < len(data):
                    written += file.write(data[written:])
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.truncate(end)
                raise
        if not end:
            sync(self.path.parent)

    def require_writable(self) -> None:
        """Find out now whether labels can be kept.

        Raises:
            InputError: if not.
        """
        try:
            if self.path.exists():
                FileIO(self.path, "a").close()
            else:
                probe = self.path.with_name(f".{LABELS}.{secrets.token_hex(4)}")
                probe.touch(exist_ok=False)
                probe.unlink()
        except OSError as error:
            what = f"labels cannot be written there: {error.strerror}"
            hint = "review a run in a folder of your own: copy it, or ask for the right to write"
            raise InputError(Problem(str(self.path), what, hint)) from None


_WHOLE, _CUT = "whole", "cut"


def _mend(file: FileIO, end: int) -> str | None:
    """What the last line lacks: None if nothing, its end alone, or a part of it."""
    if not end:
        return None
    start = max(0, end - _TAIL_BYTES)
    file.seek(start)
    tail = (file.read(end - start) or b"").rpartition(b"\n")[2]
    if not tail:
        return None
    return _CUT if _parsed(tail) is None else _WHOLE


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _parsed(text: bytes) -> dict[str, JsonValue] | None:
    """The object on a line; None if it is none, as a part of one is none."""
    try:
        line = parse_json(text.decode("utf-8"))
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _line(label: Label) -> dict[str, JsonValue]:
    line: dict[str, JsonValue] = {
        "id": label.example,
        "judge": label.reviewer,
        "model_a": label.pair[0],
        "model_b": label.pair[1],
        "winner": label.winner,
        "swapped": label.swapped,
        "repeat": label.repeat,
        "quote": label.comment,
        "criteria": dict(label.criteria),
        "revealed": label.revealed,
        "at": label.at,
        "session": label.session,
    }
    return line | {"withdrawn": True} if label.withdrawn else line


def _label(line: Mapping[str, JsonValue]) -> Label:
    """The label of a line.

    Raises:
        KeyError, TypeError, ValueError: if it is none.
    """
    winner = line["winner"]
    return Label(
        example=_text(line["id"]),
        reviewer=_text(line["judge"]),
        pair=(_text(line["model_a"]), _text(line["model_b"])),
        winner=None if winner is None else _winner(winner),
        swapped=_flag(line["swapped"]),
        repeat=int(line.get("repeat", 0)),
        comment=_text(line.get("quote", "")),
        criteria={name: _winner(said) for name, said in line.get("criteria", {}).items()},
        revealed=_flag(line.get("revealed", False)),
        withdrawn=_flag(line.get("withdrawn", False)),
        at=_text(line.get("at", "")),
        session=_text(line.get("session", "")),
    )


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: JsonValue) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _winner(value: JsonValue) -> Winner:
    return WINNERS[WINNERS.index(value)]


def _damaged(path: Path, line: int) -> InputError:
    return InputError(Problem(f"{path}:{line}", "this line is no label", _HINT))


@contextmanager
def _locked(file: FileIO) -> Iterator[None]:
    """Nobody else adds a line meanwhile; closing the file lets go of it, however a process ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    fcntl.flock(file.fileno(), fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
