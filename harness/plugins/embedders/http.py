"""Embeddings by any server that speaks OpenAI's `POST /embeddings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.chat import ServiceError
from harness.core.options import Number, Whole
from harness.core.score import FloatArray
from harness.core.values import JsonValue
from harness.plugins.search.vectors import unit
from harness.plugins.wire.endpoint import BaseUrl, EnvName
from harness.plugins.wire.http_client import JsonClient, bearer, key_from

_MAX_BYTES = 200_000_000  # 2048 vectors of 4096 numbers, as JSON


class Http(BaseModel):
    """Embeds at an OpenAI-compatible endpoint: vLLM, llama.cpp, Ollama, TEI, OpenAI itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["http"] = Field(default="http", description="Which embedder this is.")
    base_url: BaseUrl = Field(description="The server's address, without `/embeddings`.")
    model: Annotated[str, Field(min_length=1, max_length=300)] = Field(
        description="The model's name at the server."
    )
    api_key_env: EnvName | None = Field(
        default=None, description="The environment variable of the key, where one is needed."
    )
    dimensions: Annotated[Whole, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="Ask for shorter vectors, where the model can."
    )
    batch_size: Annotated[Whole, Field(ge=1, le=2048)] = Field(
        default=64, description="How many texts go into one request."
    )
    timeout_s: Annotated[Number, Field(gt=0, le=86_400)] = Field(
        default=60.0, description="Of one request."
    )
    usd_per_million_tokens: Annotated[Number, Field(ge=0)] | None = Field(
        default=None, description="The price; without it the cost is unknown, not 0."
    )

    _client: JsonClient | None = PrivateAttr(default=None)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The model, the server's address and the length that is asked for."""
        return {
            "kind": self.kind,
            "model": self.model,
            "base_url": self.base_url,
            "dimensions": self.dimensions,
        }

    async def embed(self, texts: Sequence[str]) -> tuple[FloatArray, float | None]:
        """Unit vectors of shape (texts, dimensions), and the cost if price and usage are known.

        Raises:
            ServiceError: if the endpoint fails, or its answer holds no such vectors.
        """
        rows: list[FloatArray] = []
        cost_usd: float | None = 0.0
        for start in range(0, len(texts), self.batch_size):
            batch = list(texts[start : start + self.batch_size])
            body = await self._ask(batch)
            rows.append(_vectors(body, len(batch)))
            part = self._cost_usd(body)
            cost_usd = None if cost_usd is None or part is None else cost_usd + part
        if len({row.shape[1] for row in rows}) > 1:
            raise ServiceError("malformed", "the vectors are not of one length")
        return (np.vstack(rows) if rows else np.zeros((0, 0))), cost_usd

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def open(self) -> None:
        """Import the HTTP client; nothing is sent.

        Raises:
            ServiceError: if there is no key where one is asked for.
        """
        await self._connected().open()

    def _connected(self) -> JsonClient:
        if self._client is None:
            key = key_from(self.api_key_env) if self.api_key_env else None
            headers = bearer(key) if key else {}
            self._client = JsonClient(
                self.base_url, headers=headers, secret=key, max_bytes=_MAX_BYTES
            )
        return self._client

    async def _ask(self, batch: list[str]) -> JsonValue:
        body: dict[str, JsonValue] = {"model": self.model, "input": batch}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        reply = await self._connected().post("/embeddings", body, timeout_s=self.timeout_s)
        return reply.body

    def _cost_usd(self, body: JsonValue) -> float | None:
        usage = body.get("usage") if isinstance(body, dict) else None
        tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        if self.usd_per_million_tokens is None or isinstance(tokens, bool):
            return None
        if not isinstance(tokens, int | float) or tokens < 0:
            return None
        return tokens * self.usd_per_million_tokens / 1e6


def _vectors(body: JsonValue, n_texts: int) -> FloatArray:
    """The vectors of an answer in the order of the texts."""
    try:
        items: Any = sorted(body["data"], key=lambda item: item["index"])
        if [item["index"] for item in items] != list(range(n_texts)):
            raise ValueError("not a vector for every text")
        found = np.array([item["embedding"] for item in items], np.float64)
        if found.ndim != 2 or found.shape[1] == 0:
            raise ValueError("not of one length")
        return unit(found)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        what = error if isinstance(error, ValueError) else "data[].index and data[].embedding"
        raise ServiceError("malformed", f"the answer holds no vectors: {what}") from None
