"""Reciprocal rank fusion, and the two rankings that it fuses."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_folder import encoder_folder

from harness.core.passage import Chunk, Passage, Query
from harness.plugins.retrievers.bm25 import Bm25
from harness.plugins.retrievers.hybrid import Hybrid, reciprocal_rank_fusion

WORDS = {"refund": (1.0, 0.2), "money": (1.0, 0.0), "late": (0.0, 1.0)}
CHUNKS = [
    Chunk("a", "a", "money money", metadata={"audience": "staff"}),
    Chunk("b", "b", "refund late", metadata={"audience": "staff"}),
    Chunk("c", "c", "late", metadata={"audience": "public"}),
]


def search(tmp_path, text, limit=10, where=None, **options):
    model = encoder_folder(tmp_path / "m", WORDS)
    dense = {"embedder": {"kind": "local", "model": str(model)}}
    retriever = Hybrid.model_validate({"dense": dense, **options})

    async def run():
        try:
            await retriever.open(CHUNKS, tmp_path / "cache")
            return await retriever.retrieve(Query(text, limit, where or {}))
        finally:
            await retriever.close()

    return asyncio.run(run())


def test_scores_are_sums_of_reciprocal_ranks(tmp_path):
    found = search(tmp_path, "refund")

    # BM25 finds b alone; the vectors rank a (0.98), b (0.83), c (0.2).
    assert [(p.id, p.score) for p in found.passages] == [
        ("b", pytest.approx(1 / 61 + 1 / 62)),
        ("a", pytest.approx(1 / 61)),
        ("c", pytest.approx(1 / 63)),
    ]
    assert found.embed_s > 0


def test_k_depth_and_filter(tmp_path):
    shallow = search(tmp_path, "refund", limit=1, depth=1, k=1)
    staff = search(tmp_path, "late", where={"audience": "staff"})

    assert [(p.id, p.score) for p in shallow.passages] == [("a", 0.5)]
    assert {p.id for p in staff.passages} == {"a", "b"}


def test_parts_of_two_retrievers_are_not_shared(tmp_path):
    model = encoder_folder(tmp_path / "m", WORDS)
    dense = {"embedder": {"kind": "local", "model": str(model)}}

    one, other = Hybrid.model_validate({"dense": dense}), Hybrid.model_validate({"dense": dense})

    assert one.bm25 is not other.bm25
    assert one.bm25.model_dump() == Bm25().model_dump()


def test_identity_names_both(tmp_path):
    model = encoder_folder(tmp_path / "m", WORDS)
    dense = {"embedder": {"kind": "local", "model": str(model)}}

    identity = Hybrid.model_validate({"dense": dense}).identity

    assert identity["bm25"]["bm25s"]
    assert identity["dense"]["embedder"]["sha256"]


RANKINGS = st.lists(
    st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8), min_size=1, max_size=3
)


def passages(names):
    return [Passage(name, name, None) for name in names]


@given(RANKINGS, st.integers(1, 100))
def test_fusion_is_symmetric_and_agrees_with_the_formula(rankings, k):
    found = reciprocal_rank_fusion([passages(names) for names in rankings], k)
    mirrored = reciprocal_rank_fusion([passages(names) for names in reversed(rankings)], k)

    expected = {
        name: sum(1 / (k + names.index(name) + 1) for names in rankings if name in names)
        for names in rankings
        for name in names
    }
    assert found == mirrored
    assert {p.id: p.score for p in found} == pytest.approx(expected)
    order = [(-p.score, p.id) for p in found]
    assert order == sorted(order)


@given(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8))
def test_fusion_of_a_ranking_with_itself_keeps_its_order(names):
    found = reciprocal_rank_fusion([passages(names)] * 2)

    assert [p.id for p in found] == names
