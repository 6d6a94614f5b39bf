"""YAML 1.2 files as plain data, with the line and column of every key and value.

The reader builds no objects: it walks ruamel's nodes. Mapping keys are always text. A document
may nest and repeat itself (aliases) only as far as a person would.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from harness.config.paths import PathError, reason, require, shown
from harness.core.values import JsonValue
from harness.errors import Problem

Location: TypeAlias = tuple[str | int, ...]
"""A way into a document: keys of mappings and indices of lists."""

Position: TypeAlias = tuple[int, int]
"""Line and column, both from 1."""

MAX_BYTES = 1_000_000
MAX_VALUES = 50_000
MAX_DEPTH = 60

_TAG = "tag:yaml.org,2002:"
_AS_TEXT = frozenset({"str", "timestamp", "value", "merge"})
_UNSAFE_TEXT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """A document, and where in its file everything stands.

    Values that could not be read (`unreadable`) are None in `data`; their problems are told.
    `files` names the file of what `extends` brought in from another one.
    """

    path: Path
    data: JsonValue
    keys: dict[Location, Position] = field(repr=False)
    values: dict[Location, Position] = field(repr=False)
    unreadable: frozenset[Location] = frozenset()
    files: Mapping[Location, Path] = field(default_factory=dict, repr=False)

    @property
    def folder(self) -> Path:
        """The folder that the document's relative paths start from."""
        return self.path.parent

    def value(self, at: Location) -> JsonValue:
        """The value at a location that the document has."""
        found = self.data
        for part in at:
            found = found[part]
        return found

    def folder_of(self, location: Location) -> Path:
        """The folder that a path written at `location` starts from."""
        return self.files.get(location, self.path).parent

    def where(self, location: Location = (), *, key: bool = False) -> str:
        """`file:line:column` of the value at `location`, or of the key that holds it.

        What is not in the document is shown at the nearest place around it that is.
        """
        while location and location not in self.values:
            location = location[:-1]
        position = self.values.get(location, (1, 1))
        if key:
            position = self.keys.get(location, position)
        file = self.files.get(location, self.path)
        return f"{shown(file)}:{position[0]}:{position[1]}"


def read_yaml(path: Path, problems: list[Problem]) -> Source | None:
    """The mapping in a YAML file; None if there is none. Adds what is wrong to `problems`.

    A document with duplicate keys or values that cannot be read is still returned, without
    them, so that the rest can be checked in the same go.
    """
    text = _read_text(path, problems)
    if text is None:
        return None
    node = _compose(path, text, problems)
    if node is None:
        return None
    walk = _Walk(path, problems)
    try:
        data = walk.plain(node, ())
    except _TooMuchError as error:
        problems.append(Problem(_where(path, node.start_mark), str(error)))
        return None
    if not isinstance(data, dict):
        problems.append(
            Problem(_where(path, node.start_mark), "the file must hold a mapping (key: value)")
        )
        return None
    return Source(path, data, walk.keys, walk.values, frozenset(walk.unreadable))


def dotted(place: Location) -> str:
    """`variants[0].recorded`, as a reader would point at it."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def children(value: JsonValue) -> Iterator[tuple[str | int, JsonValue]]:
    """The values in a mapping or a list, each with its key or index."""
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def position_of(text: str, index: int) -> Position:
    """Line and column, from 1, of the character at `index`."""
    line = text.count("\n", 0, index) + 1
    return line, index - (text.rfind("\n", 0, index) + 1) + 1


def undecodable(raw: bytes, error: UnicodeDecodeError) -> tuple[int, int, str]:
    """Line, column and description of the byte in `raw` that is not UTF-8."""
    before = raw[: error.start].decode()
    line, column = position_of(before, len(before))
    return line, column, f"byte 0x{raw[error.start]:02x} is not UTF-8 text"


class _TooMuchError(Exception):
    """The document nests too deep, or its aliases expand to too much."""


def _read_text(path: Path, problems: list[Problem]) -> str | None:
    try:
        require(path, "file")
        raw = path.read_bytes()
    except PathError as error:
        problems.append(Problem(shown(path), error.what, error.hint))
        return None
    except OSError as error:
        problems.append(Problem(shown(path), reason(error)))
        return None
    if len(raw) > MAX_BYTES:
        problems.append(
            Problem(f"{shown(path)}:1:1", f"a configuration file of {len(raw)} bytes is too large")
        )
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column, what = undecodable(raw, error)
        problems.append(Problem(f"{shown(path)}:{line}:{column}", what, "save the file as UTF-8"))
        return None


def _compose(path: Path, text: str, problems: list[Problem]) -> Any:
    """The document's root node, or None with a problem added."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    place, what, hint = f"{shown(path)}:1:1", "", ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice is legal YAML
            node = YAML(typ="safe", pure=True).compose(text)
        if node is not None:
            return node
        what = "the file is empty"
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _where(path, mark) if mark else place
        parts = (error.context, error.problem)
        what = "broken YAML: " + ", ".join(part for part in parts if part)
        hint = "indent with spaces, not tabs" if "'\\t'" in str(error.problem) else ""
    except ReaderError as error:
        line, column = position_of(text, text.find(chr(error.character)))
        place = f"{shown(path)}:{line}:{column}"
        what = f"the control character #x{error.character:02x} is not allowed in YAML"
    except RecursionError:
        what = f"the document nests deeper than {MAX_DEPTH} levels"
    except (YAMLError, ValueError) as error:
        what = f"broken YAML: {error}"
    problems.append(Problem(place, what, hint))
    return None


