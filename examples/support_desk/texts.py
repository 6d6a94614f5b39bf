"""Reads the hand-written texts that a world is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent

RARE = ("privacy", "partners")
"""Categories that few questions are about."""

_UNITS = {
    "days": "{} days",
    "hours": "{} hours",
    "minutes": "{} minutes",
    "months": "{} months",
    "money": "${}",
    "pct": "{}%",
    "gb": "{} GB",
    "count": "{}",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One kind of thing to know of a product, and how articles and customers speak of it."""

    key: str
    category: str
    heading: str
    values: tuple[str, ...]
    """All values that it may take, as they are written: `30 days`."""
    noun: str
    statements: tuple[str, ...]
    asides: tuple[str, ...]
    exception: str
    ask: tuple[str, ...]
    vague: tuple[str, ...]

    @property
    def rare(self) -> bool:
        """Whether its category is a rare label."""
        return self.category in RARE


def read_facts(world: str) -> tuple[Fact, ...]:
    """All facts, in the words of a world (`frozen`, `development`)."""
    shared = read(HERE / "facts.yaml")
    words: dict[str, Any] = {}
    for path in sorted((HERE / "texts" / world).glob("facts*.yaml")):
        for key, texts in read(path).items():
            words.setdefault(key, {}).update(texts)
    return tuple(_fact(key, entry, words[key]) for key, entry in shared.items())


def read_world(world: str) -> dict[str, Any]:
    """A world's company and products, and what is said there beside facts."""
    found: dict[str, Any] = {}
    for path in sorted((HERE / "texts" / world).glob("world*.yaml")):
        found |= read(path)
    return found


def read(path: Path) -> Any:
    """A YAML file as plain data."""
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def _fact(key: str, entry: dict[str, Any], words: dict[str, Any]) -> Fact:
    low, high, step = entry["values"]
    unit = _UNITS[entry["unit"]]
    return Fact(
        key=key,
        category=entry["category"],
        heading=entry["heading"],
        values=tuple(unit.format(number) for number in range(low, high + 1, step)),
        noun=words["noun"],
        statements=tuple(words["statements"]),
        asides=tuple(words["asides"]),
        exception=words["exception"],
        ask=tuple(words["ask"]),
        vague=tuple(words["vague"]),
    )
