"""The embedder that a retriever names in its options: `embedder: {kind: local, model: ...}`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, cast

import numpy as np
from pydantic import BaseModel, ValidationError, ValidationInfo

from harness.core.chat import ServiceError
from harness.core.values import JsonValue
from harness.ports import Embedder

EMBEDDERS: dict[str, str] = {
    "local": "harness.plugins.embedders.local:Local",
    "http": "harness.plugins.embedders.http:Http",
}
"""The built-in embedders: name (`embedder: {kind: NAME}`) to `module:Class`."""


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """A query's unit vector, what it cost in US dollars (None: unknown), and how long it took."""

    vector: tuple[float, ...]
    cost_usd: float | None
    embed_s: float


def build_embedder(options: Mapping[str, JsonValue], info: ValidationInfo) -> Embedder:
    """The embedder that `options` ask for, built inside the validation of what names it.

    Args:
        options: `kind`, and the embedder's own options.
        info: of the validation; paths start from its context's folder.

    Raises:
        ValueError: if there is no such embedder, or an option of it is wrong.
    """
    kind = options.get("kind")
    if kind not in EMBEDDERS:
        raise ValueError(f"embedder.kind must be one of {', '.join(EMBEDDERS)}")
    module, _, name = EMBEDDERS[str(kind)].partition(":")
    model = cast("type[BaseModel]", getattr(importlib.import_module(module), name))
    others = {option: value for option, value in options.items() if option != "kind"}
    try:
        built: Any = model.model_validate(others, context=info.context)
    except ValidationError as error:
        wrong = "; ".join(f"embedder.{_place(one['loc'])}: {one['msg']}" for one in error.errors())
        raise ValueError(wrong) from None
    return cast("Embedder", built)


async def embed_query(embedder: Embedder, text: str) -> EmbeddedQuery:
    """The vector of one query.

    Raises:
        ServiceError: if the embedder fails, or gives no vector of finite numbers.
    """
    started = perf_counter()
    vectors, cost_usd = await embedder.embed([text])
    embed_s = perf_counter() - started
    if vectors.ndim != 2 or vectors.shape[0] != 1 or not np.isfinite(vectors).all():
        raise ServiceError("malformed", "the embedder gives no vector of finite numbers")
    return EmbeddedQuery(tuple(map(float, vectors[0])), cost_usd, embed_s)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "options"