@dataclass(slots=True)
class _Walk:
    """One walk over a document's nodes: plain values and their places."""

    path: Path
    problems: list[Problem]
    keys: dict[Location, Position] = field(default_factory=dict)
    values: dict[Location, Position] = field(default_factory=dict)
    unreadable: set[Location] = field(default_factory=set)
    n_merged: int = 0

    def plain(self, node: Any, location: Location) -> JsonValue:
        if len(location) > MAX_DEPTH:
            raise _TooMuchError(f"the document nests deeper than {MAX_DEPTH} levels")
        _limit(len(self.values))
        self.values[location] = _position(node.start_mark)
        if node.id == "mapping":
            return self._mapping(node, location)
        if node.id == "sequence":
            return [self.plain(item, (*location, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, location)

    def _mapping(self, node: Any, location: Location) -> dict[str, JsonValue]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                self._problem(key_node, "a key must be text, not a list or a mapping")
            elif _kind(key_node) == "merge":
                for pair in self._merged(value_node):
                    merged.setdefault(pair[0].value, pair)
            elif key_node.value in own:
                first = _position(own[key_node.value][0].start_mark)
                self._problem(
                    key_node, f"duplicate key '{key_node.value}' (first on line {first[0]})"
                )
            else:
                own[key_node.value] = (key_node, value_node)
        result = {}
        for key, (key_node, value_node) in {**merged, **own}.items():
            place = (*location, key)
            self.keys[place] = _position(key_node.start_mark)
            result[key] = self.plain(value_node, place)
        return result

    def _merged(self, node: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
        """The pairs that `<<: *alias` or `<<: [*a, *b]` adds, the stronger first."""
        if depth > MAX_DEPTH:
            raise _TooMuchError(f"the document nests deeper than {MAX_DEPTH} levels")
        for mapping in node.value if node.id == "sequence" else [node]:
            if mapping.id != "mapping":
                self._problem(mapping, "only a mapping can be merged with <<")
                continue
            self.n_merged += 1 + len(mapping.value)
            _limit(self.n_merged)
            pairs = [(k, v) for k, v in mapping.value if k.id == "scalar"]
            yield from (pair for pair in pairs if _kind(pair[0]) != "merge")
            for key, value in pairs:
                if _kind(key) == "merge":
                    yield from self._merged(value, depth + 1)

    def _scalar(self, node: Any, location: Location) -> JsonValue:
        try:
            return _scalar_value(_kind(node), node.value)
        except ValueError as error:
            name = next((f"{part}: " for part in location[::-1] if isinstance(part, str)), "")
            self._problem(node, f"{name}{error}")
            self.unreadable.add(location)
            return None

    def _problem(self, node: Any, what: str) -> None:
        self.problems.append(Problem(_where(self.path, node.start_mark), what))


def _limit(n_values: int) -> None:
    if n_values > MAX_VALUES:
        raise _TooMuchError(f"the document holds (or expands to) over {MAX_VALUES} values")


def _kind(node: Any) -> str:
    """The YAML type of a scalar: `int`, `str` ...; a foreign tag as it is."""
    return str(node.tag).removeprefix(_TAG)


def _scalar_value(kind: str, text: str) -> JsonValue:
    if kind in _AS_TEXT:
        if _UNSAFE_TEXT.search(text):
            raise ValueError("text may not hold NUL or half of a surrogate pair")
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return _whole_number(text.replace("_", ""))
    if kind == "float":
        return _finite(text.replace("_", ""))
    raise ValueError(f"the tag '{kind}' is not allowed; only plain YAML values are read")


def _whole_number(text: str) -> int:
    try:
        based = text.lstrip("+-")[:2].lower() in {"0x", "0o", "0b"}
        return int(text, 0 if based else 10)
    except ValueError:
        raise ValueError(f"'{text[:40]}' is not a whole number") from None


def _finite(text: str) -> float:
    try:
        number = float(text.replace(".inf", "inf").replace(".nan", "nan").replace(".NaN", "nan"))
    except ValueError:
        raise ValueError(f"'{text[:40]}' is not a number") from None
    if not math.isfinite(number):
        raise ValueError("numbers must be finite, not NaN or infinite")
    return number


def _position(mark: Any) -> Position:
    return mark.line + 1, mark.column + 1


def _where(path: Path, mark: Any) -> str:
    line, column = _position(mark)
    return f"{shown(path)}:{line}:{column}"
