"""Passages from Qdrant: its local mode, in a folder, and its REST interface before the same."""

from __future__ import annotations

import asyncio
import gc
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server import CUT, HANG, ModelServer, broken
from onnx_folder import encoder_folder
from pydantic import ValidationError
from qdrant_client import QdrantClient, models
from search_engines import json_reply, qdrant

from harness.core.chat import ServiceError
from harness.core.passage import Passage, Query, Ranking
from harness.plugins.retrievers.qdrant import Qdrant
from harness.plugins.search.conditions import conditions, spellings
from harness.plugins.search.metadata_filter import passes

WORDS = {"refund": [1, 0, 0], "order": [0, 1, 0], "ticket": [0, 0, 1]}
POINTS: tuple[tuple[int, list[float], dict[str, Any]], ...] = (
    (2, [1, 0, 0], {"team": "sales", "year": 2023, "day": "2023-05-01T10:00:00Z"}),
    (1, [1, 0, 0], {"team": "legal", "year": 2021.5, "tags": ["x", "y"]}),
    (3, [1, 1, 0], {"team": "sales", "year": 2020, "open": True}),
    (4, [0, 0, 1], {"year": "2024", "nested": {"region": "eu"}}),
)
KEY = "key-that-nobody-may-see"


def fill(client: QdrantClient, distance: str = "Cosine", name: str = "docs") -> None:
    params = models.VectorParams(size=3, distance=models.Distance(distance))
    client.create_collection(name, vectors_config=params)
    points = [
        models.PointStruct(
            id=number,
            vector=vector,
            payload={
                "text": f"text {number}",
                "key": f"doc#{number}",
                "doc": "doc",
                "meta": metadata,
                **metadata,
            },
        )
        for number, vector, metadata in POINTS
    ]
    client.upsert(name, points)


@pytest.fixture
def encoder(tmp_path: Path) -> dict[str, Any]:
    folder = encoder_folder(tmp_path / "encoder", WORDS)
    return {"kind": "local", "model": str(folder)}


@pytest.fixture
def local(tmp_path: Path, encoder: dict[str, Any]) -> dict[str, Any]:
    """Options of a collection in a folder."""
    folder = tmp_path / "local"
    client = QdrantClient(path=str(folder))
    fill(client)
    fill(client, "Euclid", "by_distance")
    client.close()
    return {"path": str(folder), "collection": "docs", "embedder": encoder}


@contextmanager
def server(distance: str = "Cosine") -> Iterator[ModelServer]:
    client = QdrantClient(":memory:", force_disable_check_same_thread=True)
    fill(client, distance)
    try:
        with ModelServer(respond=qdrant(client)) as running:
            yield running
    finally:
        client.close()


def retrieve(options: Mapping[str, Any], query: Query, *, opened: bool = True) -> Ranking:
    async def run() -> Ranking:
        retriever = Qdrant.model_validate(options)
        try:
            if opened:
                await retriever.open((), Path())
            return await retriever.retrieve(query)
        finally:
            await retriever.close()

    return asyncio.run(run())


@pytest.fixture(params=["local", "server"])
def ids(
    request: pytest.FixtureRequest, local: dict[str, Any], encoder: dict[str, Any]
) -> Iterator[Callable[..., list[str]]]:
    """The ids that a query finds, in both modes."""

    def asker(options: dict[str, Any]) -> Callable[..., list[str]]:
        def ask(where: Any = None, limit: int = 9, **more: Any) -> list[str]:
            found = retrieve({**options, **more}, Query("refund", limit, where or {}))
            return [passage.id for passage in found.passages]

        return ask

    if request.param == "local":
        yield asker(local)
        return
    with server() as running:
        yield asker({"url": running.url, "collection": "docs", "embedder": encoder})


def test_nearest_first_and_ties_by_id(ids: Callable[..., list[str]]) -> None:
    assert ids() == ["1", "2", "3", "4"]
    assert ids(limit=3) == ["1", "2", "3"]
    assert ids(exact=False) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"team": "sales"}, ["2", "3"]),
        ({"team": ["sales", "legal"]}, ["1", "2", "3"]),
        ({"team": {"any_of": []}}, []),
        ({"team": {"none_of": ["sales"]}}, ["1", "4"]),
        ({"team": {"none_of": []}}, ["1", "2", "3", "4"]),
        ({"tags": "x"}, ["1"]),
        ({"tags": {"none_of": ["x"]}}, ["2", "3", "4"]),
        ({"open": True}, ["3"]),
        ({"year": 2023}, ["2"]),
        ({"year": 2021.5}, ["1"]),
        ({"year": "2024"}, ["4"]),
        ({"year": {"before": 2021.5}}, ["3"]),
        ({"year": {"at_most": 2021.5}}, ["1", "3"]),
        ({"year": {"after": 2021}}, ["1", "2"]),
        ({"year": {"at_least": 2021, "before": 2023}}, ["1"]),
        ({"year": "2023"}, ["2"]),
        ({"year": 2024}, ["4"]),
        ({"year": {"none_of": ["2023", "2020"]}}, ["1", "4"]),
        ({"open": "true"}, ["3"]),
        ({"year": {"at_least": "2021"}}, ["1", "2"]),
        ({"day": {"before": "2023-05-01"}}, []),
        ({"day": {"at_most": "2023-05-01"}}, ["2"]),
        ({"day": {"at_least": "2023-05-01"}}, ["2"]),
        ({"day": {"after": "2023-05-01"}}, []),
        ({"day": {"after": "2023-04-30"}}, ["2"]),
        ({"day": {"at_least": "2023-05-01T10:00:00+00:00"}}, ["2"]),
        ({"nested.region": "eu"}, ["4"]),
        ({"team": "sales", "open": True}, ["3"]),
        ({"team": {"any_of": ["sales", "legal"], "none_of": ["sales"]}}, ["1"]),
    ],
)
def test_conditions_hold_in_the_engine(
    ids: Callable[..., list[str]], where: Any, expected: list[str]
) -> None:
    assert ids(where) == expected
    assert ids(where, metadata_field="meta") == expected
    by_harness = {str(number) for number, _, held in POINTS if passes(held, where)}
    assert set(expected) <= by_harness  # an engine may be stricter, never laxer


