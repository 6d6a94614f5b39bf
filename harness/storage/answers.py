"""Answers of models, kept between runs: `answers.sqlite` in the cache folder.

A key covers all that an answer depends on. Several processes may use the file at once (SQLite, in
its write-ahead mode). A run reads what other runs have written, not what it writes itself: two
variants that ask the same are measured both. The file can be deleted at any time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.chat import Completion, RequestedCall
from harness.core.record import Usage
from harness.core.values import fields_of
from harness.storage.text import json_text

ANSWERS = "answers.sqlite"
_WRITTEN_AT_ONCE = 100
_WAIT_S = 10.0
_TABLE = """
CREATE TABLE IF NOT EXISTS answer (key TEXT PRIMARY KEY, run TEXT NOT NULL, body TEXT NOT NULL)
WITHOUT ROWID
"""


class AnswerCache:
    """The answers of one folder, for one run (a `harness.ports.AnswerCache`)."""

    def __init__(self, folder: Path, run_id: str) -> None:
        """Open the file, or begin it.

        Raises:
            OSError: if it cannot be read or written.
        """
        self._path = folder / ANSWERS
        self._run_id = run_id
        self._unwritten: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._file = sqlite3.connect(self._path, timeout=_WAIT_S, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            with self._file:
                self._file.execute(_TABLE)
        except sqlite3.Error as error:
            raise OSError(0, _hint(error), str(self._path)) from None

    def get(self, key: str) -> Completion | None:
        """The answer that another run has kept."""
        query = "SELECT body FROM answer WHERE key = ? AND run <> ?"
        try:
            row = self._file.execute(query, (key, self._run_id)).fetchone()
            return None if row is None else _completion(json.loads(row[0]))
        except (sqlite3.Error, ValueError, KeyError, TypeError):
            return None  # a damaged answer is asked for again

    def put(self, key: str, answer: Completion) -> None:
        """Keep an answer. Those of a process that is killed may be lost to later runs."""
        kept = fields_of(answer)
        kept["calls"] = list(map(fields_of, answer.calls))
        kept["usage"] = fields_of(answer.usage)
        self._unwritten[key] = json_text(kept)
        if len(self._unwritten) >= _WRITTEN_AT_ONCE:
            self._write()

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        rows = [(key, self._run_id, body) for key, body in self._unwritten.items()]
        self._unwritten.clear()
        try:
            with self._file:
                self._file.executemany("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", rows)
        except sqlite3.Error:
            return  # it costs a later run a call, and this one nothing


def _completion(kept: Mapping[str, Any]) -> Completion:
    calls = tuple(RequestedCall(**call) for call in kept["calls"])
    return Completion(**{**kept, "calls": calls, "usage": Usage(**kept["usage"])})


def _hint(error: sqlite3.Error) -> str:
    return f"the cache of answers cannot be used: {error}; delete it, or run with --no-cache"
