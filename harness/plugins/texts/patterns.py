"""Regular expressions from a config, on hostile text: the `regex` package, with a time limit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

Flag: TypeAlias = Literal["ignorecase", "multiline", "dotall"]

TIMEOUT_S = 1.0
"""How long one search may take. A pattern that needs longer is catastrophic on that text."""


def compile_pattern(pattern: str, flags: Iterable[Flag] = ()) -> Any:
    """The compiled pattern (a `regex.Pattern`, which has no published types).

    Raises:
        ValueError: if the pattern is wrong; the message says where.
    """
    import regex

    bits = regex.VERSION0
    for flag in flags:
        bits |= {"ignorecase": regex.I, "multiline": regex.M, "dotall": regex.S}[flag]
    try:
        return regex.compile(pattern, bits)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}") from None


def _compiles(pattern: str) -> str:
    compile_pattern(pattern)
    return pattern


Pattern: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]
"""A regular expression as a scorer's option, checked when the config is read."""
