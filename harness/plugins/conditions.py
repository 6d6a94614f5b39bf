"""Conditions on metadata (`core.passage.Query.where`), for engines with filters of their own.

A condition that cannot be understood is an error and never dropped: permissions are among them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from harness.core.chat import ServiceError
from harness.core.values import JsonValue

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
