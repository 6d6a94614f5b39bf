"""Places inside a line of JSON, and what can be read of one that is almost JSON."""

from __future__ import annotations

import json
import math
import re

from harness.core.values import JsonValue

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<colon>\s*:)?|[{}]|-?Infinity|NaN|-?\d[\d.eE+-]*'
)


def flaws(line: str) -> list[tuple[int, str]]:
    """What makes a line of sound syntax no JSON: doubled keys, and numbers that are not finite.

    Each comes with its column, from 1: that of the key, or of the nearest key before it.
    """
    found = []
    keys: list[set[str]] = [set()]
    column = 1
    for token in _TOKEN.finditer(line):
        text = token[0]
        if token["colon"]:
            column = token.start() + 1
            if token["text"] in keys[-1]:
                found.append((column, f"duplicate key '{token['text'][:80]}'"))
            keys[-1].add(token["text"])
        elif text == "{":
            keys.append(set())
        elif text == "}":
            keys = keys[:-1] or [set()]
        elif text[0] != '"':
            wrong = _not_finite(text)
            found += [(column, wrong)] if wrong else []
    return found


def lenient(line: str) -> JsonValue:
    """The line with null for numbers that are not finite, the last of doubled keys; None if not."""
    try:
        return json.loads(
            line, parse_constant=lambda _: None, parse_float=_number, parse_int=_number
        )
    except (ValueError, RecursionError):
        return None


def column_of(line: str, path: str) -> int:
    """The column of the key at a dotted path, found by its last part; 1 if it is not there."""
    parts = re.sub(r"\[\d+\]", "", path).split(".")
    for name in (path, *reversed(parts)):
        match = re.search(rf"(?<!\\){re.escape(json.dumps(name, ensure_ascii=False))}\s*:", line)
        if match:
            return match.start() + 1
    return 1


def _not_finite(text: str) -> str:
    if text[-1] in "yN":
        return f"{text} is not a finite number"
    if _number(text) is not None:
        return ""
    whole = text.lstrip("-").isdigit()
    return f"{_size(text)} is out of range" if whole else f"the number {text[:20]} is out of range"


def _size(text: str) -> str:
    return f"a number of {len(text)} digits"


def _number(text: str) -> float | int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(text) if text.lstrip("-").isdigit() else number
