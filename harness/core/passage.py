"""What retrieval works on: chunks of documents, and passages found among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.values import JsonValue


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document, the unit that is indexed and found.

    `id` is `document#section` for a section, `document#section~2` for the second piece of a long
    one, `document@3` for the fourth fixed-size piece. `sections` are the ids of all sections that
    the chunk has text of, `whole` those that it has the whole text of. `headings` is the path of
    headings above the text. `metadata` is the document's.
    """

    id: str
    document: str
    text: str
    headings: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found, with the score of the stage that ranked it last (higher is better).

    Its rank is its place, from 1, in the list that holds it. `position` is its place in the
    document, counted in whatever grows along it, None where that is not known.
    """

    id: str
    text: str
    score: float | None
    document: str = ""
    headings: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: at most `limit` passages whose metadata pass `where`.

    `where` maps a metadata key to a condition: a plain value (equal to it, or among it where the
    metadata is a list), or one of `{any_of: [...]}`, `{none_of: [...]}`, `{before: ...}`,
    `{after: ...}`, `{at_least: ...}`, `{at_most: ...}`. A document without the key passes
    `none_of` only.
    """

    text: str
    limit: int
    where: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Passages, best first, and what finding them took beside the caller's own clock.

    `embed_s` is the part that embedding the query took. `cost_usd` is None where unknown.
    """

    passages: tuple[Passage, ...]
    cost_usd: float | None = 0.0
    embed_s: float | None = None
