"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from harness.core.values import JsonValue
from harness.errors import InputError, Problem
from harness.storage.text import json_text


def write_atomically(path: Path, text: str | Callable[[TextIO], None]) -> None:
    """Write `text` to `path` so that a reader, or a crash, sees the old file or the new one.

    A long text comes as a function that writes it to a handle piece by piece.
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


def write_json(path: Path, value: JsonValue) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomically(path, json_text(value, indent=2) + "\n")


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


def checked_name(name: str, what: str) -> str:
    """`name`, if it can safely be one folder's name.

    Raises:
        InputError: if it is empty, hidden, too long, or holds a separator or control character.
    """
    allowed = all(char.isalnum() or char in "-_.+@ " for char in name)
    if not allowed or not name.strip() or name.startswith(".") or name != name.strip():
        hint = "use letters, digits and - _ . + @, not starting with a dot"
        raise InputError(Problem("", f"{name!r} cannot name {what}", hint))
    if len(name.encode()) > 120:
        raise InputError(Problem("", f"{name[:40]!r}… is too long to name {what}"))
    return name
