"""JSON values and tool calls: the one way to read, to write and to hash them."""

from __future__ import annotations

import hashlib
import json
import math
import re
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


UNPARSED = "__unparsed__"
"""The one argument of a call whose arguments are not a JSON object."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(text: str) -> JsonValue:
    """The JSON value that `text` is.

    Stricter than `json.loads`: a key given twice in an object, NaN, Infinity and numbers beyond
    the range of a double are no JSON.

    Raises:
        ValueError: saying what is wrong; a `json.JSONDecodeError` if it knows where.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def tool_call(value: JsonValue) -> ToolCall | None:
    """The call that `{name, arguments}` tells of; None if it names no tool.

    The chat-completions form `{function: {name, arguments}}` is read too. Arguments are an object
    or its JSON text; none at all, null and blank text stand for no arguments. Whatever else they
    are is kept as the one argument `UNPARSED`.
    """
    if isinstance(value, Mapping) and isinstance(value.get("function"), Mapping):
        value = value["function"]
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        return None
    given = value.get("arguments")
    if given is None or (isinstance(given, str) and not given.strip()):
        return ToolCall(value["name"], {})
    arguments = given
    if isinstance(given, str):
        try:
            arguments = parse_json(given)
        except ValueError:
            arguments = None
    if not isinstance(arguments, Mapping):
        arguments = {UNPARSED: given}
    return ToolCall(value["name"], arguments)


def encodable(text: str) -> str:
    """`text` with U+FFFD for every half of a surrogate pair, which no UTF-8 file can hold."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


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


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, as they are; `dataclasses.asdict` copies all they hold."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


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


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key '{key[:80]}'")
            seen.add(key)
    return result


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:20]} is out of range")
    return number


def _whole(digits: str) -> int:
    if not math.isfinite(float(digits)):
        raise ValueError(f"a number of {len(digits)} digits is out of range")
    return int(digits)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_int=_whole, parse_constant=_no_constant
)
