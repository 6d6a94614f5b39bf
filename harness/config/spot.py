"""A place in a variant's document: problems are told of it, and paths start from its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.config.paths import PathError, require, resolve
from harness.config.source import Location, Source, dotted
from harness.errors import Problem


@dataclass(frozen=True, slots=True)
class Spot:
    """The value at `at` of a document; `problems` gets what is wrong with it."""

    source: Source
    at: Location
    problems: list[Problem]

    def inside(self, *keys: str | int) -> Spot:
        """The value under `keys` of this one."""
        return Spot(self.source, (*self.at, *keys), self.problems)

    def where(self) -> str:
        """`file:line:column`."""
        return self.source.where(self.at)

    @property
    def name(self) -> str:
        """The place as a reader would point at it: `route.rules[0].when`."""
        return dotted(self.at)

    @property
    def is_written(self) -> bool:
        """Whether the document has a value there."""
        return self.at in self.source.values

    @property
    def folder(self) -> Path:
        """The folder of the file that the value, or the nearest thing around it, is written in."""
        at = self.at
        while at and at not in self.source.values:
            at = at[:-1]
        return self.source.folder_of(at)

    def tell(self, what: str, hint: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(self.where(), what, hint))

    def path(self, text: str, kind: Literal["file", "folder"], noun: str) -> Path | None:
        """The file or folder that `text`, written here, names; None, with a problem, if none."""
        try:
            path = resolve(text, self.folder)
            require(path, kind)
        except PathError as error:
            self.tell(f"{noun} {text} {error.what}", error.hint)
            return None
        return path
