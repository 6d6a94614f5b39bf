"""Embeddings by a model of a local folder, checked against vectors worked out by hand."""

import asyncio
import math
import subprocess
import sys

import numpy as np
import pytest
from onnx_folder import encoder_folder
from pydantic import ValidationError

from harness.core.chat import ServiceError
from harness.plugins.embedders.local import Local
from harness.plugins.search.onnx_models import OnnxModel

WORDS = {"refund": (1.0, 0.0), "late": (0.0, 1.0), "both": (3.0, 4.0)}


def local(folder, **options):
    context = {"folder": folder.parent, "find_file": lambda text: folder.parent / text}
    return Local.model_validate({"model": folder.name, **options}, context=context)


def embed(embedder, *texts):
    vectors, cost_usd = asyncio.run(embedder.embed(texts))
    asyncio.run(embedder.close())
    assert cost_usd == 0.0
    return vectors


@pytest.mark.parametrize("place", ["model.onnx", "onnx/model.onnx"])
@pytest.mark.parametrize("token_types", [True, False])
def test_mean_of_the_tokens(tmp_path, place, token_types):
    folder = encoder_folder(tmp_path / "m", WORDS, model_path=place, token_types=token_types)

    found = embed(local(folder), "Refund refund late", "both", "unheard of")

    # (2, 1) / sqrt(5): special tokens have zeros, and a mean's length does not matter.
    expected = [[2 / math.sqrt(5), 1 / math.sqrt(5)], [0.6, 0.8], [0.0, 0.0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float64


def test_first_token(tmp_path):
    words = {**WORDS, "[CLS]": (0.0, 2.0)}
    folder = encoder_folder(tmp_path / "m", words)

    found = embed(local(folder, pooling="cls"), "refund", "late both")

    assert found.shape == (2, 2)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), found.any(axis=1))


def test_model_that_pools_by_itself(tmp_path):
    folder = encoder_folder(tmp_path / "m", WORDS, output="sentence_embedding")

    found = embed(local(folder, pooling="cls"), "refund late")

    np.testing.assert_allclose(found, [[math.sqrt(0.5)] * 2], atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 32])
def test_batches_keep_the_order_of_the_texts(tmp_path, size):
    folder = encoder_folder(tmp_path / "m", WORDS)
    texts = ["late " * 9, "refund", "both late", "", "refund refund", "late"]

    found = embed(local(folder, batch_size=size), *texts)

    alone = np.vstack([embed(local(folder), text) for text in texts])
    np.testing.assert_allclose(found, alone, atol=1e-6)


def test_long_text_is_cut_at_the_models_limit(tmp_path):
    folder = encoder_folder(tmp_path / "m", WORDS, max_length=12)

    found = embed(local(folder), "refund " * 10 + "late " * 2_000_000)
    shorter = embed(local(folder, max_tokens=8), "refund " * 6 + "late " * 4)

    np.testing.assert_allclose(found, [[1.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(shorter, [[1.0, 0.0]], atol=1e-6)
    assert OnnxModel(folder).max_tokens == 12


def test_identity_is_of_the_files_content(tmp_path):
    one = local(encoder_folder(tmp_path / "a" / "m", WORDS)).identity
    same = local(encoder_folder(tmp_path / "b" / "m", WORDS)).identity
    other = local(encoder_folder(tmp_path / "c" / "m", {**WORDS, "late": (1.0, 1.0)})).identity
    cls = local(encoder_folder(tmp_path / "d" / "m", WORDS), pooling="cls").identity

    assert one == same
    assert one["sha256"] != other["sha256"]
    assert one != cls
    assert one["model"] == "m"


@pytest.mark.parametrize("given", ["sentence-transformers/all-MiniLM-L6-v2", "empty", "half"])
def test_what_is_no_folder_of_a_model_is_refused_and_nothing_is_downloaded(tmp_path, given):
    (tmp_path / "empty").mkdir()
    encoder_folder(tmp_path / "half", WORDS)
    (tmp_path / "half" / "model.onnx").unlink()

    with pytest.raises(ValidationError) as caught:
        local(tmp_path / given) if "/" not in given else Local.model_validate({"model": given})

    assert "nothing is downloaded" in str(caught.value)
    assert "optimum-cli export onnx" in str(caught.value)


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_broken_model_is_a_service_error(tmp_path, file):
    folder = encoder_folder(tmp_path / "m", WORDS)
    (folder / file).write_bytes(b"\x00broken")

    with pytest.raises(ServiceError, match="the model in 'm' cannot be read"):
        embed(local(folder), "refund")


def test_without_the_extra_a_hint_says_what_to_install(tmp_path):
    encoder_folder(tmp_path / "m", WORDS)
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"  # as if it were not installed
        "from harness.plugins.embedders.local import Local\n"
        "Local.model_validate({'model': sys.argv[1]})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "m")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "pip install 'harness[local]'" in result.stderr


def test_several_threads_share_one_model(tmp_path):
    embedder = local(encoder_folder(tmp_path / "m", WORDS))

    async def many():
        return await asyncio.gather(*(embedder.embed(["refund late"]) for _ in range(20)))

    found = asyncio.run(many())

    assert all(np.array_equal(vectors, found[0][0]) for vectors, _ in found)
