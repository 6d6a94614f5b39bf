"""Indexes kept in folders: written whole or not at all, and checked when they are read.

An entry is a folder `NAME-KEY` of files, sealed by a list of their hashes. One that is damaged, or
written by somebody who was interrupted, is built anew. Several processes may use one cache at once:
each builds what it misses, and the first to finish stays. Nothing is unpickled.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from harness.core.values import parse_json
from harness.files import sha256

_T = TypeVar("_T")

SEAL = "sealed.json"


def cached(folder: Path, name: str, load: Callable[[Path], _T]) -> _T | None:
    """An entry of the cache; None if it is not there, or not whole.

    Args:
        folder: the cache.
        name: the entry's name; it must tell all that the index depends on.
        load: reads an entry; a ValueError, KeyError or OSError says that it is damaged.
    """
    entry = folder / name
    if not _is_whole(entry):
        return None
    try:
        return load(entry)
    except (OSError, ValueError, KeyError):
        return None


def keep(folder: Path, name: str, save: Callable[[Path], None]) -> None:
    """Add an entry to the cache; does nothing if it is there, or if the folder cannot be written.

    Args:
        folder: the cache.
        name: the entry's name.
        save: writes the index into an empty folder.
    """
    with suppress(OSError):  # a full or read-only disk: the index is in memory all the same
        _keep(folder / name, save)


def _keep(entry: Path, save: Callable[[Path], None]) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    new = entry.with_name(f".{entry.name}.{secrets.token_hex(4)}")
    new.mkdir()
    try:
        save(new)
        hashes = {path.name: sha256(path) for path in sorted(new.iterdir())}
        (new / SEAL).write_text(json.dumps(hashes, indent=1), encoding="utf-8")
        if _is_whole(entry):
            return  # another process was faster
        _clear(entry)
        new.rename(entry)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _clear(entry: Path) -> None:
    """Move a damaged entry away first, so that no reader meets half of it."""
    if entry.exists():
        old = entry.with_name(f".{entry.name}.{secrets.token_hex(4)}")
        entry.rename(old)
        shutil.rmtree(old, ignore_errors=True)


def _is_whole(entry: Path) -> bool:
    try:
        hashes = parse_json((entry / SEAL).read_text(encoding="utf-8"))
        present = {path.name for path in entry.iterdir()} - {SEAL}
        return bool(hashes == {name: sha256(entry / name) for name in present})
    except (OSError, ValueError):
        return False
