"""What is wrong with a data file: the first problems in full, all of them counted."""

from __future__ import annotations

from pathlib import Path

from harness.config.paths import shown
from harness.config.validate import in_order
from harness.errors import InputError, Problem

SHOWN = 20


class Findings:
    """Collects the problems of one data file: those of rows, and those of the whole.

    `n_lost` counts rows of which not even the id is known, so that nobody calls those ids missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.n_lost: float = 0
        self._whole: list[Problem] = []
        self._first: list[Problem] = []

    def add(self, line: int, what: str, hint: str = "", *, column: int = 1) -> None:
        """Note a problem on a line (from 1; a row's number in a Parquet file)."""
        self.count += 1
        if len(self._first) < SHOWN:
            self._first.append(Problem(self.where(line, column), what, hint))

    def add_lost(
        self, line: int, what: str, hint: str = "", *, column: int = 1, rows: float = 1
    ) -> None:
        """Note a problem on a line that hides the ids of so many rows."""
        self.add(line, what, hint, column=column)
        self.n_lost += rows

    def add_whole(self, what: str, hint: str = "", *, line: int = 1) -> None:
        """Note a problem of the file as a whole, which is shown however many rows have some."""
        self.count += 1
        self._whole.append(Problem(self.where(line), what, hint))

    def where(self, line: int, column: int = 1) -> str:
        """`file:line:column`."""
        return f"{shown(self.path)}:{line}:{column}"

    def problems(self) -> list[Problem]:
        """The first problems in the order of lines, and one that counts the rest."""
        more = self.count - len(self._first) - len(self._whole)
        rest = [Problem(shown(self.path), f"and {more} more problems in this file")] if more else []
        return in_order(self._whole + self._first) + rest

    def raise_if_any(self) -> None:
        """Raise all that was found.

        Raises:
            InputError: if anything was.
        """
        if self.count:
            raise InputError(self.problems())
