"""Passages from a Qdrant collection: a server's over HTTP, or one in a local folder."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Protocol
from urllib.parse import quote

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from harness.core.chat import ErrorKind, ServiceError
from harness.core.options import Number
from harness.core.passage import Chunk, Passage, Query, Ranking
from harness.core.values import JsonValue, look_up
from harness.plugins.embedding import AnyEmbedder, embed_query, load
from harness.plugins.search.conditions import (
    COMPARISONS,
    Condition,
    Scalar,
    conditions,
    limit,
    spellings,
)
from harness.plugins.search.engines import EngineModel, Places, items_at, ranked
from harness.plugins.wire.endpoint import BaseUrl, EnvName
from harness.plugins.wire.http_client import JsonClient, key_from
from harness.plugins.wire.service_errors import service_error

_DISTANCES = {"Euclid", "Manhattan"}
"""Metrics where Qdrant's score is a distance: less is better."""


class _Engine(Protocol):
    """A collection, on a server or in a folder; both speak Qdrant's JSON."""

    async def collection(self) -> JsonValue: ...
    async def query(self, body: dict[str, JsonValue]) -> JsonValue: ...
    async def version(self) -> JsonValue: ...
    async def close(self) -> None: ...


class Qdrant(EngineModel):
    """The nearest passages of a Qdrant collection; conditions are the engine's own filter."""

    url: BaseUrl | None = Field(default=None, description="The server's address,")
    path: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="or the folder of a local collection, as qdrant-client keeps it."
    )
    collection: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        description="The collection."
    )
    vector: str | None = Field(
        default=None, min_length=1, description="The vector's name, where points have several."
    )
    id_field: str | None = Field(
        default=None,
        min_length=1,
        description="The passage's id in the payload; default: the point's own.",
    )
    text_field: str = Field(
        default="text", min_length=1, description="Its text in the payload, a dotted path."
    )
    document_field: str | None = Field(default=None, description="The document's id.")
    sections_field: str | None = Field(
        default=None, description="The ids of the sections that a passage has text of."
    )
    metadata_field: str = Field(
        default="",
        description="Where the metadata stand; conditions are about these. Default: the payload.",
    )
    exact: bool = Field(
        default=True, description="Compare with every point; else by the approximate index."
    )
    embedder: AnyEmbedder = Field(
        description="What turns the query into a vector: the model of the collection."
    )
    query_prefix: Annotated[str, Field(max_length=1000)] = Field(
        default="", description="Put before every query, where the model was trained so (e5)."
    )
    api_key_env: EnvName | None = Field(
        default=None, description="The environment variable of the key."
    )
    usd_per_call: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="What a query costs beside its embedding."
    )

    _folder: Path | None = PrivateAttr(default=None)
    _engine: _Engine | None = PrivateAttr(default=None)
    _less_is_better: bool | None = PrivateAttr(default=None)
    _version: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _ready(self, info: ValidationInfo) -> Qdrant:
        if (self.url is None) == (self.path is None):
            raise ValueError("give url or path")
        if self.path is not None:
            self._folder = _local_folder(self.path, info)
        return self

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Engine, address, collection, the embedder; the version once it is open."""
        known = {"version": self._version} if self._version else {}
        return {
            "engine": "qdrant",
            "base_url": self.url,
            "collection": self.collection,
            "embedder": dict(self.embedder.identity),
            **known,
        }

    async def open(self, chunks: Sequence[Chunk], cache: Path) -> None:
        """Look at the collection, and ask for the version.

        Raises:
            ServiceError: if the collection is not there or may not be read, or the local model.
        """
        await load(self.embedder)
        engine = self._opened()
        self._less_is_better = await self._by_distance(engine)
        try:
            told = await engine.version()
        except ServiceError:
            told = None  # a key for one collection may not be allowed to ask
        self._version = told[:60] if isinstance(told, str) else None

    async def retrieve(self, query: Query) -> Ranking:
        """The nearest passages among those that pass the conditions.

        Raises:
            ServiceError: if the embedder or the engine fails, or a condition cannot be held.
        """
        engine, held = self._opened(), self._filter(conditions(query.where))
        if self._less_is_better is None:
            self._less_is_better = await self._by_distance(engine)
        embedded = await embed_query(self.embedder, self.query_prefix + query.text)
        body: dict[str, JsonValue] = {
            "query": list(embedded.vector),
            "limit": query.limit,
            "with_payload": True,
            "params": {"exact": self.exact},
        }
        if held:
            body["filter"] = held
        if self.vector is not None:
            body["using"] = self.vector
        points = items_at(await engine.query(body), "points")
        places, sign = self._places, -1.0 if self._less_is_better else 1.0
        found = [_signed(places.passage(point), sign) for point in points]
        cost_usd = embedded.total_usd(self.usd_per_call)
        return Ranking(ranked(found, query.limit), cost_usd, embedded.embed_s)

    async def close(self) -> None:
        """Close the connections, or let go of the folder."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()
        await self.embedder.close()

    def _opened(self) -> _Engine:
        if self._engine is None:
            if self._folder is not None:
                self._engine = _Local(self._folder, self.collection, self.timeout_s)
            else:
                key = key_from(self.api_key_env) if self.api_key_env else None
                headers = {"api-key": key} if key else None
                client = JsonClient(self.url or "", headers=headers, secret=key)
                self._engine = _Server(client, self.collection, self.timeout_s)
        return self._engine

    async def _by_distance(self, engine: _Engine) -> bool:
        """Whether less is better in the collection's metric."""
        vectors = look_up(await engine.collection(), "config.params.vectors")
        chosen = look_up(vectors, self.vector) if self.vector else vectors
        return look_up(chosen, "distance") in _DISTANCES

    def _filter(self, wanted: Sequence[Condition]) -> dict[str, JsonValue]:
        """The conditions as Qdrant's filter, which holds while it searches."""
        held: dict[str, list[JsonValue]] = {"must": [], "must_not": []}
        for condition in wanted:
            key = f"{self.metadata_field}.{condition.key}" if self.metadata_field else condition.key
            if condition.operator in COMPARISONS:
                held["must"].append(_comparison(condition, key))
                continue
            among = [_equal(key, value) for value in spellings(condition.values)]
            if condition.operator == "none_of":
                held["must_not"] += among
            else:
                held["must"].append({"should": among} if among else _nothing())
        return {name: clauses for name, clauses in held.items() if clauses}

    @property
    def _places(self) -> Places:
        def path(field: str | None) -> str | None:
            return None if field is None else f"payload.{field}" if field else "payload"

        return Places(
            id=path(self.id_field) or "id",
            text=f"payload.{self.text_field}",
            score="score",
            document=path(self.document_field),
            sections=path(self.sections_field),
            metadata=path(self.metadata_field),
        )


