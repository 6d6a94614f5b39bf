"""JSON files, and names that are safe as a folder's."""

from __future__ import annotations

from pathlib import Path

from harness.core.values import JsonValue
from harness.errors import InputError, Problem
from harness.files import write_atomically
from harness.storage.text import json_text


def write_json(path: Path, value: JsonValue) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomically(path, json_text(value, indent=2) + "\n")


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
