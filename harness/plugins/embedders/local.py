"""Embeddings by a model in a local ONNX folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationInfo

from harness.core.chat import ServiceError
from harness.core.options import Whole
from harness.core.score import FloatArray
from harness.core.values import JsonValue
from harness.plugins.search.onnx_models import OnnxModel, model_folder
from harness.plugins.search.vectors import unit

_POOLED = "sentence_embedding"
_OUTPUTS = (_POOLED, "last_hidden_state", "token_embeddings")


def _folder(given: Any, info: ValidationInfo) -> Any:
    return model_folder(given, info) if isinstance(given, str) else given


class Local(BaseModel):
    """Embeds on this machine, on one processor thread; nothing is downloaded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["local"] = Field(default="local", description="Which embedder this is.")
    model: Annotated[Path, BeforeValidator(_folder, json_schema_input_type=str)] = Field(
        description="A folder with `model.onnx` (or `onnx/model.onnx`) and `tokenizer.json`."
    )
    pooling: Literal["mean", "cls"] = Field(
        default="mean",
        description="A text's vector is the mean of its tokens', or the first token's; a model "
        "that gives a `sentence_embedding` has pooled already.",
    )
    max_tokens: Annotated[Whole, Field(ge=8, le=100_000)] | None = Field(
        default=None, description="Of a longer text the beginning is read; default: the model's."
    )
    batch_size: Annotated[Whole, Field(ge=1, le=1024)] = Field(
        default=32, description="How many texts go through the model at once."
    )

    _model: OnnxModel | None = PrivateAttr(default=None)

    def model_post_init(self, _: Any) -> None:
        """Ready the model, which is loaded when it is first used."""
        self._model = OnnxModel(self.model, self.max_tokens)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The folder's name, the hash of what is in it, and how texts become one vector."""
        return {**self._onnx.identity, "kind": self.kind, "pooling": self.pooling}

    async def embed(self, texts: Sequence[str]) -> tuple[FloatArray, float | None]:
        """Unit vectors of shape (texts, dimensions); the cost is 0, as the machine's is elsewhere.

        Raises:
            ServiceError: if the model cannot be used.
        """
        try:
            return await asyncio.to_thread(self._embed, texts), 0.0
        except ValueError as error:
            raise ServiceError("bad_request", str(error)) from None

    async def close(self) -> None:
        """Nothing is held open."""

    @property
    def _onnx(self) -> OnnxModel:
        assert self._model is not None  # noqa: S101 - set when the options were validated
        return self._model

    def _embed(self, texts: Sequence[str]) -> FloatArray:
        if not texts:
            return np.zeros((0, 0))
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))  # little padding
        rows: list[tuple[int, FloatArray]] = []
        for batch in _batches(order, self.batch_size):
            found, mask = self._onnx.run([texts[i] for i in batch], _OUTPUTS)
            rows += zip(batch, self._pooled(found, mask), strict=True)
        return np.array([row for _, row in sorted(rows, key=lambda pair: pair[0])])

    def _pooled(self, found: NDArray[np.float32], mask: NDArray[np.int64]) -> FloatArray:
        states = np.asarray(found, np.float64)
        if states.ndim == 2:
            return unit(states)
        if states.ndim != 3 or states.shape[:2] != mask.shape:
            raise ValueError(f"'{self.model.name}' gives no vector for every token")
        if self.pooling == "cls":
            first = mask.argmax(axis=1)  # padding may be on the left
            return unit(states[np.arange(len(states)), first])
        return unit((states * mask[:, :, None]).sum(axis=1))  # as the mean, but for its length


def _batches(order: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]
