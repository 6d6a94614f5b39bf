"""Any service with a Cohere-compatible `/rerank`: Cohere, Jina, vLLM, TEI and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.options import Number
from harness.core.passage import Passage, Ranking
from harness.core.values import JsonValue
from harness.plugins.search.reranking import best, index_scores
from harness.plugins.wire.endpoint import BaseUrl, EnvName
from harness.plugins.wire.http_client import JsonClient, bearer, key_from


class Http(BaseModel):
    """POST `{base_url}/rerank` with query and documents, which answers with a score for each."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    base_url: BaseUrl = Field(
        description="The address before `/rerank`, such as `https://api.cohere.com/v2`."
    )
    model: Annotated[str, Field(min_length=1, max_length=300)] | None = Field(
        default=None, description="The model, where the service has several."
    )
    documents: Literal["documents", "texts"] = Field(
        default="documents", description="The request's key for the passages; TEI wants `texts`."
    )
    api_key_env: EnvName | None = Field(
        default=None, description="The environment variable of the key, sent as a bearer token."
    )
    timeout_s: Annotated[Number, Field(gt=0, le=3600)] = Field(
        default=30.0, description="Of one call, from the first byte sent to the last one received."
    )
    usd_per_call: Annotated[Number, Field(ge=0)] | None = Field(
        default=None, description="What a call costs; unknown if not given, 0 for one's own server."
    )

    _client: JsonClient | None = PrivateAttr(default=None)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The service's address and its model."""
        return {"base_url": self.base_url, "model": self.model}

    async def open(self) -> None:
        """Import the HTTP client.

        Raises:
            ServiceError: if there is no key where one is asked for.
        """
        await self._connected().open()

    async def rerank(self, query: str, passages: Sequence[Passage], limit: int) -> Ranking:
        """The passages of the highest scores.

        Raises:
            ServiceError: if the service fails, or its answer is not of that form.
        """
        if not passages:
            return Ranking(())
        body: dict[str, JsonValue] = {
            "query": query,
            self.documents: [passage.text for passage in passages],
        }
        if self.documents == "documents":
            body["top_n"] = min(limit, len(passages))
        if self.model is not None:
            body["model"] = self.model
        reply = await self._connected().post("/rerank", body, timeout_s=self.timeout_s)
        found = reply.body.get("results") if isinstance(reply.body, Mapping) else reply.body
        scores = index_scores(found, len(passages))
        return Ranking(best(passages, scores, limit), cost_usd=self.usd_per_call)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _connected(self) -> JsonClient:
        if self._client is None:
            key = key_from(self.api_key_env) if self.api_key_env else None
            headers = bearer(key) if key else None
            self._client = JsonClient(self.base_url, headers=headers, secret=key)
        return self._client
