"""Finds passages: the query, its rewriting, retrieval, reranking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from harness.core.passage import Passage, Query, Ranking
from harness.core.record import Stage, Step
from harness.core.values import JsonValue, encodable
from harness.core.variant import Rerank, Retrieval
from harness.ports import Pacer
from harness.system.asking import Asker, Question
from harness.system.calls import Call, made, service
from harness.system.inputs import input_text
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.text import bounded
from harness.templating.template import PromptTemplate, render_value

QUERY_CHARS = 100_000
"""The longest query; an input beyond that is cut."""

PASSAGE_CHARS = 200_000
"""The longest passage; an engine of a team's own may hold whole books. What is beyond is cut."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage and its rank, from 1, in the stage that ranked it last."""

    rank: int
    passage: Passage

    def shown(self) -> dict[str, JsonValue]:
        """The passage as templates see it."""
        passage = self.passage
        return {
            "id": passage.id,
            "text": passage.text,
            "rank": self.rank,
            "score": passage.score,
            "document": passage.document,
            "headings": list(passage.headings),
            "metadata": dict(passage.metadata),
        }

    def kept(self) -> dict[str, JsonValue]:
        """The passage as a record keeps it."""
        passage = self.passage
        kept: dict[str, JsonValue] = {
            "id": passage.id,
            "rank": self.rank,
            "score": passage.score,
        }
        if passage.sections and passage.sections != (passage.id,):
            kept["sections"] = list(passage.sections)
        if passage.document and not passage.id.startswith(passage.document):
            kept["document"] = passage.document
        return kept


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked for, and what was found, best first."""

    query: str = ""
    passages: tuple[Ranked, ...] = ()


class Finder:
    """A variant's retrieval and reranking."""

    def __init__(
        self, retrieval: Retrieval, rerank: Rerank | None, parts: Parts, pacer: Pacer
    ) -> None:
        self._retrieval = retrieval
        self._retriever = parts.retrievers[retrieval.key]
        self._query = PromptTemplate(retrieval.query) if retrieval.query else None
        self._rewrite = Asker(retrieval.rewrite, parts, pacer) if retrieval.rewrite else None
        self._rerank = rerank
        self._reranker = parts.rerankers[rerank.reranker.key] if rerank else None
        self._pacer = pacer

    async def find(self, log: TrialLog, variables: Mapping[str, Any]) -> Found:
        """Search, and order anew what was found.

        Raises:
            TemplateError: if the query's template or a condition does not fit the input.
            GaveUpError: if a service failed.
        """
        text = self._query.render(variables) if self._query else input_text(variables["input"])
        text = await self._rewritten(log, text, variables)
        where = render_value(dict(self._retrieval.where), variables, "retrieval.where")
        query = Query(encodable(text[:QUERY_CHARS]), self._retrieval.top_k, where)
        ranking = await self._retrieve(log, query)
        if self._rerank is not None:
            ranking = await self._reranked(log, query.text, ranking)
        return Found(query.text, _ranked(ranking))

    async def _rewritten(self, log: TrialLog, text: str, variables: Mapping[str, Any]) -> str:
        """The model's query; the original where it answers nothing."""
        if self._rewrite is None:
            return text
        question = Question(self._rewrite.messages({**variables, "query": text}))
        answer = await self._rewrite.ask(log, Stage.REWRITE, question)
        return answer.text.strip() or text

    async def _retrieve(self, log: TrialLog, query: Query) -> tuple[Passage, ...]:
        asked: dict[str, JsonValue] = {"query": bounded(query.text)}
        if query.where:
            asked["where"] = dict(query.where)

        def described(step: Step, ranking: Ranking) -> tuple[Step, ...]:
            found = _ranked(_distinct(ranking.passages, query.limit))
            detail = {**asked, "passages": [one.kept() for one in found]}
            embed_s = min(ranking.embed_s or 0.0, step.latency_s)
            searched = replace(
                step,
                start_s=step.start_s + embed_s,
                latency_s=step.latency_s - embed_s,
                cost_usd=ranking.cost_usd,
                detail=detail,
            )
            if ranking.embed_s is None:
                return (searched,)
            return Step(Stage.EMBED, step.start_s, embed_s), searched

        call = Call(
            Stage.RETRIEVE,
            service(self._retrieval.retriever),
            lambda: self._retriever.retrieve(query),
            described,
            asked,
        )
        ranking = log.take(await made(call, self._pacer, log))
        return _distinct(ranking.passages, query.limit)

    async def _reranked(
        self, log: TrialLog, query: str, passages: tuple[Passage, ...]
    ) -> tuple[Passage, ...]:
        rerank, reranker = self._rerank, self._reranker
        if rerank is None or reranker is None or not passages:
            return passages

        def described(step: Step, ranking: Ranking) -> tuple[Step, ...]:
            found = _ranked(_of(ranking.passages, passages, rerank.top_k))
            detail = {"passages": [one.kept() for one in found]}
            return (replace(step, cost_usd=ranking.cost_usd, detail=detail),)

        call = Call(
            Stage.RERANK,
            service(rerank.reranker),
            lambda: reranker.rerank(query, passages, rerank.top_k),
            described,
        )
        ranking = log.take(await made(call, self._pacer, log))
        return _of(ranking.passages, passages, rerank.top_k)


def _distinct(passages: Iterable[Passage], limit: int) -> tuple[Passage, ...]:
    """The first `limit` passages, each id once: an engine may send more than it was asked for."""
    first: dict[str, Passage] = {}
    for passage in passages:
        first.setdefault(passage.id, passage)
    return tuple(
        replace(passage, text=bounded(passage.text, PASSAGE_CHARS))
        for passage in islice(first.values(), limit)
    )


def _of(ranked: Sequence[Passage], passages: Sequence[Passage], limit: int) -> tuple[Passage, ...]:
    """`ranked` as far as they are among `passages`, whose texts count; the scores are new."""
    known = {passage.id: passage for passage in passages}
    return tuple(
        replace(known[passage.id], score=passage.score)
        for passage in _distinct((one for one in ranked if one.id in known), limit)
    )


def _ranked(passages: Iterable[Passage]) -> tuple[Ranked, ...]:
    return tuple(Ranked(rank, passage) for rank, passage in enumerate(passages, start=1))
