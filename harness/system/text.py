"""Texts of bounded length, JSON of bounded size and depth."""

from __future__ import annotations

import json

from harness.core.values import JsonValue, encodable, parse_json

KEPT_CHARS = 200_000
"""How much of each prompt, answer and tool result a record keeps."""

READ_CHARS = 1_000_000
"""The longest output that is read. Parsing and validating take time that grows with it."""

READ_DEPTH = 100
"""The deepest nesting that is read."""


def bounded(text: str, limit: int = KEPT_CHARS) -> str:
    """`text`, or its first `limit` characters and a mark that says how much is left out.

    Halves of surrogate pairs are replaced: what a model or a document says must be sendable.
    """
    if len(text) > limit:
        text = f"{text[:limit]}\n[cut: {len(text) - limit} more characters]"
    return encodable(text)


def read_json(text: str, *, allow_fence: bool = False) -> JsonValue:
    """The JSON value that a text of a model or a tool is.

    Args:
        text: at most `READ_CHARS` characters.
        allow_fence: take off a Markdown code block around the whole.

    Raises:
        ValueError: if it is no JSON, or too long or nested too deep; the message says so.
    """
    if len(text) > READ_CHARS:
        raise ValueError(f"{len(text)} characters, more than the {READ_CHARS} that are read")
    try:
        value = parse_json(_inside_fence(text) if allow_fence else text)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    return _checked(value, READ_DEPTH)


def _checked(value: JsonValue, depth: int) -> JsonValue:
    """`value` with only characters that UTF-8 can hold."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict | list) and depth == 0:
        raise ValueError(f"it nests deeper than {READ_DEPTH} levels")
    if isinstance(value, dict):
        return {encodable(key): _checked(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_checked(item, depth - 1) for item in value]
    return value


def _inside_fence(text: str) -> str:
    stripped = text.strip()
    first, newline, rest = stripped.partition("\n")
    if first.startswith("```") and "`" not in first[3:] and newline and rest.endswith("```"):
        return rest[:-3]
    return text
