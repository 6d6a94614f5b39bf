"""What a live trial found, stage by stage, and which relevant items a passage covers.

Gold ids name documents (`doc-1`) or their sections (`doc-1#refunds`). What is found are chunks:
`doc-1#refunds`, a piece of it `doc-1#refunds~2`, a fixed-size piece `doc-1@3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from harness.core.record import Record, Step
from harness.core.values import JsonValue
from harness.plugins.texts.json_text import is_number

Match: TypeAlias = Literal["id", "section", "document"]
"""When a passage covers a gold id: same id; of that section or document; of the same document."""

RankedStage: TypeAlias = Literal["retrieve", "rerank", "context"]
STAGES: tuple[RankedStage, ...] = ("retrieve", "rerank", "context")
"""The stages that leave passages behind, in the order in which a trial walks through them."""

_PIECE = re.compile(r"~\d+\Z")
_FIXED = re.compile(r"@\d+\Z")


@dataclass(frozen=True, slots=True)
class Found:
    """A passage as a stage left it. `tokens` is its length, None where the stage does not say."""

    id: str
    sections: tuple[str, ...] = ()
    document: str = ""
    tokens: float | None = None


def not_given(value: object) -> bool:
    """For `exclude_if`: options that came later stay out of a scorer's fingerprint if not given."""
    return value is None


def document_of(identifier: str) -> str:
    """The document that an id is of: `doc-1` of `doc-1#refunds~2`, of `doc-1@3` and of itself."""
    head, mark, _ = identifier.partition("#")
    return head if mark else _FIXED.sub("", _PIECE.sub("", identifier))


def found_at(record: Record, stage: RankedStage) -> list[Found] | None:
    """What a live trial had after a stage, best first; None if it never looked for passages.

    A variant without that stage passed on what the stage before it gave, so that is returned.
    Where a route or a fallback led from one variant to another, the one that looked last counts.
    """
    steps = [step for step in _steps(record) if step.stage in STAGES]
    if not steps:
        return None
    last = steps[-1].variant
    for candidate in reversed(STAGES[: STAGES.index(stage) + 1]):
        for step in reversed(steps):
            if step.variant == last and step.stage == candidate:
                return _passages(step)
    return None


def everything_found(record: Record) -> dict[str, Found]:
    """Every passage of a live trial by its id; of several, what the last stage says of it."""
    return {
        found.id: found
        for step in _steps(record)
        if step.stage in STAGES
        for found in _passages(step)
    }


def covered(found: Found, gains: Mapping[str, float], match: Match) -> tuple[str, ...]:
    """The gold ids among `gains` that a passage covers, each once.

    For `document`, `gains` are of documents (see `by_document`).
    """
    return tuple(dict.fromkeys(key for key in _keys(found, match) if key in gains))


def by_document(gains: Mapping[str, float]) -> dict[str, float]:
    """Gains of documents: the highest of what is relevant in each."""
    result: dict[str, float] = {}
    for identifier, gain in gains.items():
        document = document_of(identifier)
        result[document] = max(gain, result.get(document, gain))
    return result


def _keys(found: Found, match: Match) -> Iterator[str]:
    if match != "document":
        yield found.id
    if match == "section":
        yield _PIECE.sub("", found.id)
        yield from found.sections
    if match != "id":
        yield document_of(found.id)
        yield from (document_of(section) for section in found.sections)
        yield found.document


def _steps(record: Record) -> Sequence[Step]:
    return record.trace.steps if record.trace else ()


def _passages(step: Step) -> list[Found]:
    """The passages of a step, best first: in the order of their ranks, where all have one."""
    items = step.detail.get("passages")
    if not isinstance(items, list | tuple):
        return []
    kept = [item for item in items if isinstance(item, Mapping) and isinstance(item.get("id"), str)]
    if all(is_number(item.get("rank")) for item in kept):
        kept.sort(key=lambda item: float(item["rank"]))
    return list({item["id"]: _found(item) for item in reversed(kept)}.values())[::-1]


def _found(item: Mapping[str, JsonValue]) -> Found:
    sections: JsonValue = item.get("sections")
    tokens: JsonValue = item.get("tokens")
    return Found(
        item["id"],
        tuple(one for one in sections if isinstance(one, str))
        if isinstance(sections, list | tuple)
        else (),
        str(item.get("document") or ""),
        float(tokens) if is_number(tokens) and tokens >= 0 else None,
    )
