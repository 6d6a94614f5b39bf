"""A judge's reply as a verdict on every criterion, or why there is none. Nothing is ever guessed.

Judges invent quotes: one that does not occur in what the judge was shown is said to be so, first
of all that is said of the verdict. The verdict stands; the reader is told what it rests on.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.core.chat import Completion
from harness.core.pointwise import CriterionVerdict, Ruling
from harness.core.values import JsonValue
from harness.judging.verdict import ENDED_BADLY, MAX_CHARS, cut, objects_in, short

NOT_FOUND = "quote not found"
"""What the explanation of a verdict begins with whose quote the judge was not shown."""

_RULINGS: Mapping[str, Ruling] = {
    "true": "true",
    "false": "false",
    "not_applicable": "not_applicable",
}
_QUOTE_CHARS, _REASON_CHARS = 80, 200
_ELLIPSIS = re.compile(r"\s*(?:\.{3,}|…|\[(?:\.{3,}|…)\])\s*")
_QUOTE_MARKS = dict.fromkeys(
    [*map(ord, "\"'`"), 0xAB, 0xBB, *range(0x2018, 0x2020), 0x2039, 0x203A], "'"
)
"""Straight, curly and angular ones, all read as one."""


def read_rulings(
    answer: Completion, criteria: Iterable[str], sources: Sequence[str]
) -> dict[str, CriterionVerdict]:
    """The verdict by every criterion that a reply gives.

    Args:
        answer: the reply.
        criteria: the names.
        sources: the texts that a quote may be from.
    """
    names = list(criteria)
    try:
        found = _one_object(answer, names)
    except ValueError as error:
        return dict.fromkeys(names, CriterionVerdict(None, str(error)))
    return {name: _ruling(found.get(name), name, sources) for name in names}


def settled(votes: Sequence[CriterionVerdict]) -> CriterionVerdict:
    """One verdict of those of a judge that was asked several times: what most of them say.

    Replies without a verdict have no vote. There is none where no ruling has most votes.
    """
    given = [vote for vote in votes if vote.ruling is not None]
    if not given:
        return votes[0]
    counts = Counter(vote.ruling for vote in given).most_common()
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        told = ", ".join(f"{n} x {ruling}" for ruling, n in sorted(counts, key=str))
        return CriterionVerdict(None, f"the judge contradicts itself: {told}")
    return next(vote for vote in given if vote.ruling == counts[0][0])


def occurs(quote: str, sources: Sequence[str]) -> bool:
    """Whether a quote stands in one of the texts; white space, case and quote marks aside.

    Of a quote with words left out (`...`), every part must stand there, in this order.
    """
    parts = [part for part in _ELLIPSIS.split(_plain(quote).strip(" '")) if part]
    return any(_in_order(parts, _plain(source)) for source in sources)


def _one_object(answer: Completion, names: Sequence[str]) -> dict[str, JsonValue]:
    """The one object of a reply that names a criterion.

    Raises:
        ValueError: saying why there is none.
    """
    if answer.finish_reason in ENDED_BADLY:
        raise ValueError(ENDED_BADLY[answer.finish_reason])
    if len(answer.text) > MAX_CHARS:
        raise ValueError(f"the reply has {len(answer.text)} characters, more than are read")
    named = [found for found in objects_in(answer.text) if any(name in found for name in names)]
    if not named:
        raise ValueError("the reply holds no verdict")
    if len(named) > 1:
        raise ValueError(f"the reply holds {len(named)} verdicts")
    return named[0]


def _ruling(given: JsonValue, name: str, sources: Sequence[str]) -> CriterionVerdict:
    if not isinstance(given, Mapping):
        return CriterionVerdict(None, f"the reply says nothing of {name}")
    said = given.get("verdict")
    word = str(said).strip().lower() if isinstance(said, str | bool) else ""
    ruling = _RULINGS.get(word)
    if ruling is None:
        options = ", ".join(_RULINGS)
        return CriterionVerdict(None, f"the verdict {short(said)} is none of {options}")
    return CriterionVerdict(ruling, _why(given, sources))


def _why(given: Mapping[str, JsonValue], sources: Sequence[str]) -> str:
    """The quote and the reason, as an explanation holds them."""
    quote, reason = (
        " ".join(text.split()) if isinstance(text, str) else ""
        for text in (given.get("quote"), given.get("reason"))
    )
    told = [cut(reason, _REASON_CHARS)] if reason else []
    if quote:
        told.insert(0, f'"{cut(quote, _QUOTE_CHARS)}"')
        if not occurs(quote, sources):
            told.insert(0, NOT_FOUND)
    return ": ".join(told)


def _plain(text: str) -> str:
    text = text.replace('\\"', '"').replace("\\n", " ")  # an answer in JSON is shown as such
    folded = unicodedata.normalize("NFKC", text.translate(_QUOTE_MARKS)).casefold()
    return " ".join(folded.split())


def _in_order(parts: Sequence[str], text: str) -> bool:
    at = 0
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return bool(parts)
