"""Exact search among vectors, kept block by block."""

import asyncio

import numpy as np
import pytest
from embedding_server import embedding_server
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server import ModelServer, error
from onnx_folder import encoder_folder
from pydantic import ValidationError

from harness.core.chat import ServiceError
from harness.core.passage import Chunk, Query
from harness.plugins.retrievers.dense import Dense
from harness.plugins.search.passage_index import PassageIndex

WORDS = {"refund": (1.0, 0.0, 0.0), "late": (0.0, 1.0, 0.0), "parcel": (0.0, 0.0, 1.0)}
CHUNKS = [
    Chunk("c", "c", "late parcel", metadata={"audience": "staff"}),
    Chunk("a", "a", "refund", ("late",), metadata={"audience": "staff"}),
    Chunk("b", "b", "refund refund", metadata={"audience": "public"}),
]


def dense(folder, **options):
    return Dense.model_validate({"embedder": {"kind": "local", "model": str(folder)}, **options})


def search(retriever, chunks, text, cache, limit=10, where=None):
    async def run():
        try:
            await retriever.open(chunks, cache)
            return await retriever.retrieve(Query(text, limit, where or {}))
        finally:
            await retriever.close()

    return asyncio.run(run())


def scores(ranking):
    return {found.id: found.score for found in ranking.passages}


def test_scores_are_cosines_of_headings_and_text(tmp_path):
    model = encoder_folder(tmp_path / "m", WORDS)

    found = search(dense(model), CHUNKS, "refund", tmp_path / "cache")

    assert [p.id for p in found.passages] == ["b", "a", "c"]
    assert scores(found) == pytest.approx({"b": 1.0, "a": 0.5**0.5, "c": 0.0}, abs=1e-6)
    assert found.embed_s > 0
    assert found.cost_usd == 0.0


def test_filter_comes_before_the_ranking(tmp_path):
    model = encoder_folder(tmp_path / "m", WORDS)

    found = search(dense(model), CHUNKS, "refund", tmp_path, 1, {"audience": "staff"})

    assert [p.id for p in found.passages] == ["a"]


def test_blank_query_and_empty_corpus_find_nothing(tmp_path):
    model = encoder_folder(tmp_path / "m", WORDS)

    assert not search(dense(model), CHUNKS, " \n", tmp_path).passages
    assert not search(dense(model), [], "refund", tmp_path).passages


def test_prefixes_are_put_before_query_and_chunks(tmp_path):
    with ModelServer(respond=embedding_server(WORDS)) as server:
        embedder = {"kind": "http", "base_url": server.openai_url, "model": "e5"}
        retriever = Dense(embedder=embedder, query_prefix="query: ", document_prefix="passage: ")
        found = search(retriever, CHUNKS, "refund", tmp_path)

    assert server.requests[0].body["input"] == [
        "passage: late\nrefund", "passage: refund refund", "passage: late parcel",
    ]  # fmt: skip
    assert server.requests[1].body["input"] == ["query: refund"]
    assert found.cost_usd is None


def test_vectors_are_read_from_the_cache_whatever_changed_elsewhere(tmp_path):
    chunks = [Chunk(f"d{i:04d}", "d", f"late {i}") for i in range(1100)]
    with ModelServer(respond=embedding_server(WORDS)) as server:
        embedder = {"kind": "http", "base_url": server.openai_url, "model": "e5"}
        options = {**embedder, "batch_size": 2048}
        search(Dense(embedder=options), chunks, "late", tmp_path)
        first = len(server.requests)
        search(Dense(embedder=options), chunks, "late", tmp_path)
        second = len(server.requests) - first
        changed = [*chunks[:-1], Chunk("d1099", "d", "refund")]
        found = search(Dense(embedder=options), changed, "refund", tmp_path)
        third = len(server.requests) - first - second

    assert (first, second, third) == (4, 1, 2)  # three blocks and a query; a query; a block and it
    assert found.passages[0].id == "d1099"


def test_what_was_embedded_before_a_failure_is_kept(tmp_path):
    chunks = [Chunk(f"d{i:04d}", "d", f"late {i}") for i in range(1000)]
    answer = embedding_server(WORDS)
    failures = [error(503, "overloaded")]

    def respond(asked):
        late = asked.body["input"][0].startswith("late 5")
        return failures.pop() if late and failures else answer(asked)

    with ModelServer(respond=respond) as server:
        embedder = {"kind": "http", "base_url": server.openai_url, "model": "e5", "batch_size": 512}
        with pytest.raises(ServiceError):
            search(Dense(embedder=embedder), chunks, "late", tmp_path)
        search(Dense(embedder=embedder), chunks, "late", tmp_path)

    assert [len(asked.body["input"]) for asked in server.requests] == [512, 488, 488, 1]


def test_query_vector_of_another_length_is_malformed(tmp_path):
    short = embedding_server({"refund": (1.0, 0.0)})
    long = embedding_server(WORDS)
    with ModelServer(respond=lambda a: (long if len(a.body["input"]) > 1 else short)(a)) as server:
        embedder = {"kind": "http", "base_url": server.openai_url, "model": "e5"}
        with pytest.raises(ServiceError) as caught:
            search(Dense(embedder=embedder), CHUNKS, "refund", tmp_path)

    assert caught.value.kind == "malformed"


def test_same_texts_tie_and_are_in_the_order_of_ids(tmp_path):
    model = encoder_folder(tmp_path / "m", WORDS)
    chunks = [Chunk(name, name, "late parcel " * 3) for name in ("z", "b", "m", "a")]
    padded = [*chunks, Chunk("long", "long", "late " * 40)]

    found = search(dense(model), padded, "parcel", tmp_path, limit=3)

    assert [p.id for p in found.passages] == ["a", "b", "m"]


@pytest.mark.parametrize(
    "embedder", [{}, {"kind": "openai"}, {"kind": "local"}, {"kind": "http", "model": "x"}]
)
def test_embedder_must_be_complete(embedder):
    with pytest.raises(ValidationError):
        Dense.model_validate({"embedder": embedder})


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), max_size=12),
    st.integers(1, 6),
)
@settings(deadline=None)
def test_best_is_a_whole_sort_cut_off(rows, limit):
    chunks = [
        Chunk(f"d{i:02d}", f"d{i}", "", metadata={"in": on}) for i, (_, on) in enumerate(rows)
    ]
    index = PassageIndex(reversed(chunks))
    values = np.array([value for value, _ in rows], np.float32)

    found = index.best(values, limit, {"in": True}, above=0.0)

    expected = sorted(
        (-value, f"d{i:02d}") for i, (value, on) in enumerate(rows) if on and value > 0
    )
    assert [p.id for p in found] == [name for _, name in expected][:limit]