class _Server:
    """A collection on a server, by its REST interface (Qdrant 1.10 and newer)."""

    def __init__(self, client: JsonClient, collection: str, timeout_s: float) -> None:
        self._client = client
        self._path = f"/collections/{quote(collection, safe='')}"
        self._timeout_s = timeout_s

    async def collection(self) -> JsonValue:
        reply = await self._client.get(self._path, timeout_s=self._timeout_s)
        return look_up(reply.body, "result")

    async def query(self, body: dict[str, JsonValue]) -> JsonValue:
        path = f"{self._path}/points/query"
        reply = await self._client.post(path, body, timeout_s=self._timeout_s)
        return look_up(reply.body, "result")

    async def version(self) -> JsonValue:
        reply = await self._client.get("/", timeout_s=self._timeout_s)
        return look_up(reply.body, "version")

    async def close(self) -> None:
        await self._client.close()


class _Local:
    """A collection in a folder, through qdrant-client's local mode, beside the event loop."""

    def __init__(self, folder: Path, collection: str, timeout_s: float) -> None:
        self._folder = folder
        self._collection = collection
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()
        self._client: Any = None

    async def collection(self) -> JsonValue:
        found = await self._run(lambda client: client.get_collection(self._collection))
        return found.model_dump(mode="json")

    async def query(self, body: dict[str, JsonValue]) -> JsonValue:
        from qdrant_client import models

        request = models.QueryRequest.model_validate(body)
        found = await self._run(
            lambda client: client.query_points(
                self._collection,
                query=body["query"],
                using=request.using,
                query_filter=request.filter,
                limit=request.limit,
                with_payload=True,
            )
        )
        return found.model_dump(mode="json")

    async def version(self) -> JsonValue:
        return f"qdrant-client {version('qdrant-client')}, local mode"

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _run(self, ask: Callable[[Any], Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s), self._lock:
                if self._client is None:
                    self._client = await asyncio.to_thread(_open, self._folder)
                return await asyncio.to_thread(ask, self._client)
        except TimeoutError:
            what = f"no whole answer within {self._timeout_s:g} s"
            raise ServiceError("timeout", what) from None
        except (ValueError, KeyError) as error:
            kind: ErrorKind = "not_found" if "not found" in str(error) else "bad_request"
            raise service_error(kind, str(error)) from None
        except (RuntimeError, OSError) as error:  # another process holds the folder
            raise service_error("connection", str(error)) from None


def _open(folder: Path) -> Any:
    from qdrant_client import QdrantClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that large collections are slow here
        return QdrantClient(path=str(folder), force_disable_check_same_thread=True)


def _local_folder(given: str, info: ValidationInfo) -> Path:
    if find_spec("qdrant_client") is None:
        raise ValueError("path needs the extra `qdrant`: pip install 'harness[qdrant]'")
    context = info.context or {}
    find_file: Callable[[str], Path] = context.get(
        "find_file", Path(context.get("folder", "")).joinpath
    )
    wrong = ValueError(f"path: '{given}' is no folder of a local Qdrant collection")
    try:
        meta = find_file(f"{given}/meta.json")
    except ValueError:
        raise wrong from None
    if not meta.is_file():
        raise wrong
    return meta.parent


def _signed(passage: Passage, sign: float) -> Passage:
    if passage.score is None or sign > 0:
        return passage
    return replace(passage, score=-passage.score)


def _equal(key: str, value: Scalar) -> JsonValue:
    """A point's value, or one of its list, is `value`."""
    if isinstance(value, float):
        return {"key": key, "range": {"gte": value, "lte": value}}
    return {"key": key, "match": {"value": value}}


def _nothing() -> JsonValue:
    """What no point passes: one of no values."""
    return {"has_id": []}


def _comparison(condition: Condition, key: str) -> JsonValue:
    compared, bound = limit(condition)
    return {"key": key, "range": {compared: bound}}
