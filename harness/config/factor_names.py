"""Whether the factors and pairs that an experiment names exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.config.definition import TOP_LEVEL
from harness.config.source import Source
from harness.config.suggest import did_you_mean
from harness.config.variant import Entry
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant
from harness.errors import Problem

_FACTORS = {"system": "system_template", "user": "user_template", "prompt": "user_template",
            "template": "user_template"}  # fmt: skip
"""What keys of the YAML, and other words for them, are called as factors."""
_OF_ROUTE = ("base_url", "sdk", "sdk.route")
"""Factors of every model call, whether or not the YAML says anything of them."""
_OF_PROVIDER = ("sdk.client", "sdk.api_version")
"""And of the variant's own model."""


def check_factor_names(source: Source, entries: Sequence[Entry]) -> list[Problem]:
    """Factors that no variant has."""
    factors = source.data.get("factors")
    if not isinstance(factors, list) or any(entry.variant is None for entry in entries):
        return []
    known = _known(entries)
    noun = "factor" if any(entry.live for entry in entries) else "fact"
    return [
        Problem(
            source.where(("factors", index)),
            f"the factor '{factor}' is a {noun} of no variant",
            _hint(str(factor), known),
        )
        for index, factor in enumerate(factors)
        if known and factor not in known and not _of_sdk(factor, entries)
    ]


def _of_sdk(factor: JsonValue, entries: Iterable[Entry]) -> bool:
    """Whether a factor may be one of a route to a model: each provider tells its own."""
    return str(factor).startswith("sdk.") and any(entry.live for entry in entries)


def _hint(factor: str, known: Iterable[str]) -> str:
    """The factor that a key of the YAML stands for, one that ends so, or the nearest name."""
    names = tuple(known)
    parts = [_FACTORS.get(part, part) for part in factor.split(".")]
    found = [name for name in (".".join(parts),) if name in names]
    found += [name for name in names if name.endswith(f".{factor}")]
    return f"did you mean '{found[0]}'?" if found else did_you_mean(factor, names)


def _known(entries: Iterable[Entry]) -> dict[str, None]:
    """The names of all factors: of recorded variants the facts, of live ones also every part."""
    names: dict[str, None] = {}
    for variant in (entry.variant for entry in entries):
        if isinstance(variant, LiveVariant):
            names |= dict.fromkeys([*TOP_LEVEL, *_OF_PROVIDER])
        elif variant is not None:
            names |= dict.fromkeys(variant.facts)
    for variant in (entry.variant for entry in entries):
        for name in variant.definition if isinstance(variant, LiveVariant) else ():
            parts = name.split(".")
            names |= dict.fromkeys(".".join(parts[:size]) for size in range(1, len(parts) + 1))
            if parts[-1] == "model":
                names |= dict.fromkeys(".".join([*parts[:-1], own]) for own in _OF_ROUTE)
    return names


def check_excuses(source: Source, entries: Sequence[Entry]) -> list[Problem]:
    """Pairs under `confounded_ok` that are none, or stand there twice."""
    given = source.data.get("confounded_ok")
    ids = [entry.id for entry in entries if entry.id is not None]
    every_id_known = len(ids) == len(entries) > 0
    problems = []
    seen: set[frozenset[str]] = set()
    for index, excused in enumerate(given if isinstance(given, list) else ()):
        pair = excused.get("pair") if isinstance(excused, dict) else None
        if not isinstance(pair, list) or not all(isinstance(name, str) for name in pair):
            continue
        at = ("confounded_ok", index, "pair")
        unknown = [
            Problem(
                source.where((*at, i)), f"there is no variant '{name}'", did_you_mean(name, ids)
            )
            for i, name in enumerate(pair)
            if every_id_known and name not in ids
        ]
        problems += unknown
        if unknown or len(pair) != 2:  # the latter is told with the document
            continue
        if pair[0] == pair[1]:
            problems.append(Problem(source.where(at), f"'{pair[0]}' twice is no pair"))
        elif frozenset(pair) in seen:
            what = f"the pair {pair[0]} and {pair[1]} is excused twice"
            problems.append(Problem(source.where(at), what))
        seen.add(frozenset(pair))
    return problems
