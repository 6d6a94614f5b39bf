"""Passages from a node on loopback that speaks OpenSearch's wire format and really filters."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from model_server import HANG, Asked, ModelServer, Reply, error
from pydantic import ValidationError
from search_engines import json_reply, open_search

from harness.core.chat import ServiceError
from harness.core.passage import Passage, Query, Ranking
from harness.plugins.retrievers.opensearch import OpenSearch

DOCS = {
    "1": {"text": "refund of a late order", "team": "sales", "year": 2023, "tags": ["a", "b"]},
    "2": {"text": "refund of a ticket", "team": "legal", "year": 2021, "title": "order"},
    "3": {"text": "order", "team": "sales", "year": 2020, "vector": [0.1] * 9},
    "4": {"text": "refund order", "year": 2024, "name": "Big Team"},
}
KEYWORD, TEXT = {"type": "keyword"}, {"type": "text"}
MAPPING = {
    "text": TEXT,
    "title": TEXT,
    "team": TEXT | {"fields": {"keyword": KEYWORD}},
    "tags": KEYWORD,
    "name": TEXT,
    "year": {"type": "integer"},
    "vector": {"type": "knn_vector", "dimension": 9},
    "meta": {"properties": {"region": KEYWORD}},
}
PASSWORD = "a password: ünseen"  # noqa: S105 - no one's


def retrieve(server: ModelServer, query: Query, *, opened: bool = True, **options: Any) -> Ranking:
    async def run() -> Ranking:
        retriever = OpenSearch.model_validate({"base_url": server.url, "index": "docs", **options})
        try:
            if opened:
                await retriever.open((), Path())
            return await retriever.retrieve(query)
        finally:
            await retriever.close()

    return asyncio.run(run())


def ids(where: Any = None, text: str = "refund order", limit: int = 9, **options: Any) -> list[str]:
    with ModelServer(respond=open_search(DOCS, MAPPING)) as server:
        ranking = retrieve(server, Query(text, limit, where or {}), **options)
    return [passage.id for passage in ranking.passages]


def test_best_first_and_ties_by_id() -> None:
    assert ids() == ["1", "4", "2", "3"]
    assert ids(limit=3) == ["1", "4", "2"]
    assert ids(text="nothing") == []


def test_a_passage_has_its_metadata_but_no_vectors() -> None:
    with ModelServer(respond=open_search(DOCS, MAPPING)) as server:
        found = retrieve(server, Query("order", 1, {"year": 2020}), document_field="team")
        body = server.bodies[-1]
        assert server.requests[-1].path == "/docs/_search"
    assert found.passages == (
        Passage("3", "order", 1.0, "sales", metadata={"team": "sales", "year": 2020}),
    )
    assert found.cost_usd == 0
    assert body["_source"] == {"excludes": ["vector"]}


def test_several_fields_with_weights() -> None:
    assert ids(text="order", fields=["text", "title^3"]) == ["2", "1", "3", "4"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"team": "sales"}, ["1", "3"]),
        ({"team": ["sales", "legal"]}, ["1", "2", "3"]),
        ({"team": {"any_of": ["legal"]}}, ["2"]),
        ({"team": {"any_of": []}}, []),
        ({"team": {"none_of": ["sales"]}}, ["4", "2"]),
        ({"tags": "b"}, ["1"]),
        ({"tags": {"none_of": ["b"]}}, ["4", "2", "3"]),
        ({"year": {"before": 2021}}, ["3"]),
        ({"year": {"at_most": 2021}}, ["2", "3"]),
        ({"year": {"after": 2023}}, ["4"]),
        ({"year": {"at_least": 2023}}, ["1", "4"]),
        ({"year": {"after": 2020, "before": 2023}}, ["2"]),
        ({"team": "sales", "year": {"at_least": 2021}}, ["1"]),
        ({"year": {"at_least": "2023"}}, ["1", "4"]),
        ({"meta.region": "eu"}, []),
    ],
)
def test_conditions_hold_in_the_engine(where: Any, expected: list[str]) -> None:
    assert ids(where) == expected


def test_whole_values_are_compared_never_words_of_analysed_text() -> None:
    with ModelServer(respond=open_search(DOCS, MAPPING)) as server:
        retrieve(server, Query("order", 9, {"team": "sales"}))
        assert server.bodies[-1]["query"]["bool"]["filter"] == [
            {"terms": {"team.keyword": ["sales"]}}
        ]
        with pytest.raises(ServiceError, match="a keyword, whose order is of texts"):
            retrieve(server, Query("order", 9, {"tags": {"after": 9}}))
        for where in ({"name": {"none_of": ["Big Team"]}}, {"name": "Big Team"}):
            with pytest.raises(ServiceError, match=r"where\.name: the field name is analysed text"):
                retrieve(server, Query("order", 9, where))


def test_types_are_looked_up_for_conditions_even_if_it_was_never_opened() -> None:
    assert ids({"team": "legal"}, opened=False) == ["2"]

    def no_mapping(asked: Asked) -> Reply:
        if asked.path.endswith("_mapping"):
            return json_reply({"error": {"reason": "no permissions"}, "status": 403}, 403)
        return open_search(DOCS, MAPPING)(asked)

    with ModelServer(respond=no_mapping) as server:
        assert retrieve(server, Query("order", 1), opened=False).passages
        with pytest.raises(ServiceError) as raised:
            retrieve(server, Query("order", 1, {"team": "legal"}), opened=False)
    assert raised.value.kind == "authentication"


def test_metadata_under_a_field_of_their_own() -> None:
    docs = {"1": {"text": "x", "id": "d#a", "meta": {"region": "eu"}, "s": ["d#a"]}}
    options = {"metadata_field": "meta", "id_field": "id", "sections_field": "s"}
    with ModelServer(respond=open_search(docs, MAPPING)) as server:
        found = retrieve(server, Query("x", 1, {"region": "eu"}), **options)
    assert found.passages == (
        Passage("d#a", "x", 1.0, sections=("d#a",), metadata={"region": "eu"}),
    )


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(401), "authentication"),
        (error(429), "rate_limited"),
        (error(502), "server_error"),
        (json_reply({"timed_out": True, "hits": {"hits": []}}), "timeout"),
        (json_reply({"hits": {}}), "malformed"),
        (json_reply({"hits": {"hits": [{"_id": "1", "_source": {}}]}}), "malformed"),
        (json_reply({"hits": {"hits": [{"_source": {"text": "x"}}]}}), "malformed"),
        (HANG, "timeout"),
    ],
)
def test_an_engine_that_fails(reply: Any, kind: str) -> None:
    with ModelServer(reply) as server, pytest.raises(ServiceError) as raised:
        retrieve(server, Query("q", 1), opened=False, timeout_s=0.3 if reply is HANG else 30)
    assert raised.value.kind == kind


def test_opening_tells_a_missing_index_and_learns_the_version() -> None:
    async def identity(url: str, index: str) -> Any:
        retriever = OpenSearch(base_url=url, index=index)
        try:
            await retriever.open((), Path())
            return retriever.identity
        finally:
            await retriever.close()

    with ModelServer(respond=open_search(DOCS, MAPPING)) as server:
        assert asyncio.run(identity(server.url, "docs")) == {
            "engine": "opensearch",
            "base_url": server.url,
            "index": "docs",
            "version": "3.1.0",
        }
        with pytest.raises(ServiceError, match="no such index") as raised:
            asyncio.run(identity(server.url, "do cs/../x"))
    assert raised.value.kind == "not_found"
    assert server.requests[-1].path == "/do cs/../x/_mapping"  # nothing of it led elsewhere


def test_logins_are_sent_and_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_USER", "me")
    monkeypatch.setenv("OS_PASSWORD", PASSWORD)
    monkeypatch.setenv("OS_KEY", "key-that-nobody-may-see")
    seen = []

    def echo(asked: Asked) -> Reply:
        seen.append(asked.headers["Authorization"])
        return json_reply({"error": f"no: {seen[-1]}"}, 403)

    with ModelServer(respond=echo) as server:
        for login in (
            {"api_key_env": "OS_KEY"},
            {"user_env": "OS_USER", "password_env": "OS_PASSWORD"},
        ):
            with pytest.raises(ServiceError) as raised:
                retrieve(server, Query("q", 1), opened=False, **login)
            assert seen[-1].partition(" ")[2] not in str(raised.value)
        assert seen == [
            "ApiKey key-that-nobody-may-see",
            "Basic bWU6YSBwYXNzd29yZDogw7xuc2Vlbg==",
        ]
        monkeypatch.delenv("OS_PASSWORD")
        with pytest.raises(ServiceError, match="OS_PASSWORD is not set"):
            retrieve(server, Query("q", 1), opened=False, **login)


@pytest.mark.parametrize(
    "options",
    [
        {"user_env": "A"},
        {"password_env": "A"},
        {"user_env": "A", "password_env": "B", "api_key_env": "C"},
        {"fields": [""]},
        {"index": ""},
    ],
)
def test_mistakes_are_config_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OpenSearch.model_validate({"base_url": "http://h", "index": "i", **options})
