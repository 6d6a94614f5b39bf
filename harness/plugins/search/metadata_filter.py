"""Conditions on the metadata of documents, permissions among them: doubt does not pass."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TypeAlias

from harness.core.chat import ServiceError
from harness.core.values import ABSENT, JsonValue, as_text, look_up
from harness.plugins.search.conditions import Condition, conditions

_Ordered: TypeAlias = float | date | datetime

_ORDER: dict[str, Callable[[float, float], bool]] = {
    "before": operator.lt,
    "after": operator.gt,
    "at_least": operator.ge,
    "at_most": operator.le,
}
_TEMPLATE = ("{{", "{%")


def passes(metadata: Mapping[str, JsonValue], where: Mapping[str, JsonValue]) -> bool:
    """Whether a document with this metadata meets every condition (see `core.passage.Query`).

    A value equals another if both are the same number, or the same as text: `2` equals `"2"`.
    Dates are ISO 8601; where one of two has no time of day, days are compared, and a time without
    a zone is in UTC. What cannot be compared does not pass.

    Raises:
        ServiceError: `bad_request`, if a condition cannot be understood.
    """
    return meets(metadata, conditions(where))


def meets(metadata: Mapping[str, JsonValue], wanted: Iterable[Condition]) -> bool:
    """Whether all of these conditions hold (see `passes`)."""
    return all(_holds(look_up(metadata, one.key), one) for one in wanted)


def filter_problems(where: Mapping[str, JsonValue]) -> list[str]:
    """What is wrong with conditions, each as a sentence. A text with `{{` may become anything."""
    problems = []
    for key, given in where.items():
        try:
            problems += [_wrong_bound(one) for one in conditions({key: given})]
        except ServiceError as error:
            problems.append(error.message)
    return [problem for problem in problems if problem]


def _holds(value: JsonValue, wanted: Condition) -> bool:
    known = value is not None and value is not ABSENT
    if wanted.operator == "none_of":
        return not known or (_is_plain(value) and not _is_among(value, wanted.values))
    if not known:
        return False
    if wanted.operator == "any_of":
        return _is_among(value, wanted.values)
    pair = _comparable(value, wanted.values[0])
    return pair is not None and _ORDER[wanted.operator](*pair)  # type: ignore[arg-type]  # alike


def _is_plain(value: JsonValue) -> bool:
    """Whether a value is one that can be compared, or a list of such."""
    values = value if isinstance(value, list) else [value]
    return not any(isinstance(one, Mapping | list) for one in values)


def _is_among(value: JsonValue, wanted: Sequence[JsonValue]) -> bool:
    """Whether the value, or one of its values if it is a list, equals one of the wanted."""
    values = value if isinstance(value, list) else [value]
    return any(_same(mine, one) for mine in values for one in wanted)


def _same(mine: JsonValue, wanted: JsonValue) -> bool:
    if mine is None or wanted is None or isinstance(mine, Mapping | list):
        return False
    if _is_number(mine) and _is_number(wanted):
        return bool(mine == wanted)
    return as_text(mine) == as_text(wanted)


def _comparable(value: JsonValue, bound: JsonValue) -> tuple[_Ordered, _Ordered] | None:
    """Both as numbers, both as days or both as times; None if they are not of a kind."""
    numbers = _number(value), _number(bound)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0], numbers[1]
    mine, other = _time(value), _time(bound)
    if mine is None or other is None:
        return None
    if isinstance(mine, datetime) and isinstance(other, datetime):
        return mine, other
    return _day(mine), _day(other)


def _number(value: JsonValue) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if _is_number(value) and math.isfinite(value) else None


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _time(value: JsonValue) -> date | datetime | None:
    """A day, or a time in UTC."""
    if not isinstance(value, str) or not value[:4].isdecimal():
        return None
    try:
        if len(value) == len("2026-01-31"):
            return date.fromisoformat(value)
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def _wrong_bound(wanted: Condition) -> str:
    if wanted.operator not in _ORDER:
        return ""
    bound = wanted.values[0]
    if isinstance(bound, str) and any(mark in bound for mark in _TEMPLATE):
        return ""
    if _number(bound) is None and _time(bound) is None:
        return f"where.{wanted.key}: {wanted.operator} needs a number or a date as 2026-01-31"
    return ""
