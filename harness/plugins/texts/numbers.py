"""Numbers as people write them in English text."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, TypeAlias

Percent: TypeAlias = Literal["as_is", "fraction"]

_NUMBER = re.compile(
    r"""
    (?<!\w) (?<!\d\.)                       # not inside a word, nor after the point of 1.2.3
    (?P<sign> (?<![)\]}%]) [-+\u2212] )?
    [$€£¥₹]? (?P<inner_sign> [-+\u2212] )?
    (?:
      (?: (?P<whole>\d+) [ ] )? (?<!\d/) (?P<over>\d+)
      / (?P<under>(?!0+(?!\d))\d+) (?![/\d]) (?!\.\d)
    |
      (?P<digits> (?: \d{1,3} (?:[,\u00a0\u202f\u2009]\d{3})+ (?!\d) | \d+ ) (?:\.\d+)? | \.\d+ )
      (?P<exponent> [eE][-+\u2212]?\d+ )?
    )
    (?P<percent> \s?% )?
    """,
    re.VERBOSE,
)
_VULGAR = re.compile("[¼-¾⅐-⅞]")
_SEPARATORS = re.compile("[,\u00a0\u202f\u2009]")


def numbers_in(text: str, percent: Percent = "as_is") -> Iterator[float]:
    """The numbers in `text`, in order; those beyond the range of a double are infinite.

    Reads `-1,234.5`, `$18`, `−3`, `3/4`, `1 1/2`, `½`, `6.02e23`, `45%` (45, or 0.45 where
    `percent` is `fraction`). A digit inside a word (`x2`) is no number; a hyphen directly behind
    a digit or a word is no sign.
    """
    for match in _NUMBER.finditer(_VULGAR.sub(_spelled_out, text)):
        yield _value(match, percent)


def as_number(value: float) -> float:
    """A JSON number as a float; infinite if it is beyond the range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _value(match: re.Match[str], percent: Percent) -> float:
    if match["over"]:
        value = float(match["whole"] or 0) + _quotient(float(match["over"]), float(match["under"]))
        scale = 1.0 if match["percent"] is None or percent == "as_is" else 100.0
        value /= scale
    else:
        digits = _SEPARATORS.sub("", match["digits"])
        power = _power(match["exponent"] or "e0")
        if match["percent"] and percent == "fraction":
            power -= 2  # in decimal, so that 12.3% is exactly the double 0.123
        value = float(f"{digits}e{power}")
    negative = "".join(filter(None, (match["sign"], match["inner_sign"]))) not in ("", "+")
    return -value if negative else value


def _quotient(over: float, under: float) -> float:
    return over / under if math.isfinite(over) or math.isfinite(under) else math.nan


def _power(exponent: str) -> int:
    """The power of ten in `e-12`. Six digits suffice to leave the range of a double."""
    digits = exponent.lstrip("eE+-\u2212").lstrip("0")[:6] or "0"
    return -int(digits) if exponent[1] in "-\u2212" else int(digits)


def _spelled_out(match: re.Match[str]) -> str:
    return " " + unicodedata.normalize("NFKC", match[0]).replace("\u2044", "/")
