"""Passages from an OpenSearch or Elasticsearch index, by BM25 as the engine computes it."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, PrivateAttr, model_validator

from harness.core.chat import ServiceError
from harness.core.options import Number
from harness.core.passage import Chunk, Query, Ranking
from harness.core.values import JsonValue, look_up
from harness.plugins.search.conditions import COMPARISONS, Condition, cannot, conditions, limit
from harness.plugins.search.engines import EngineModel, Places, items_at, malformed, ranked
from harness.plugins.wire.endpoint import BaseUrl, EnvName
from harness.plugins.wire.http_client import JsonClient, key_from

_VECTORS = {"knn_vector", "dense_vector"}
_SEARCH = "_search?allow_partial_search_results=false&preference=harness"
"""The same copy of every shard is asked each time: copies score a little differently."""


class OpenSearch(EngineModel):
    """An index of OpenSearch or Elasticsearch: a full-text query, its conditions as filters."""

    base_url: BaseUrl = Field(description="The engine's address.")
    index: str = Field(min_length=1, max_length=500, description="The index, or an alias.")
    text_field: str = Field(
        default="text", min_length=1, description="The passage's text, a dotted path."
    )
    fields: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        description="The fields that are searched, `title^2` with a weight; default: the text.",
    )
    id_field: str | None = Field(
        default=None, min_length=1, description="The passage's id; default: the engine's `_id`."
    )
    document_field: str | None = Field(default=None, description="The document's id.")
    sections_field: str | None = Field(
        default=None, description="The ids of the sections that a passage has text of."
    )
    metadata_field: str = Field(
        default="", description="Where the metadata stand; default: among the other fields."
    )
    api_key_env: EnvName | None = Field(
        default=None, description="The environment variable of an API key."
    )
    user_env: EnvName | None = Field(default=None, description="Or the variable of a user's name,")
    password_env: EnvName | None = Field(default=None, description="and that of the password.")
    usd_per_call: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="What a query costs, where the engine is paid by the query."
    )

    _client: JsonClient | None = PrivateAttr(default=None)
    _types: dict[str, set[str]] | None = PrivateAttr(default=None)
    _version: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _one_login(self) -> OpenSearch:
        if (self.user_env is None) != (self.password_env is None):
            raise ValueError("user_env and password_env go together")
        if self.api_key_env is not None and self.user_env is not None:
            raise ValueError("give api_key_env, or user_env and password_env")
        return self

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Engine, address, index; the version where the engine told it."""
        known = {"version": self._version} if self._version else {}
        return {"engine": "opensearch", "base_url": self.base_url, "index": self.index, **known}

    async def open(self, chunks: Sequence[Chunk], cache: Path) -> None:
        """Ask for the version and for the fields' types.

        Raises:
            ServiceError: if the index is not there or may not be read.
        """
        try:
            reply = await self._connected().get("/", timeout_s=self.timeout_s)
            version = look_up(reply.body, "version.number")
            self._version = version[:40] if isinstance(version, str) else None
        except ServiceError:
            self._version = None  # a user of one index may not be allowed to ask
        self._types = await self._field_types()

    async def retrieve(self, query: Query) -> Ranking:
        """The best passages by the engine's own score.

        Raises:
            ServiceError: if the engine fails, or a condition cannot be held by a field.
        """
        body = {
            "size": query.limit,
            "query": {
                "bool": {"must": [self._text_query(query.text)], **await self._filter(query)}
            },
            "_source": {"excludes": self._vectors},
            "track_total_hits": False,
        }
        path = f"/{quote(self.index, safe='')}/{_SEARCH}"
        reply = await self._connected().post(path, body, timeout_s=self.timeout_s)
        if look_up(reply.body, "timed_out") is True:
            raise ServiceError("timeout", "the engine gave up and answered in part")
        places = self._places
        found = [places.passage(item) for item in items_at(reply.body, "hits.hits")]
        return Ranking(ranked(found, query.limit), cost_usd=self.usd_per_call)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _text_query(self, text: str) -> JsonValue:
        if not self.fields:
            return {"match": {self.text_field: {"query": text}}}
        return {"multi_match": {"query": text, "fields": list(self.fields)}}

    async def _filter(self, query: Query) -> dict[str, JsonValue]:
        """The conditions as clauses of a `bool` query, which holds before anything is ranked."""
        wanted = conditions(query.where)
        if wanted and self._types is None:
            self._types = await self._field_types()
        clauses: dict[str, list[JsonValue]] = {"filter": [], "must_not": []}
        for condition in wanted:
            clause = self._clause(condition, self._exact_field(condition.key))
            clauses["must_not" if condition.operator == "none_of" else "filter"].append(clause)
        return {name: held for name, held in clauses.items() if held}

    def _clause(self, condition: Condition, field: str) -> JsonValue:
        if condition.operator not in COMPARISONS:
            return {"terms": {field: list(condition.values)}}
        compared, bound = limit(condition)
        if not isinstance(bound, str) and (self._types or {}).get(field, set()) & {"keyword"}:
            raise cannot(condition.key, f"the field {field} is a keyword, whose order is of texts")
        return {"range": {field: {compared: bound}}}

    def _exact_field(self, key: str) -> str:
        """The field in which whole values are compared: analysed text would match single words."""
        field = f"{self.metadata_field}.{key}" if self.metadata_field else key
        types = (self._types or {}).get(field, set())
        if "text" not in types:
            return field
        if (self._types or {}).get(f"{field}.keyword") == {"keyword"} and types == {"text"}:
            return f"{field}.keyword"
        raise cannot(key, f"the field {field} is analysed text; map it as a keyword")

    @property
    def _vectors(self) -> list[str]:
        """Fields that hold embeddings, which are long and no metadata."""
        return [field for field, types in (self._types or {}).items() if types & _VECTORS]

    async def _field_types(self) -> dict[str, set[str]]:
        """The types of every field by its dotted path, over all indices behind the name."""
        path = f"/{quote(self.index, safe='')}/_mapping"
        reply = await self._connected().get(path, timeout_s=self.timeout_s)
        if not isinstance(reply.body, Mapping):
            raise malformed("the mapping is no object")
        types: dict[str, set[str]] = {}
        for index in reply.body.values():
            for field, kind in _leaves(look_up(index, "mappings.properties"), ""):
                types.setdefault(field, set()).add(kind)
        return types

    def _connected(self) -> JsonClient:
        if self._client is None:
            headers, secret = self._login()
            self._client = JsonClient(self.base_url, headers=headers, secret=secret)
        return self._client

    def _login(self) -> tuple[dict[str, str], str | None]:
        if self.api_key_env is not None:
            key = key_from(self.api_key_env)
            return {"Authorization": f"ApiKey {key}"}, key
        if self.user_env is not None and self.password_env is not None:
            login = f"{_variable(self.user_env)}:{_variable(self.password_env)}"
            pair = base64.b64encode(login.encode()).decode()
            return {"Authorization": f"Basic {pair}"}, pair
        return {}, None

    @property
    def _places(self) -> Places:
        def path(field: str | None) -> str | None:
            return None if field is None else f"_source.{field}" if field else "_source"

        return Places(
            id=path(self.id_field) or "_id",
            text=f"_source.{self.text_field}",
            score="_score",
            document=path(self.document_field),
            sections=path(self.sections_field),
            metadata=path(self.metadata_field),
        )


def _variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ServiceError("authentication", f"the environment variable {name} is not set")
    return value


def _leaves(properties: Any, prefix: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Each field's dotted path and type in a mapping; multi-fields (`x.keyword`) included."""
    if not isinstance(properties, Mapping) or depth > 20:
        return
    for name, field in properties.items():
        if not isinstance(field, Mapping):
            continue
        path = f"{prefix}{name}"
        if isinstance(field.get("type"), str):
            yield path, field["type"]
        yield from _leaves(field.get("properties"), f"{path}.", depth + 1)
        yield from _leaves(field.get("fields"), f"{path}.", depth + 1)