def test_conditions_hold_before_the_cut(ids: Callable[..., list[str]]) -> None:
    assert ids({"nested.region": "eu"}, limit=1) == ["4"]


def test_a_text_that_is_no_date_cannot_be_ordered(local: dict[str, Any]) -> None:
    for text in ("b", "2023-13-01", "", "9999-12-31"):
        with pytest.raises(ServiceError, match="needs a number or a date") as raised:
            retrieve(local, Query("refund", 1, {"team": {"after": text}}))
        assert raised.value.kind == "bad_request"


def test_the_whole_of_a_passage(local: dict[str, Any]) -> None:
    fields = {
        "id_field": "key",
        "document_field": "doc",
        "sections_field": "key",
        "metadata_field": "meta",
    }
    found = retrieve({**local, **fields}, Query("refund", 1, {"team": "sales"}))
    (passage,) = found.passages
    assert passage == Passage(
        "doc#2", "text 2", 1.0, "doc", sections=("doc#2",), metadata=POINTS[0][2]
    )
    assert found.cost_usd == 0
    assert found.embed_s is not None
    assert retrieve({**local, "usd_per_call": 0.1}, Query("refund", 1)).cost_usd == 0.1


@pytest.mark.parametrize("opened", [True, False])
def test_a_distance_is_turned_into_a_score(
    local: dict[str, Any], encoder: dict[str, Any], opened: bool
) -> None:
    expected = [("1", 0.0), ("2", 0.0), ("3", -1.0), ("4", -(2**0.5))]
    by_distance = {**local, "collection": "by_distance"}
    with server("Euclid") as running:
        remote = {"url": running.url, "collection": "docs", "embedder": encoder}
        for options in (by_distance, remote):
            found = retrieve(options, Query("refund", 9), opened=opened).passages
            assert [passage.id for passage in found] == [one for one, _ in expected]
            scores = [passage.score for passage in found]
            assert scores == pytest.approx([score for _, score in expected])


def test_named_vectors(tmp_path: Path, encoder: dict[str, Any]) -> None:
    client = QdrantClient(path=str(tmp_path / "named"))
    sizes = {"small": 2, "dense": 3}
    config = {
        name: models.VectorParams(size=size, distance=models.Distance.DOT)
        for name, size in sizes.items()
    }
    client.create_collection("docs", vectors_config=config)
    vectors = {"small": [1.0, 0.0], "dense": [1.0, 0.0, 0.0]}
    client.upsert("docs", [models.PointStruct(id=1, vector=vectors, payload={"text": "t"})])
    client.close()
    options = {"path": str(tmp_path / "named"), "collection": "docs", "embedder": encoder}
    assert retrieve({**options, "vector": "dense"}, Query("refund", 1)).passages[0].score == 1
    for vector in ("nothing", None, "small"):
        with pytest.raises(ServiceError) as raised:
            retrieve({**options, "vector": vector}, Query("refund", 1))
        assert not raised.value.retryable


