"""The words of the training texts, read from `wordings/*.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ruamel.yaml import YAML

FOLDER = Path(__file__).with_name("wordings")

_RANGES: Mapping[str, tuple[int, int, str]] = {
    "days": (2, 99, "{} days"),
    "hours": (2, 96, "{} hours"),
    "minutes": (2, 180, "{} minutes"),
    "months": (2, 60, "{} months"),
    "money": (2, 999, "${}"),
    "pct": (2, 95, "{}%"),
    "gb": (2, 900, "{} GB"),
    "count": (2, 999, "{}"),
}
_MONTHS = "January February March April May June July August September October November December"


@dataclass(frozen=True)
class Fact:
    """One kind of fact that a product has, and how people ask for it and articles state it.

    `number` is its place in the list, for the hints of `training.passages`.
    """

    number: int
    name: str
    category: str
    kind: str
    noun_phrases: tuple[str, ...]
    questions: tuple[str, ...]
    terse: tuple[str, ...]
    statements: tuple[str, ...]
    headings: tuple[str, ...]
    asides: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What a question wants to know of a tool's result."""

    fields: tuple[str, ...]
    kind: str
    words: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Intent:
    """A purpose that tools serve, under whatever name a company gives its tool."""

    category: str
    names: tuple[str, ...]
    args: tuple[tuple[str, ...], ...]
    arg_kinds: tuple[str, ...]
    asked: tuple[Asked, ...]
    other_fields: Mapping[str, str | Mapping[str, list[str]]]


@dataclass(frozen=True)
class Wordings:
    """All of them: `desk` and `names` are the files' own mappings."""

    facts: tuple[Fact, ...]
    intents: tuple[Intent, ...]
    desk: Mapping[str, Any]
    names: Mapping[str, Any]


def load(folder: Path = FOLDER) -> Wordings:
    """The wordings of a folder."""
    desk = _read(folder / "desk.yaml")
    facts = {**_read(folder / "facts_a.yaml"), **_read(folder / "facts_b.yaml")}
    return Wordings(
        tuple(_fact(number, *entry) for number, entry in enumerate(facts.items())),
        tuple(_intent(entry) for entry in desk["tools"]),
        desk,
        _read(folder / "names.yaml"),
    )


def value(r: Random, kind: str) -> str:
    """A random value as it stands in an article: `14 days`, `$49`, `12%`."""
    if kind == "date":
        return f"{r.choice(_MONTHS.split())} {r.randint(1, 28)}"
    low, high, form = _RANGES[kind]
    if kind == "days" and r.random() < 0.15:
        high = 400
    return form.format(r.randint(low, high))


def argument(r: Random, kind: str) -> str:
    """A random argument of a tool, as a customer writes it."""
    if kind == "code":
        return f"{r.choice('ABCDEFGHKLMNPRSTXZ')}{r.randint(100, 9999)}"
    low, high = {
        "number5": (10000, 99999),
        "number4": (1000, 9999),
        "days": (1, 60),
        "percent": (5, 90),
        "count": (1, 200),
    }[kind]
    return str(r.randint(low, high))


def _fact(number: int, name: str, entry: Mapping[str, Any]) -> Fact:
    texts = {key: tuple(map(str, kept)) for key, kept in entry.items() if isinstance(kept, list)}
    return Fact(number, name, entry["category"], entry["kind"], **texts)


def _intent(entry: Mapping[str, Any]) -> Intent:
    asked = tuple(
        Asked(
            tuple(one["field"]),
            one["kind"],
            tuple(map(str, one.get("words", ()))),
            tuple(one["questions"]),
        )
        for one in entry["asked"]
    )
    args = tuple(tuple(names) for names in entry["args"])
    return Intent(
        entry["category"],
        tuple(entry["names"]),
        args,
        tuple(entry["arg_kinds"]),
        asked,
        entry.get("other_fields") or {},
    )


def _read(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as file:
        found: dict[str, Any] = YAML(typ="safe").load(file)
    return found
