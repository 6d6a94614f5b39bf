"""Environment variables in the addresses and model names of live variants."""

from __future__ import annotations

from dataclasses import replace

from harness.config.paths import PathError, expanded
from harness.config.source import Location, Source
from harness.core.values import JsonValue
from harness.errors import Problem

_KEYS = frozenset({"model", "base_url", "url"})


def with_variables(source: Source, at: Location, problems: list[Problem]) -> Source:
    """The document with variables replaced in every `model`, `base_url` and `url` below `at`.

    What stands for no variable stays, and its problem is added.
    """

    def walk(value: JsonValue, place: Location) -> JsonValue:
        if isinstance(value, dict):
            return {key: walk(item, (*place, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, (*place, index)) for index, item in enumerate(value)]
        inside = len(place) >= len(at) and place[: len(at)] == at
        if not isinstance(value, str) or not inside or not place or place[-1] not in _KEYS:
            return value
        try:
            return expanded(value)
        except PathError as error:
            problems.append(Problem(source.where(place), f"{place[-1]} {error.what}", error.hint))
            return value

    return replace(source, data=walk(source.data, ()))
