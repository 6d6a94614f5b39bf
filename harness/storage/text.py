"""Texts and JSON values as UTF-8, which is all that Parquet can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.core.values import JsonValue


def utf8(text: str) -> str:
    r"""`text`, with every lone surrogate written as the six characters of its escape (`\ud800`).

    Model output can hold half a surrogate pair; UTF-8 cannot.
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def utf8_or_none(text: str | None) -> str | None:
    """`utf8`, keeping None."""
    return None if text is None else utf8(text)


def json_text(value: JsonValue, indent: int | None = None) -> str:
    r"""`value` as JSON that UTF-8 can hold and that reads back as the same value.

    In JSON the escape of a lone surrogate is that surrogate, so nothing is lost here.

    Raises:
        ValueError: if a number is NaN or infinite.
    """
    separators = (",", ": ") if indent else (",", ":")
    return utf8(
        json.dumps(
            value,
            ensure_ascii=False,
            allow_nan=False,
            indent=indent,
            separators=separators,
            default=_plain,
        )
    )


def json_or_none(value: JsonValue) -> str | None:
    """`json_text`, keeping None."""
    return None if value is None else json_text(value)


def parse_or_none(text: str | None) -> JsonValue:
    """The value of a JSON text, keeping None."""
    return None if text is None else json.loads(text)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
