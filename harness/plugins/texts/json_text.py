"""JSON out of a model's text, strictly, and equality of JSON values."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping

from harness.core.values import JsonValue, parse_json


def parse_output(text: str, *, allow_fence: bool = False) -> JsonValue:
    """The JSON value that a model's text is, as strictly as `core.values.parse_json`.

    `allow_fence` accepts a text that is one Markdown code block.

    Raises:
        ValueError: if `text` is not JSON or is nested too deeply; the message says why.
    """
    try:
        return parse_json(_inside_fence(text) if allow_fence else text)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None


def same_json(left: JsonValue, right: JsonValue) -> bool:
    """Whether two values are equal as JSON: 1 is 1.0 but not true, the order of keys is nothing."""
    if isinstance(left, str) or isinstance(right, str):
        return bool(left == right)
    try:
        return json_key(left) == json_key(right)
    except RecursionError:
        return False


def json_key(value: JsonValue) -> Hashable:
    """A hashable value that is equal for two JSON values exactly if they are equal as JSON.

    Raises:
        RecursionError: if `value` is nested too deeply.
    """
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, Mapping):
        return ("object", frozenset((key, json_key(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return ("array", tuple(json_key(item) for item in value))
    if isinstance(value, Hashable):
        return value
    raise TypeError(f"not a JSON value: {type(value).__name__}")


def is_number(value: JsonValue) -> bool:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _inside_fence(text: str) -> str:
    stripped = text.strip()
    first, newline, rest = stripped.partition("\n")
    if first.startswith("```") and "`" not in first[3:] and newline and rest.endswith("```"):
        return rest[:-3]
    return text
