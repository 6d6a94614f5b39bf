"""A vendor's reranker through litellm, on loopback; nothing of litellm is patched."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from model_server import HANG, ModelServer, broken
from pydantic import ValidationError
from search_engines import json_reply, reranker

from harness.core.chat import ServiceError
from harness.core.passage import Passage, Ranking
from harness.plugins.rerankers.litellm import LiteLLM

KEY = "sk-key-that-nobody-may-see"
PASSAGES = tuple(
    Passage(f"p{number}", text, None) for number, text in enumerate(["a", "q q", "q", "q q q"])
)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANK_KEY", KEY)


def rerank(
    server: ModelServer, passages: tuple[Passage, ...] = PASSAGES, **options: Any
) -> Ranking:
    async def run() -> Ranking:
        given = {
            "model": "cohere/rerank-v3.5",
            "base_url": server.url,
            "api_key_env": "RERANK_KEY",
            **options,
        }
        chosen = LiteLLM.model_validate(given)
        try:
            return await chosen.rerank("q", passages, 2)
        finally:
            await chosen.close()

    return asyncio.run(run())


def count(query: str, text: str) -> float:
    return text.split().count(query) / 4


def test_litellm_asks_and_we_order() -> None:
    with ModelServer(respond=reranker(count)) as server:
        found = rerank(server, usd_per_call=0.002)
    assert [(passage.id, passage.score) for passage in found.passages] == [
        ("p3", 0.75), ("p1", 0.5),
    ]  # fmt: skip
    assert found.cost_usd == 0.002
    (asked,) = server.requests
    assert asked.path.endswith("/rerank")
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.body["model"] == "rerank-v3.5"
    assert asked.body["documents"] == ["a", "q q", "q", "q q q"]
    assert asked.body["top_n"] == 2


def test_cost_is_unknown_unless_it_is_told_and_no_passages_cost_nothing() -> None:
    with ModelServer(respond=reranker(count)) as server:
        assert rerank(server).cost_usd is None
        assert rerank(server, ()) == Ranking((), cost_usd=0.0)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (json_reply({"message": f"bad key {KEY}"}, 401), "authentication"),
        (json_reply({"message": "slow down"}, 429), "rate_limited"),
        (json_reply({"message": "it broke"}, 500), "server_error"),
        (json_reply({"message": "it broke"}, 400), "bad_request"),
        (broken("no json"), "malformed"),
        (json_reply({"id": "r", "results": []}), "malformed"),
        (json_reply({"id": "r", "results": [{"index": 9, "relevance_score": 1}]}), "malformed"),
        (HANG, "timeout"),
    ],
)
def test_a_vendor_that_fails_is_asked_once(reply: Any, kind: str) -> None:
    with ModelServer(reply) as server, pytest.raises(ServiceError) as raised:
        rerank(server, timeout_s=0.5 if reply is HANG else 30)
    assert raised.value.kind == kind
    assert KEY not in str(raised.value)
    assert "litellm." not in str(raised.value)
    assert len(server.requests) == 1


def test_identity_and_mistakes_in_the_config() -> None:
    known = LiteLLM(model="cohere/rerank-v3.5").identity
    assert known["base_url"] is None
    assert str(known["sdk"]).startswith("litellm 1.")
    for options in (
        {"model": "rerank"},
        {"model": "a/b", "base_url": "x"},
        {"model": "a/b", "k": 1},
    ):
        with pytest.raises(ValidationError):
            LiteLLM.model_validate(options)


def test_litellm_is_not_imported_before_it_is_used() -> None:
    code = (
        "import sys; from harness.plugins.rerankers.litellm import LiteLLM;"
        "dict(LiteLLM(model='cohere/x').identity); sys.exit('litellm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
