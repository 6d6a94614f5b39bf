"""Files that are there whole or not at all, and their hashes."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeVar

from harness.errors import InputError, Problem

_T = TypeVar("_T")


def write_atomically(path: Path, text: str | Callable[[TextIO], None]) -> None:
    """Write `text` to `path` so that a reader, or a crash, sees the old file or the new one.

    A long text comes as a function that writes it to a handle piece by piece.

    Raises:
        OSError: if the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
            if callable(text):
                text(file)
            else:
                file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file or folder survive a power failure, where the system can."""
    if os.name == "nt":
        return  # Windows opens no folders, and flushes on close
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_pinned(path: Path, read: Callable[[], _T]) -> tuple[_T, str]:
    """What `read` makes of the file at `path`, and the sha256 of just what it read.

    Raises:
        InputError: if the file cannot be read, or changes meanwhile.
    """
    try:
        before = _state(path)
        content = sha256(path)
        found = read()
        after = _state(path)
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from error
    if after != before:
        raise InputError(Problem(str(path), "changed while it was read", "run the command again"))
    return found, content


def _state(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
