"""Cohere-compatible services on loopback."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from model_server import CUT, HANG, ModelServer, broken, error
from pydantic import ValidationError
from search_engines import json_reply, reranker

from harness.core.chat import ServiceError
from harness.core.passage import Passage, Ranking
from harness.plugins.rerankers.http import Http

KEY = "key-that-nobody-may-see"
PASSAGES = tuple(
    Passage(f"p{number}", text, 1.0 - number / 10, document="d", sections=("d#a",))
    for number, text in enumerate(["a b", "q q b", "q c", "q q q"])
)


def rerank(
    server: ModelServer, passages: tuple[Passage, ...] = PASSAGES, limit: int = 2, **options: Any
) -> Ranking:
    async def run() -> Ranking:
        chosen = Http.model_validate({"base_url": f"{server.url}/v2", **options})
        try:
            return await chosen.rerank("q", passages, limit)
        finally:
            await chosen.close()

    return asyncio.run(run())


def count(query: str, text: str) -> float:
    return text.split().count(query) / 4


def test_cohere_and_those_like_it() -> None:
    with ModelServer(respond=reranker(count)) as server:
        found = rerank(server, model="rerank-v3.5")
    assert found.passages == (replace(PASSAGES[3], score=0.75), replace(PASSAGES[1], score=0.5))
    (asked,) = server.requests
    assert asked.path == "/v2/rerank"
    assert asked.body == {
        "model": "rerank-v3.5",
        "query": "q",
        "documents": ["a b", "q q b", "q c", "q q q"],
        "top_n": 2,
    }


def test_text_embeddings_inference() -> None:
    with ModelServer(respond=reranker(count, name="score", key="texts")) as server:
        found = rerank(server, documents="texts")
    assert [passage.id for passage in found.passages] == ["p3", "p1"]
    assert server.bodies == [{"query": "q", "texts": ["a b", "q q b", "q c", "q q q"]}]


def test_ties_keep_the_order_of_retrieval_whatever_the_service_does() -> None:
    results = [{"index": index, "relevance_score": 0.5} for index in (3, 1, 0, 2)]
    with ModelServer(json_reply({"results": results})) as server:
        found = rerank(server, limit=3)
    assert [passage.id for passage in found.passages] == ["p0", "p1", "p2"]


def test_no_more_are_asked_for_than_there_are() -> None:
    with ModelServer(respond=reranker(count)) as server:
        assert len(rerank(server, limit=9).passages) == 4
        assert server.bodies[0]["top_n"] == 4


def test_without_passages_nothing_is_asked_and_it_costs_nothing() -> None:
    with ModelServer() as server:
        assert rerank(server, ()) == Ranking((), cost_usd=0.0)
        assert server.requests == []


def test_cost_is_unknown_unless_it_is_told() -> None:
    with ModelServer(respond=reranker(count)) as server:
        assert rerank(server).cost_usd is None
        assert rerank(server, usd_per_call=0.002).cost_usd == 0.002
        assert rerank(server, usd_per_call=0).cost_usd == 0


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(401), "authentication"),
        (error(404), "not_found"),
        (error(422), "bad_request"),
        (error(429, retry_after="2"), "rate_limited"),
        (error(500), "server_error"),
        (error(503), "overloaded"),
        (broken("null"), "malformed"),
        (broken("[]"), "malformed"),
        (broken('{"results": [{"index": 9, "relevance_score": 1}]}'), "malformed"),
        (broken("<html>"), "malformed"),
        (CUT, "connection"),
        (HANG, "timeout"),
    ],
)
def test_a_service_that_fails(reply: Any, kind: str) -> None:
    with ModelServer(reply) as server, pytest.raises(ServiceError) as raised:
        rerank(server, timeout_s=0.3 if reply is HANG else 30)
    assert raised.value.kind == kind


def test_the_key_is_sent_and_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANK_KEY", KEY)
    with ModelServer(json_reply({"message": f"invalid token {KEY}"}, 401)) as server:
        with pytest.raises(ServiceError) as raised:
            rerank(server, api_key_env="RERANK_KEY")
        assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in str(raised.value)


def test_identity_and_mistakes_in_the_config() -> None:
    known = Http(base_url="http://h:1/v1", model="m").identity
    assert known == {"base_url": "http://h:1/v1", "model": "m"}
    for options in ({"base_url": "h"}, {"documents": "docs"}, {"usd_per_call": -1}, {"x": 1}):
        with pytest.raises(ValidationError):
            Http.model_validate({"base_url": "http://h", **options})
