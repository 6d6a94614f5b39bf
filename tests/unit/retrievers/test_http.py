"""Passages from a service that answers JSON, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server import CUT, HANG, Asked, ModelServer, Reply, broken, error
from pydantic import ValidationError
from search_engines import json_reply

from harness.core.chat import ServiceError
from harness.core.passage import Passage, Query, Ranking
from harness.plugins.retrievers.http import Http
from harness.plugins.search.engines import Places, ranked

KEY = "key-that-nobody-may-see"


def retrieve(server: ModelServer, query: Query | None = None, **options: Any) -> Ranking:
    async def run() -> Ranking:
        retriever = Http.model_validate({"url": f"{server.url}/search", **options})
        assert not retriever.needs_corpus
        await retriever.open((), Path())
        try:
            return await retriever.retrieve(query or Query("what", 3))
        finally:
            await retriever.close()

    return asyncio.run(run())


def failure(reply: Any, query: Query | None = None, **options: Any) -> ServiceError:
    with ModelServer(reply) as server, pytest.raises(ServiceError) as raised:
        retrieve(server, query, **options)
    return raised.value


def item(identifier: Any, text: Any = "t", **more: Any) -> dict[str, Any]:
    return {"id": identifier, "text": text, **more}


def test_the_request_and_the_whole_of_a_passage() -> None:
    one = item(
        "d#a", "Text.", score=0.5, document="d", sections=["d#a"], metadata={"team": "x"}, more=1
    )
    with ModelServer(json_reply({"passages": [one]})) as server:
        found = retrieve(server, Query("what?", 7, {"team": "x", "year": {"at_least": 2020}}))
    assert found.passages == (
        Passage("d#a", "Text.", 0.5, "d", sections=("d#a",), metadata={"team": "x"}),
    )
    asked = server.requests[0]
    assert asked.path == "/search"
    assert asked.body == {
        "query": "what?",
        "limit": 7,
        "where": {"team": "x", "year": {"at_least": 2020}},
    }


def test_other_names_for_the_parts() -> None:
    body = {"data": {"hits": [{"key": 7, "body": {"content": "T"}, "d": 1.5, "src": "doc"}]}}
    with ModelServer(json_reply(body)) as server:
        found = retrieve(
            server,
            passages="data.hits",
            id_field="key",
            text_field="body.content",
            score_field="d",
            document_field="src",
            metadata_field=None,
        )
    assert found.passages == (Passage("7", "T", 1.5, "doc"),)


def test_equal_scores_stand_in_the_order_of_ids_and_the_list_is_cut() -> None:
    given_items = [
        item("z", score=2), item("c", score=1), item("a", score=1), item("b", score=1), item("0"),
    ]  # fmt: skip
    with ModelServer(json_reply({"passages": given_items})) as server:
        found = retrieve(server, Query("q", 3))
    assert [passage.id for passage in found.passages] == ["z", "a", "b"]


def test_without_scores_the_order_is_the_services() -> None:
    with ModelServer(json_reply({"passages": [item("b"), item("a")]})) as server:
        found = retrieve(server)
    assert [(passage.id, passage.score) for passage in found.passages] == [("b", None), ("a", None)]


def test_nothing_found_is_no_error() -> None:
    with ModelServer(json_reply({"passages": []})) as server:
        assert retrieve(server).passages == ()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "no list at 'passages'"),
        ({"passages": {}}, "no list at 'passages'"),
        ({"passages": ["x"]}, "no object"),
        ({"passages": [{"text": "t"}]}, "no id at 'id'"),
        ({"passages": [item(None)]}, "no id at 'id'"),
        ({"passages": [item(True)]}, "no id at 'id'"),
        ({"passages": [item("")]}, "no id at 'id'"),
        ({"passages": [item("a", None)]}, "'a' has no text at 'text'"),
        ({"passages": [{"id": "a"}]}, "'a' has no text at 'text'"),
        ({"passages": [item("a", score="9")]}, "the score of 'a' is no number"),
        ({"passages": [item("a"), item("a")]}, "an id comes twice"),
        ({"passages": [item("1"), item(1)]}, "an id comes twice"),
    ],
)
def test_what_is_no_list_of_passages_is_malformed(body: Any, says: str) -> None:
    told = failure(json_reply(body))
    assert told.kind == "malformed"
    assert says in told.message


def test_texts_are_bounded_together() -> None:
    passages = [Passage(str(index), "x" * 5_000_000, None) for index in range(5)]
    with pytest.raises(ServiceError, match="more than 20000000 characters"):
        ranked(passages, 1)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(401), "authentication"),
        (error(429, retry_after="3"), "rate_limited"),
        (error(503), "overloaded"),
        (error(500), "server_error"),
        (error(400), "bad_request"),
        (broken("no json"), "malformed"),
        (broken(b"\xff"), "malformed"),
        (broken('{"passages": NaN}'), "malformed"),
        (CUT, "connection"),
    ],
)
def test_a_service_that_fails(reply: Any, kind: str) -> None:
    assert failure(reply).kind == kind


def test_a_service_that_never_answers_or_never_ends_is_left() -> None:
    assert failure(HANG, timeout_s=0.2).kind == "timeout"
    endless = Reply([b'{"passages": [' + b" " * 1_000_000], then="repeat")
    assert failure(endless).kind == "malformed"


@pytest.mark.parametrize(
    "where",
    [
        {"team": None},
        {"team": {"like": "x"}},
        {"team": {}},
        {"team": {"any_of": [["x"]]}},
        {"team": {"before": ["2020"]}},
        {"team": {"after": True}},
        {"te am": "x"},
        {"": "x"},
        {"team": float("inf")},
        {"team": [{}]},
    ],
)
def test_a_condition_that_is_none_is_an_error_before_anything_is_asked(
    where: Mapping[str, Any],
) -> None:
    with ModelServer() as server, pytest.raises(ServiceError, match=r"^where") as raised:
        retrieve(server, Query("q", 3, where))
    assert raised.value.kind == "bad_request"
    assert server.requests == []


def test_the_key_is_sent_and_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_KEY", KEY)
    replies = json_reply({"passages": []}), json_reply({"error": f"bad {KEY}"}, 401)
    with ModelServer(*replies) as server:
        retrieve(server, api_key_env="SEARCH_KEY")
        assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
        with pytest.raises(ServiceError) as raised:
            retrieve(server, api_key_env="SEARCH_KEY")
    assert KEY not in str(raised.value)
    monkeypatch.delenv("SEARCH_KEY")
    told = failure(json_reply({}), api_key_env="SEARCH_KEY")
    assert (told.kind, told.message) == (
        "authentication",
        "the environment variable SEARCH_KEY is not set",
    )


def test_cost_is_unknown_unless_it_is_told() -> None:
    with ModelServer(respond=lambda _: json_reply({"passages": []})) as server:
        assert retrieve(server).cost_usd is None
        assert retrieve(server, usd_per_call=0).cost_usd == 0
        assert retrieve(server, usd_per_call=0.005).cost_usd == 0.005


def test_many_queries_at_once_each_get_their_own_answer() -> None:
    def respond(asked: Asked) -> Reply:
        return json_reply({"passages": [item(asked.body["query"])]})

    async def run(url: str) -> list[str]:
        retriever = Http(url=url)
        try:
            every = await asyncio.gather(
                *(retriever.retrieve(Query(f"q{number}", 1)) for number in range(20))
            )
        finally:
            await retriever.close()
        return [ranking.passages[0].id for ranking in every]

    with ModelServer(respond=respond) as server:
        assert asyncio.run(run(server.url)) == [f"q{number}" for number in range(20)]


def test_identity_and_mistakes_in_the_config() -> None:
    assert Http(url="http://h:1/x").identity == {"base_url": "http://h:1/x"}
    for options in ({}, {"url": "h"}, {"url": "http://u:p@h"}, {"url": "http://h", "k": 1}):
        with pytest.raises(ValidationError):
            Http.model_validate(options)


hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "text", "score", "metadata", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(hostile, max_size=4))
def test_any_json_is_passages_or_malformed(items: list[Any]) -> None:
    places = Places(id="id", text="text", score="score", metadata="metadata")
    try:
        found = ranked([places.passage(one) for one in items], 2)
    except ServiceError as told:
        assert told.message  # noqa: PT017 - either outcome will do, another error will not
        return
    assert len(found) <= 2
    assert all(passage.id and isinstance(passage.text, str) for passage in found)
