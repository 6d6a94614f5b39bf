"""A cross-encoder that the test builds, whose logits can be worked out by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from onnx_folder import cross_encoder_folder, encoder_folder
from pydantic import ValidationError

from harness.core.chat import ServiceError
from harness.core.passage import Passage, Ranking
from harness.plugins.rerankers.cross_encoder import CrossEncoder

WORDS = ("refund", "ticket", "order")
TEXTS = ("an order", "a refund of a refund", "ticket refund", "nothing of it", "refund refund")


def passages(texts: Sequence[str] = TEXTS) -> tuple[Passage, ...]:
    return tuple(Passage(f"p{number}", text, None) for number, text in enumerate(texts))


def build(folder: Path, **options: Any) -> CrossEncoder:
    given = {"model": folder.name, **options}
    return CrossEncoder.model_validate(given, context={"folder": folder.parent})


def rerank(
    encoder: CrossEncoder, query: str = "refund ticket", limit: int = 9, texts: Any = TEXTS
) -> Ranking:
    async def run() -> Ranking:
        try:
            return await encoder.rerank(query, passages(texts), limit)
        finally:
            await encoder.close()

    return asyncio.run(run())


def ids(ranking: Ranking) -> list[str]:
    return [passage.id for passage in ranking.passages]


def test_the_highest_logits_first_and_ties_in_the_order_of_retrieval(tmp_path: Path) -> None:
    found = rerank(build(cross_encoder_folder(tmp_path / "ce", WORDS)))
    assert [(passage.id, passage.score) for passage in found.passages] == [
        ("p1", 2.0), ("p2", 2.0), ("p4", 2.0), ("p0", 0.0), ("p3", 0.0),
    ]  # fmt: skip
    assert found.cost_usd == 0


@pytest.mark.parametrize(
    "model", [{"labels": 2}, {"model_path": "onnx/model.onnx"}, {"token_types": False}]
)
def test_other_kinds_of_folders(tmp_path: Path, model: dict[str, Any]) -> None:
    folder = cross_encoder_folder(tmp_path / "ce", WORDS, **model)
    assert set(ids(rerank(build(folder), limit=3))) == {"p1", "p2", "p4"}


@pytest.mark.parametrize("batch_size", [1, 2, 5, 16])
def test_batches_make_no_difference(tmp_path: Path, batch_size: int) -> None:
    encoder = build(cross_encoder_folder(tmp_path / "ce", WORDS), batch_size=batch_size)
    assert ids(rerank(encoder)) == ["p1", "p2", "p4", "p0", "p3"]


def test_only_the_best_are_kept_and_no_passage_is_no_work(tmp_path: Path) -> None:
    encoder = build(cross_encoder_folder(tmp_path / "ce", WORDS))
    assert ids(rerank(encoder, limit=1)) == ["p1"]
    assert rerank(encoder, texts=()) == Ranking(())


def test_long_texts_are_cut_at_the_models_limit(tmp_path: Path) -> None:
    encoder = build(cross_encoder_folder(tmp_path / "ce", WORDS), max_tokens=8)
    found = rerank(encoder, "refund", texts=("x " * 5000 + "refund", "refund " + "x " * 5000))
    assert [(passage.id, passage.score) for passage in found.passages] == [("p1", 1.0), ("p0", 0.0)]


def test_many_at_once(tmp_path: Path) -> None:
    encoder = build(cross_encoder_folder(tmp_path / "ce", WORDS))

    async def run() -> list[Ranking]:
        calls = (encoder.rerank(word, passages(), 1) for word in WORDS * 4)
        return await asyncio.gather(*calls)

    assert [ids(found)[0] for found in asyncio.run(run())] == ["p1", "p2", "p0"] * 4


def test_identity_is_the_content_of_the_model(tmp_path: Path) -> None:
    one = build(cross_encoder_folder(tmp_path / "ce", WORDS)).identity
    other = build(cross_encoder_folder(tmp_path / "x" / "ce", WORDS[:2])).identity
    assert one["model"] == other["model"] == "ce"
    assert one["sha256"] != other["sha256"]


def test_a_name_in_place_of_a_folder_tells_that_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="nothing is downloaded") as raised:
        build(tmp_path / "cross-encoder" / "ms-marco-MiniLM-L-6-v2")
    assert "ms-marco-MiniLM-L-6-v2" in str(raised.value)
    assert "tokenizer.json" in str(raised.value)


def test_a_model_that_gives_vectors_is_no_cross_encoder(tmp_path: Path) -> None:
    encoder = build(encoder_folder(tmp_path / "e", WORDS))
    with pytest.raises(ServiceError, match="is no cross-encoder") as raised:
        rerank(encoder)
    assert raised.value.kind == "bad_request"


def test_a_broken_model_is_told(tmp_path: Path) -> None:
    folder = cross_encoder_folder(tmp_path / "ce", WORDS)
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ServiceError, match="the model in 'ce' cannot be read") as raised:
        rerank(build(folder))
    assert not raised.value.retryable


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"max_tokens": 1}, {"top_k": 3}])
def test_mistakes_are_config_errors(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        build(cross_encoder_folder(tmp_path / "ce", WORDS), **options)


def test_opening_reads_the_model(tmp_path: Path) -> None:
    folder = cross_encoder_folder(tmp_path / "ce", WORDS)
    expected = rerank(build(folder))
    encoder = build(folder)
    asyncio.run(encoder.open())
    for path in folder.iterdir():
        path.unlink()
    assert rerank(encoder) == expected


def test_what_is_no_cross_encoder_cannot_be_opened(tmp_path: Path) -> None:
    broken = cross_encoder_folder(tmp_path / "ce", WORDS)
    (broken / "model.onnx").write_bytes(b"no model")
    for folder in (broken, encoder_folder(tmp_path / "e", WORDS)):
        with pytest.raises(ServiceError) as raised:
            asyncio.run(build(folder).open())
        assert raised.value.kind == "bad_request"
