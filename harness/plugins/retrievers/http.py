"""Passages from any search service that answers JSON over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr

from harness.core.options import Number
from harness.core.passage import Chunk, Query, Ranking
from harness.core.values import JsonValue
from harness.plugins.search.conditions import conditions
from harness.plugins.search.engines import EngineModel, Places, items_at, ranked
from harness.plugins.wire.endpoint import BaseUrl, EnvName
from harness.plugins.wire.http_client import JsonClient, bearer, key_from


class Http(EngineModel):
    """A search service: POST `{query, limit, where}`, which answers with a list of passages."""

    url: BaseUrl = Field(description="Where queries are sent.")
    api_key_env: EnvName | None = Field(
        default=None, description="The environment variable of the key, sent as a bearer token."
    )
    passages: str = Field(
        default="passages", description="Where the list stands in the answer; a dotted path."
    )
    id_field: str = Field(default="id", min_length=1, description="A passage's id.")
    text_field: str = Field(default="text", min_length=1, description="Its text.")
    score_field: str | None = Field(default="score", description="Its score, higher is better.")
    document_field: str | None = Field(default="document", description="The document's id.")
    sections_field: str | None = Field(
        default="sections", description="The ids of the sections that it has text of."
    )
    metadata_field: str | None = Field(default="metadata", description="The document's metadata.")
    usd_per_call: Annotated[Number, Field(ge=0)] | None = Field(
        default=None, description="What a query costs; unknown if not given, 0 for one's own."
    )

    _client: JsonClient | None = PrivateAttr(default=None)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The service's address."""
        return {"base_url": self.url}

    async def open(self, chunks: Sequence[Chunk], cache: Path) -> None:
        """Nothing is indexed: the service has its own documents. The HTTP client is imported.

        Raises:
            ServiceError: if there is no key where one is asked for.
        """
        await self._connected().open()

    async def retrieve(self, query: Query) -> Ranking:
        """Ask the service, which must apply the conditions itself.

        Raises:
            ServiceError: if it fails, or its answer is not of that form.
        """
        conditions(query.where)  # what no engine could hold is told here
        body = {"query": query.text, "limit": query.limit, "where": dict(query.where)}
        reply = await self._connected().post("", body, timeout_s=self.timeout_s)
        places = self._places
        found = [places.passage(item) for item in items_at(reply.body, self.passages)]
        return Ranking(ranked(found, query.limit), cost_usd=self.usd_per_call)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _connected(self) -> JsonClient:
        if self._client is None:
            key = key_from(self.api_key_env) if self.api_key_env else None
            self._client = JsonClient(self.url, headers=bearer(key) if key else None, secret=key)
        return self._client

    @property
    def _places(self) -> Places:
        return Places(
            id=self.id_field,
            text=self.text_field,
            score=self.score_field,
            document=self.document_field,
            sections=self.sections_field,
            metadata=self.metadata_field,
        )