def test_the_request_of_a_server(encoder: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_KEY", KEY)
    with server() as running:
        options = {
            "url": running.url,
            "collection": "docs",
            "embedder": encoder,
            "api_key_env": "QDRANT_KEY",
        }
        retrieve(options, Query("refund", 2, {"team": "sales"}))
        asked = running.requests[-1]
    assert asked.path == "/collections/docs/points/query"
    assert asked.headers["api-key"] == KEY
    assert asked.body == {
        "query": [1.0, 0.0, 0.0],
        "limit": 2,
        "with_payload": True,
        "params": {"exact": True},
        "filter": {"must": [{"should": [{"key": "team", "match": {"value": "sales"}}]}]},
    }


def result(*points: Any) -> dict[str, Any]:
    return {"result": {"points": list(points)}, "status": "ok", "time": 0.0}


INFO = json_reply({"result": {"config": {"params": {"vectors": {"distance": "Cosine"}}}}})


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (json_reply({"status": {"error": f"forbidden {KEY}"}}, 403), "authentication"),
        (json_reply({"status": {"error": "x"}}, 404), "not_found"),
        (json_reply({"status": {"error": "Vector dimension error"}}, 400), "bad_request"),
        (json_reply({"status": {"error": "x"}}, 500), "server_error"),
        (json_reply({"status": {"error": "x"}}, 429), "rate_limited"),
        (json_reply({"result": None}), "malformed"),
        (json_reply(result({"id": 1, "score": 1.0, "payload": {}})), "malformed"),
        (json_reply(result({"id": 1, "score": 1.0})), "malformed"),
        (json_reply(result({"score": 1.0, "payload": {"text": "t"}})), "malformed"),
        (json_reply(result(*[{"id": 1, "score": 1.0, "payload": {"text": "t"}}] * 2)), "malformed"),
        (broken("no json"), "malformed"),
        (CUT, "connection"),
        (HANG, "timeout"),
    ],
)
def test_a_server_that_fails(
    encoder: dict[str, Any], reply: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_KEY", KEY)
    options = {
        "collection": "docs",
        "embedder": encoder,
        "api_key_env": "QDRANT_KEY",
        "timeout_s": 0.5 if reply is HANG else 30,
    }
    with ModelServer(INFO, reply) as running, pytest.raises(ServiceError) as raised:
        retrieve({**options, "url": running.url}, Query("refund", 1), opened=False)
    assert raised.value.kind == kind
    assert KEY not in str(raised.value)


def test_opening_tells_a_missing_collection_and_learns_the_version(
    local: dict[str, Any], encoder: dict[str, Any]
) -> None:
    async def identity(options: Mapping[str, Any]) -> Mapping[str, Any]:
        retriever = Qdrant.model_validate(options)
        try:
            await retriever.open((), Path())
            return retriever.identity
        finally:
            await retriever.close()

    with server() as running:
        remote = {"url": running.url, "collection": "docs", "embedder": encoder}
        known = asyncio.run(identity(remote))
        assert (known["base_url"], known["version"]) == (running.url, "1.16.0")
        assert known["embedder"]["model"] == "encoder"
        for options in (remote, local):
            with pytest.raises(ServiceError) as raised:
                asyncio.run(identity({**options, "collection": "nothing"}))
            assert raised.value.kind == "not_found"
    assert "local mode" in str(asyncio.run(identity(local))["version"])


def test_many_queries_at_once(local: dict[str, Any]) -> None:
    async def run() -> list[str]:
        retriever = Qdrant.model_validate(local)
        try:
            every = await asyncio.gather(
                *(retriever.retrieve(Query(word, 2)) for word in [*WORDS] * 4)
            )
        finally:
            await retriever.close()
        return [ranking.passages[0].id for ranking in every]

    assert asyncio.run(run()) == ["1", "3", "4"] * 4


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_folder_in_use_is_told(local: dict[str, Any]) -> None:
    client = QdrantClient(path=local["path"])
    try:
        with pytest.raises(ServiceError) as raised:
            retrieve(local, Query("refund", 1))
    finally:
        client.close()
    assert raised.value.kind == "connection"
    del raised
    gc.collect()  # qdrant-client leaves the lock file of the folder open


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    where=st.dictionaries(
        st.sampled_from(["team", "year", "tags", "open", "nested.region", "x"]),
        st.text(max_size=3)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.dictionaries(
            st.sampled_from(["any_of", "none_of", "at_least"]),
            st.lists(st.text(max_size=3) | st.integers(-5, 3000) | st.booleans(), max_size=3)
            | st.integers(-5, 3000),
            min_size=1,
        ),
        max_size=3,
    )
)
def test_every_filter_is_one_that_qdrant_reads(encoder: dict[str, Any], where: Any) -> None:
    retriever = Qdrant(url="http://h", collection="c", embedder=encoder)
    try:
        held = retriever._filter(conditions(where))
    except ServiceError as told:
        assert told.kind == "bad_request"  # noqa: PT017 - a list where one limit is needed
        return
    parsed = models.Filter.model_validate(json.loads(json.dumps(held)))
    wanted = (one for one in conditions(where) if one.operator == "none_of")
    assert len(parsed.must_not or []) == sum(len(spellings(one.values)) for one in wanted)


@pytest.mark.parametrize(
    "more",
    [
        {"path": None},
        {"url": "http://h"},
        {"path": "nowhere"},
        {"embedder": {"kind": "x"}},
        {"collection": ""},
        {"top_k": 3},
    ],
)
def test_mistakes_are_config_errors(local: dict[str, Any], more: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Qdrant.model_validate(local)
    with pytest.raises(ValidationError):
        Qdrant.model_validate({**local, **more})


def test_a_folder_that_is_none_is_not_made(tmp_path: Path, encoder: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="no folder of a local Qdrant collection"):
        Qdrant(path=str(tmp_path / "new"), collection="c", embedder=encoder)
    assert not (tmp_path / "new").exists()
