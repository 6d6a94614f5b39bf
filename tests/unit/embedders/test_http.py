"""Embeddings by an endpoint: real requests over loopback, real errors."""

import asyncio
import json

import numpy as np
import pytest
from embedding_server import embedding_server
from model_server import CUT, ModelServer, Reply, error

from harness.core.chat import ServiceError
from harness.plugins.embedders.http import Http

VECTORS = {"refund": (1.0, 0.0), "late": (0.0, 2.0), "both": (3.0, 4.0)}
KEY = "sk-embedding-0123456789"


def embed(server, texts, **options):
    embedder = Http(base_url=server.openai_url, model="e5", **options)

    async def run():
        try:
            return await embedder.embed(texts)
        finally:
            await embedder.close()

    return asyncio.run(run())


def test_unit_vectors_in_the_order_of_the_texts_and_their_cost():
    with ModelServer(respond=embedding_server(VECTORS)) as server:
        vectors, cost_usd = embed(
            server,
            ["refund", "late late", "both", "unheard"],
            batch_size=3,
            usd_per_million_tokens=0.5,
        )

    np.testing.assert_allclose(vectors, [[1, 0], [0, 1], [0.6, 0.8], [0, 0]])
    assert cost_usd == pytest.approx(5 * 0.5e-6)
    assert [len(asked.body["input"]) for asked in server.requests] == [3, 1]
    assert all(asked.path.endswith("/embeddings") for asked in server.requests)


@pytest.mark.parametrize(("price", "usage"), [(None, True), (0.5, False)])
def test_unknown_price_or_usage_is_unknown_cost(price, usage):
    with ModelServer(respond=embedding_server(VECTORS, usage=usage)) as server:
        _, cost_usd = embed(server, ["refund"], usd_per_million_tokens=price)

    assert cost_usd is None


def test_key_and_dimensions_are_sent(monkeypatch):
    monkeypatch.setenv("EMBED_KEY", KEY)
    with ModelServer(respond=embedding_server(VECTORS)) as server:
        embed(server, ["refund"], api_key_env="EMBED_KEY", dimensions=2)

    (asked,) = server.requests
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.body == {"model": "e5", "input": ["refund"], "dimensions": 2}


def test_missing_key_is_an_error_before_anything_is_sent(monkeypatch):
    monkeypatch.delenv("EMBED_KEY", raising=False)
    with ModelServer() as server, pytest.raises(ServiceError, match="EMBED_KEY") as caught:
        embed(server, ["refund"], api_key_env="EMBED_KEY")

    assert caught.value.kind == "authentication"
    assert not server.requests


def test_server_errors_are_told_without_the_key(monkeypatch):
    monkeypatch.setenv("EMBED_KEY", KEY)
    refusal = error(429, f"slow down, {KEY}", retry_after="2")
    with ModelServer(refusal) as server, pytest.raises(ServiceError) as caught:
        embed(server, ["refund"], api_key_env="EMBED_KEY")

    assert (caught.value.kind, caught.value.retry_after_s) == ("rate_limited", 2.0)
    assert KEY not in str(caught.value)


def test_broken_connection_is_told():
    with ModelServer(CUT) as server, pytest.raises(ServiceError) as caught:
        embed(server, ["refund"])

    assert caught.value.retryable


def item(embedding, index=0):
    return {"index": index, "embedding": embedding}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"data": None},
        {"data": []},
        {"data": [{}]},
        {"data": [item([1.0], index=1)]},
        {"data": [item([1.0]), item([1.0], index=1)]},
        {"data": [item([])]},
        {"data": [item("AAAA")]},
        {"data": [item(["1", None])]},
        {"data": [item([[1.0]])]},
        {"data": [item([10**400])]},
        {"data": [item(1.0)]},
        {"data": {"index": 0}},
        {"data": [3]},
    ],
)
def test_answer_without_vectors_is_malformed(body):
    reply = Reply([json.dumps(body).encode()])
    with ModelServer(reply) as server, pytest.raises(ServiceError) as caught:
        embed(server, ["refund"])

    assert caught.value.kind == "malformed"


def test_identity_names_server_and_model_and_no_key():
    embedder = Http(base_url="http://127.0.0.1:1/v1", model="e5", api_key_env="EMBED_KEY")

    assert embedder.identity == {
        "kind": "http",
        "model": "e5",
        "base_url": "http://127.0.0.1:1/v1",
        "dimensions": None,
    }
