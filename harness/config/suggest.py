"""Hints for a name that is not known: the nearest one that is."""

from __future__ import annotations

from collections.abc import Iterable

_CUTOFF = 70.0
_LISTED = 20


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint naming the nearest of `known`, else listing them all; empty if there are none."""
    names = list(dict.fromkeys(known))
    best = nearest(word, names)
    if best is not None:
        return f"did you mean '{best}'?"
    if not names:
        return ""
    return f"known: {listed(names, _LISTED)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The nearest of `known`, if one is near enough."""
    from rapidfuzz import fuzz, process

    best = process.extractOne(
        word, list(known), scorer=fuzz.ratio, processor=str.casefold, score_cutoff=_CUTOFF
    )
    return None if best is None else str(best[0])


def listed(names: Iterable[str], limit: int = 10) -> str:
    """`names` joined by commas; beyond `limit`, how many more there are."""
    every = list(names)
    more = len(every) - limit
    text = ", ".join(every[:limit])
    return f"{text} and {more} more" if more > 0 else text
