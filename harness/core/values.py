"""JSON values, tool calls, and the one canonical way to write and hash them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

JsonValue: TypeAlias = Any
"""Anything `json.loads` can return: dict, list, str, int, float, bool or None."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool: its name and its arguments by name."""

    name: str
    arguments: Mapping[str, JsonValue]


def canonical_json(value: JsonValue) -> str:
    """`value` as JSON text that does not depend on key order or spacing.

    Raises:
        ValueError: if a number is NaN or infinite.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def fingerprint(value: JsonValue) -> str:
    """The sha256 of `canonical_json(value)`, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def as_text(value: JsonValue) -> str:
    """A JSON value as the text that a reader would compare: strings as they are."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


class Absent:
    """The type of `ABSENT`: a path that leads nowhere, as distinct from a null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


def look_up(value: JsonValue, path: str | None) -> JsonValue | Absent:
    """The value at a dotted path such as `answer.items.0`, or `ABSENT`.

    An empty path or None gives the value itself. A key that itself holds dots is found
    before its parts are tried.
    """
    if not path:
        return value
    if isinstance(value, (dict, Mapping)):  # dict first: asking an abstract class is slow
        if path in value:
            return value[path]
        head, _, rest = path.partition(".")
        return look_up(value[head], rest) if head in value else ABSENT
    if isinstance(value, Sequence) and not isinstance(value, str):
        head, _, rest = path.partition(".")
        if head.isdecimal() and int(head) < len(value):
            return look_up(value[int(head)], rest)
    return ABSENT


def non_finite_path(value: JsonValue, path: str = "") -> str | None:
    """Where in `value` the first NaN or infinity stands, or None."""
    if isinstance(value, float) and not math.isfinite(value):
        return path or "value"
    pairs: Any = ()
    if isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    for key, item in pairs:
        found = non_finite_path(item, f"{path}.{key}" if path else str(key))
        if found:
            return found
    return None
