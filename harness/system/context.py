"""Makes context of passages: leaves out repetitions, compresses, keeps to a budget, orders."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.core.record import Stage
from harness.core.values import JsonValue
from harness.core.variant import Context
from harness.ports import Pacer
from harness.system.asking import Asker, Question
from harness.system.finding import Found, Ranked
from harness.system.log import TrialLog
from harness.system.parts import Parts

SIMILARITY = 95.0
"""In percent: passages whose sorted words are as alike as that say the same."""

COMPARED_CHARS = 4_000
COMPARED_PASSAGES = 100
"""How much of a passage, and how many, are compared for near repetition; it takes square time."""


_PARTS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class _Item:
    ranked: Ranked
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """A passage that the model is not shown, and why."""

    id: str
    reason: str


class Assembler:
    """A variant's way from passages to context."""

    def __init__(self, context: Context, parts: Parts, pacer: Pacer) -> None:
        self._context = context
        self._compress = Asker(context.compress, parts, pacer) if context.compress else None
        self._count_tokens = parts.count_tokens

    async def assemble(
        self, log: TrialLog, found: Found, variables: Mapping[str, Any]
    ) -> tuple[Ranked, ...]:
        """The passages that the model is shown, in the order that it is shown them.

        Sets the trial's evidence to their ids, best rank first.

        Raises:
            TemplateError: if the compression's template does not fit.
            GaveUpError: if the model that compresses failed.
        """
        kept, dropped = list(found.passages), list[Dropped]()
        start_s = log.now_s()
        if self._context.dedupe:
            kept, dropped = distinct(kept)
        if self._compress is not None:
            compress_s = log.now_s()
            texts = await self._compressed(log, self._compress, found.query, kept, variables)
            kept = _with_texts(kept, texts, dropped)
            start_s += log.now_s() - compress_s  # compression has steps of its own
        items = self._within_budget(kept, dropped)
        log.evidence = tuple(item.ranked.passage.id for item in items)
        items = _ordered(items, self._context.order)
        log.note(Stage.CONTEXT, start_s, _detail(items, dropped))
        return tuple(item.ranked for item in items)

    def _within_budget(self, ranked: Sequence[Ranked], dropped: list[Dropped]) -> list[_Item]:
        """Whole passages in the order of their ranks; one that does not fit is left out."""
        budget = self._context.max_tokens
        kept, used = [], 0
        for one in ranked:
            tokens = self._count_tokens(one.passage.text)
            if budget is not None and used + tokens > budget:
                dropped.append(Dropped(one.passage.id, f"{tokens} tokens do not fit"))
                continue
            used += tokens
            kept.append(_Item(one, tokens))
        return kept

    async def _compressed(
        self,
        log: TrialLog,
        asker: Asker,
        query: str,
        ranked: Sequence[Ranked],
        variables: Mapping[str, Any],
    ) -> list[str]:
        """A model's answer for every passage; empty where it found nothing in it, or refused."""
        questions = [
            Question(asker.messages({**variables, "query": query, "passage": one.shown()}))
            for one in ranked
        ]

        start_s = log.now_s()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(asker.call(log, Stage.COMPRESS, question))
                for question in questions
            ]
        answers = log.take_together([task.result() for task in tasks], log.now_s() - start_s)
        return [
            "" if answer.finish_reason == "refusal" else answer.text.strip() for answer in answers
        ]


def distinct(ranked: Sequence[Ranked]) -> tuple[list[Ranked], list[Dropped]]:
    """`ranked` without passages that say what a better one says.

    Alike are equal words in any order and case, or `SIMILARITY` (by the indel similarity of the
    sorted words, rapidfuzz's `token_sort_ratio`) if they hold the same numbers: a rule that
    changed from 14 to 30 days is no repetition.
    """
    from rapidfuzz import fuzz

    kept: list[Ranked] = []
    dropped: list[Dropped] = []
    seen: dict[str, str] = {}
    compared: list[tuple[str, Counter[str], str]] = []
    for one in ranked:
        words = sorted(one.passage.text.casefold().split())
        whole = " ".join(words)
        start, numbers = whole[:COMPARED_CHARS], Counter(w for w in words if _PARTS.search(w))
        better = seen.get(whole) or next(
            (
                other_id
                for other, other_numbers, other_id in compared
                if numbers == other_numbers and fuzz.ratio(start, other, score_cutoff=SIMILARITY)
            ),
            None,
        )
        if better is not None:
            dropped.append(Dropped(one.passage.id, f"repeats {better}"))
            continue
        kept.append(one)
        seen[whole] = one.passage.id
        if len(compared) < COMPARED_PASSAGES:
            compared.append((start, numbers, one.passage.id))
    return kept, dropped


def _with_texts(
    ranked: Sequence[Ranked], texts: Sequence[str], dropped: list[Dropped]
) -> list[Ranked]:
    """The passages with new texts; those whose text is empty are dropped."""
    kept = []
    for one, text in zip(ranked, texts, strict=True):
        if text:
            kept.append(replace(one, passage=replace(one.passage, text=text)))
        else:
            dropped.append(Dropped(one.passage.id, "compressed to nothing"))
    return kept


def _ordered(items: Sequence[_Item], order: str) -> list[_Item]:
    if order == "reverse":
        return list(reversed(items))
    if order != "document":
        return list(items)
    first: dict[str, int] = {}
    for place, item in enumerate(items):
        first.setdefault(item.ranked.passage.document, place)
    return sorted(items, key=lambda item: (first[item.ranked.passage.document], *_place(item)))


def _place(item: _Item) -> tuple[int, list[tuple[int, int | str]]]:
    """Where a passage stands in its document; by its id, where the retriever does not tell."""
    passage = item.ranked.passage
    if passage.position is not None:
        return passage.position, []
    return 0, [
        (0, int(part[:18])) if part.isdecimal() else (1, part) for part in _PARTS.split(passage.id)
    ]


def _detail(items: Sequence[_Item], dropped: Sequence[Dropped]) -> dict[str, JsonValue]:
    detail: dict[str, JsonValue] = {
        "passages": [{**item.ranked.kept(), "tokens": item.tokens} for item in items],
        "tokens": sum(item.tokens for item in items),
    }
    if dropped:
        detail["dropped"] = [{"id": one.id, "reason": one.reason} for one in dropped]
    return detail
