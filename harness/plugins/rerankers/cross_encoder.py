"""A cross-encoder on this machine: a transformer that reads query and passage together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator

from harness.core.chat import ServiceError
from harness.core.options import Whole
from harness.core.passage import Passage, Ranking
from harness.core.values import JsonValue
from harness.plugins.search.onnx_models import OnnxModel, model_folder
from harness.plugins.search.reranking import best

_OUTPUTS = ("logits", "scores")


class CrossEncoder(BaseModel):
    """A local cross-encoder in ONNX form, such as ms-marco-MiniLM-L-6-v2. Nothing is downloaded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(min_length=1)] = Field(
        description="The model's folder: `model.onnx` (or `onnx/model.onnx`) and `tokenizer.json`."
    )
    max_tokens: Annotated[Whole, Field(ge=8)] | None = Field(
        default=None,
        description="Query and passage together are cut there; default: the model's limit.",
    )
    batch_size: Annotated[Whole, Field(ge=1, le=1024)] = Field(
        default=16, description="How many passages go through the model at once."
    )

    _model: OnnxModel = PrivateAttr()

    @model_validator(mode="after")
    def _find(self, info: ValidationInfo) -> CrossEncoder:
        self._model = OnnxModel(model_folder(self.model, info), self.max_tokens)
        return self

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The model's name, the hash of its files, and how long texts may be."""
        return self._model.identity

    async def open(self) -> None:
        """Read the model, and have it rank once.

        Raises:
            ServiceError: as `rerank` does.
        """
        await self.rerank("ready", [Passage("ready", "ready", None)], 1)

    async def rerank(self, query: str, passages: Sequence[Passage], limit: int) -> Ranking:
        """The passages of the highest logits. Computed on one thread beside the event loop.

        Raises:
            ServiceError: `bad_request`, if the model cannot be read or is no cross-encoder.
        """
        try:
            scores = await asyncio.to_thread(self._scores, query, passages)
        except ValueError as error:
            raise ServiceError("bad_request", str(error)) from None
        return Ranking(best(passages, enumerate(scores.tolist()), limit))

    async def close(self) -> None:
        """Nothing is held open."""

    def _scores(self, query: str, passages: Sequence[Passage]) -> NDArray[np.float64]:
        """A logit for every passage; with two classes, that of the second over the first."""
        pairs = [(query, passage.text) for passage in passages]
        batches = [
            self._model.run(pairs[start : start + self.batch_size], _OUTPUTS)[0]
            for start in range(0, len(pairs), self.batch_size)
        ]
        if not batches:
            return np.empty(0)
        if any(batch.shape not in _shapes(batch) for batch in batches):
            shape = " x ".join(map(str, batches[0].shape))
            what = f"its output is {shape}, not a score or two for each pair"
            raise ValueError(f"the model '{self.model}' is no cross-encoder: {what}")
        logits = np.concatenate([batch.reshape(len(batch), -1) for batch in batches])
        if not np.isfinite(logits).all():
            raise ValueError(f"the model '{self.model}' gives scores that are no numbers")
        first = logits[:, 0] if logits.shape[1] == 2 else 0.0
        scores: NDArray[np.float64] = (logits[:, -1] - first).astype(np.float64)
        return scores


def _shapes(batch: NDArray[np.float32]) -> tuple[tuple[int, ...], ...]:
    """What a cross-encoder may give for a batch: one score a pair, or a logit for each of two."""
    n_pairs = batch.shape[0] if batch.ndim else 0
    return (n_pairs,), (n_pairs, 1), (n_pairs, 2)
