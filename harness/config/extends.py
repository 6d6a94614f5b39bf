"""`extends:`: a variant's document with those that it extends merged in.

Given keys replace, mappings merge, null takes a key away. Every value keeps the place where it is
written, and a path starts from the file that it stands in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.config.paths import PathError, require, resolve, shown
from harness.config.source import Location, Position, Source, children, read_yaml
from harness.config.suggest import did_you_mean
from harness.core.values import JsonValue
from harness.errors import Problem

VARIANT_FILE = "variant.yaml"
MAX_CHAIN = 20
"""How many variants may extend one another in a row."""

_OWN = frozenset({"id", "label", "extends"})


class VariantFiles:
    """Documents of variant folders, each read once. `problems` gets what is wrong with any."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self._read: dict[Path, Source | None] = {}

    def named(
        self, source: Source, at: Location, text: str, chain: tuple[Path, ...] = ()
    ) -> Source | None:
        """The whole document of the variant folder that the text at `at` names.

        Args:
            source: the document that names it.
            at: where it does.
            text: the path.
            chain: the files whose `extends` led here.
        """
        try:
            folder = resolve(text, source.folder_of(at))
            require(folder, "folder")
        except PathError as error:
            what = f"the variant folder {text} {error.what}"
            self.problems.append(Problem(source.where(at), what, error.hint))
            return None
        file = real(folder)
        if file in chain:
            circle = " -> ".join(name_of(link) for link in (*chain[chain.index(file) :], file))
            what = f"variants extend one another in a circle: {circle}"
            self.problems.append(Problem(source.where(at), what))
            return None
        if len(chain) >= MAX_CHAIN:
            what = f"more than {MAX_CHAIN} variants extend one another"
            self.problems.append(Problem(source.where(at), what))
            return None
        if file not in self._read:
            own = read_yaml(folder / VARIANT_FILE, self.problems)
            whole = None if own is None else self.whole(own, (), (*chain, file))
            self._read[file] = whole[0] if whole else None
        return self._read[file]

    def whole(
        self, source: Source, at: Location, chain: tuple[Path, ...] = ()
    ) -> tuple[Source, Location] | None:
        """The variant at `at` with what it extends: a document, and where in it the variant is.

        None if a document that it extends cannot be read, which is told.
        """
        item = source.value(at)
        given = item.get("extends") if isinstance(item, dict) else None
        if not isinstance(given, str) or not given:
            return source, at
        parent = self.named(source, (*at, "extends"), given, chain)
        return None if parent is None else (self._merged(source, at, item, parent), ())

    def _merged(
        self, source: Source, at: Location, item: Mapping[str, JsonValue], parent: Source
    ) -> Source:
        merge = _Merge(source, at, parent, self.problems)
        inherited = {key: value for key, value in parent.data.items() if key not in _OWN}
        merge.spot(source, at, ())
        data = merge.mapping(item, inherited, ())
        return Source(
            source.path, data, merge.keys, merge.values, frozenset(merge.unreadable), merge.files
        )


def real(folder: Path) -> Path:
    """The file of a variant folder by one name, however it is reached."""
    return Path(os.path.realpath(folder / VARIANT_FILE))


def name_of(file: Path) -> str:
    """A variant file's folder, as chains show it."""
    return shown(file.parent)


@dataclass(slots=True)
class _Merge:
    """One merge: positions of the result, by where they stand in it."""

    own: Source
    at: Location
    parent: Source
    problems: list[Problem]
    keys: dict[Location, Position] = field(default_factory=dict)
    values: dict[Location, Position] = field(default_factory=dict)
    files: dict[Location, Path] = field(default_factory=dict)
    unreadable: set[Location] = field(default_factory=set)

    def mapping(
        self, own: Mapping[str, JsonValue], base: Mapping[str, JsonValue], to: Location
    ) -> dict[str, JsonValue]:
        result: dict[str, JsonValue] = {}
        for key in dict.fromkeys([*base, *own]):
            place = (*to, key)
            mine = (*self.at, *place)
            if key not in own:
                result[key] = self._take(self.parent, place, place, base[key])
            elif own[key] is None and mine not in self.own.unreadable:
                self._take_away(key, base, mine)
            elif isinstance(own[key], dict) and isinstance(base.get(key), dict):
                self.spot(self.own, mine, place)
                result[key] = self.mapping(own[key], base[key], place)
            else:
                result[key] = self._take(self.own, mine, place, own[key])
        return result

    def spot(self, source: Source, location: Location, to: Location) -> None:
        """Note where a value of the result is written."""
        self.values[to] = source.values[location]
        if location in source.keys:
            self.keys[to] = source.keys[location]
        if location in source.unreadable:
            self.unreadable.add(to)
        self.files[to] = source.files.get(location, source.path)

    def _take(
        self, source: Source, location: Location, to: Location, value: JsonValue
    ) -> JsonValue:
        self.spot(source, location, to)
        for key, item in children(value):
            self._take(source, (*location, key), (*to, key), item)
        return value

    def _take_away(self, key: str, base: Mapping[str, JsonValue], mine: Location) -> None:
        if key not in base:
            what = f"null takes '{key}' away, which {name_of(self.parent.path)} does not have"
            where = self.own.where(mine, key=True)
            self.problems.append(Problem(where, what, did_you_mean(key, base)))
