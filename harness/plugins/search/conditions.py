"""Conditions on metadata (`core.passage.Query.where`), for engines with filters of their own.

A condition that cannot be understood is an error and never dropped: permissions are among them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias, cast

from harness.core.chat import ServiceError
from harness.core.values import JsonValue, as_text, parse_json

Operator: TypeAlias = Literal["any_of", "none_of", "before", "after", "at_least", "at_most"]
Scalar: TypeAlias = str | int | float | bool

OPERATORS: tuple[Operator, ...] = ("any_of", "none_of", "before", "after", "at_least", "at_most")
COMPARISONS: dict[Operator, str] = {
    "before": "lt",
    "after": "gt",
    "at_least": "gte",
    "at_most": "lte",
}
"""The ordering operators, as Qdrant and OpenSearch spell them."""

_OF_NEXT_DAY = {"lte": "lt", "gt": "gte"}
MAX_VALUES = 10_000
_KEY = re.compile(r"[\w-]+(\.[\w-]+)*")


@dataclass(frozen=True, slots=True)
class Condition:
    """What the metadata at the dotted path `key` must be.

    For `any_of` and `none_of`, `values` are the values in question; for the others, the one limit.
    """

    key: str
    operator: Operator
    values: tuple[Scalar, ...]


def conditions(where: Mapping[str, JsonValue]) -> list[Condition]:
    """Every condition of a query; all must hold.

    Raises:
        ServiceError: `bad_request`, if one cannot be understood.
    """
    return [one for key, given in where.items() for one in _conditions(key, given)]


def spellings(values: Iterable[Scalar]) -> list[Scalar]:
    """`values`, and each number, true or false as text too, and such a text as what it says.

    Templates give texts, and a `2` among the metadata equals a `"2"` (see `metadata_filter`).
    """
    found: dict[tuple[bool, Scalar], Scalar] = {}
    for value in values:
        for one in (value, _other_spelling(value)):
            if one is not None:
                found.setdefault((isinstance(one, bool), one), one)
    return list(found.values())


def limit(condition: Condition) -> tuple[str, Scalar]:
    """An ordering condition as `lt`, `gt`, `lte` or `gte`, and a number or an ISO 8601 date.

    A text that is a number is that number. A day without a time of day means all of it: at most
    2026-01-31 is less than 2026-02-01, after it is that or more.

    Raises:
        ServiceError: `bad_request`, if the limit is neither a number nor a date.
    """
    (given,) = condition.values
    spelled = COMPARISONS[condition.operator]
    if not isinstance(given, str):
        return spelled, given
    number = _other_spelling(given)
    if isinstance(number, int | float) and not isinstance(number, bool):
        return spelled, number
    try:
        if len(given) == len("2026-01-31"):
            day = date.fromisoformat(given)
            if condition.operator in {"at_most", "after"}:
                return _OF_NEXT_DAY[spelled], (day + timedelta(days=1)).isoformat()
            return spelled, day.isoformat()
        return spelled, datetime.fromisoformat(given).isoformat()
    except (ValueError, OverflowError):
        what = f"{condition.operator} needs a number or a date as 2026-01-31"
        raise cannot(condition.key, what) from None


def _other_spelling(value: Scalar) -> Scalar | None:
    """The text of a number, of true or of false; or the number, true or false that a text says."""
    if not isinstance(value, str):
        return as_text(value)
    try:
        said = parse_json(value) if len(value) <= 40 else None
    except ValueError:
        return None
    return said if isinstance(said, int | float) else None


def _conditions(key: str, given: JsonValue) -> list[Condition]:
    if not _KEY.fullmatch(key) or len(key) > 200:
        raise cannot(key, "a key has letters, digits, _ and -, and dots between its parts")
    if not isinstance(given, Mapping):
        return [Condition(key, "any_of", _scalars(key, given))]
    unknown = [str(name) for name in given if name not in OPERATORS]
    if unknown or not given:
        raise cannot(key, f"needs one of {', '.join(OPERATORS)}")
    return [
        Condition(key, cast("Operator", name), _of(key, name, value))
        for name, value in given.items()
    ]


def _of(key: str, name: str, value: JsonValue) -> tuple[Scalar, ...]:
    values = _scalars(key, value)
    if name not in COMPARISONS:
        return values
    if isinstance(value, list | tuple | bool):
        raise cannot(key, f"{name} needs a number or a text")
    return values


def _scalars(key: str, value: JsonValue) -> tuple[Scalar, ...]:
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    if len(values) > MAX_VALUES:
        raise cannot(key, f"has more than {MAX_VALUES} values")
    for one in values:
        if not isinstance(one, str | int | float) or (
            isinstance(one, float) and not math.isfinite(one)
        ):
            raise cannot(key, "a value must be a text, a number, true or false")
    return values


def cannot(key: str, why: str) -> ServiceError:
    """The error of a condition that is not understood, or that an engine cannot hold."""
    return ServiceError("bad_request", f"where.{key[:80]}: {why}")
