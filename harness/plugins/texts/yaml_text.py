"""YAML files that plugins read themselves: plain JSON values, strictly, with the line of each."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.values import JsonValue

MAX_BYTES = 1_000_000
MAX_VALUES = 50_000
MAX_DEPTH = 60

_TAG = "tag:yaml.org,2002:"
_TEXT = frozenset({"str", "timestamp", "value"})
_NUMBERS = frozenset({"int", "float", "bool", "null"})


@dataclass(frozen=True, slots=True)
class YamlText:
    """A document, and the nodes that it was read from."""

    data: JsonValue
    _root: Any

    def line(self, place: tuple[str | int, ...]) -> int:
        """The line, from 1, of the value at `place`, or of the nearest one around it."""
        node = self._root
        for part in place:
            inner = _child(node, part)
            if inner is None:
                break
            node = inner
        return int(node.start_mark.line) + 1


def read_yaml_text(path: Path) -> YamlText:
    """The document in a file of at most 1 MB.

    Foreign tags, duplicate keys, merges and numbers that are not finite are refused; a date is
    text, as in JSON. Aliases may expand to what a person would write, no more.

    Raises:
        OSError: if the file cannot be read.
        ValueError: saying what is wrong with its content, and in which line.
    """
    if not path.is_file():  # reading a pipe or a device may never end
        raise ValueError("it is not a file")
    raw = path.read_bytes()
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{len(raw)} bytes are too many")
    try:
        root = _composed(raw.decode("utf-8-sig"))
        return YamlText(_Walk().plain(root), root)
    except RecursionError:
        raise ValueError(f"it nests deeper than {MAX_DEPTH} levels") from None


def _composed(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice is legal YAML
            root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{line}{error.problem or error.context}") from None
    except YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from None
    if root is None:
        raise ValueError("it is empty")
    return root


class _Walk:
    """One walk over a document's nodes."""

    def __init__(self) -> None:
        from ruamel.yaml import YAML

        self._n_values = 0
        self._scalars = YAML(typ="safe", pure=True).constructor

    def plain(self, node: Any, depth: int = 0) -> JsonValue:
        self._n_values += 1
        if depth > MAX_DEPTH:
            raise RecursionError
        if self._n_values > MAX_VALUES:
            raise _wrong(node, f"the document holds (or expands to) over {MAX_VALUES} values")
        if node.id == "mapping":
            return self._mapping(node, depth)
        if node.id == "sequence":
            return [self.plain(item, depth + 1) for item in node.value]
        return self._scalar(node)

    def _mapping(self, node: Any, depth: int) -> Mapping[str, JsonValue]:
        result: dict[str, JsonValue] = {}
        for key, value in node.value:
            if key.id != "scalar" or str(key.tag) == f"{_TAG}merge":
                raise _wrong(key, "a key must be plain text")
            if key.value in result:
                raise _wrong(key, f"duplicate key '{key.value}'")
            result[key.value] = self.plain(value, depth + 1)
        return result

    def _scalar(self, node: Any) -> JsonValue:
        kind = str(node.tag).removeprefix(_TAG)
        if kind in _TEXT:
            return node.value
        if kind not in _NUMBERS:
            raise _wrong(node, f"the tag '{kind}' is not allowed")
        try:
            value = self._scalars.construct_object(node)
        except ValueError as error:
            raise _wrong(node, str(error)) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong(node, "numbers must be finite")
        return value


def _wrong(node: Any, what: str) -> ValueError:
    return ValueError(f"line {node.start_mark.line + 1}: {what}")


def _child(node: Any, part: str | int) -> Any:
    """The node under a key or an index, or None."""
    if node.id == "sequence" and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    if node.id == "mapping":
        return next((value for key, value in node.value if key.value == part), None)
    return None
