"""Passages from a PostgreSQL table with embeddings, by the pgvector extension."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from harness.core.chat import ErrorKind, ServiceError
from harness.core.options import Number
from harness.core.passage import Chunk, Query, Ranking
from harness.core.values import JsonValue
from harness.plugins.embedding import AnyEmbedder, embed_query, load
from harness.plugins.search.conditions import (
    COMPARISONS,
    Condition,
    cannot,
    conditions,
    limit,
    spellings,
)
from harness.plugins.search.engines import EngineModel, Places, ranked
from harness.plugins.wire.endpoint import EnvName
from harness.plugins.wire.service_errors import service_error

if TYPE_CHECKING:
    from psycopg import AsyncConnection, sql

_DISTANCES = {"cosine": "<=>", "l2": "<->", "ip": "<#>"}
_COMPARED = {"lt": "<", "gt": ">", "gte": ">=", "lte": "<="}
_BY_STATE: dict[str, ErrorKind] = {
    "28": "authentication", "42501": "authentication", "3D": "not_found", "3F": "not_found",
    "42P01": "not_found", "57014": "timeout", "53": "overloaded", "57P": "overloaded",
    "08": "connection", "40": "server_error", "58": "server_error", "XX": "server_error",
}  # fmt: skip
"""Kinds by the beginning of SQLSTATE; the longest that fits counts, else `bad_request`."""

_AMONG = "({metadata} #> {key}::text[]) @> ANY ({value}::jsonb[])"
"""A list contains its members, and a value itself."""
_NOT_AMONG = "NOT COALESCE(({metadata} #> {key}::text[]) @> ANY ({value}::jsonb[]), FALSE)"
_NUMBER = (
    "(jsonb_typeof({metadata} #> {key}::text[]) = 'number'"
    " AND ({metadata} #> {key}::text[]) {compared} {value}::jsonb)"
)
_DATE = (
    "(({metadata} #>> {key}::text[]) ~"
    " '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(T[0-9:.]+(Z|[+]00:00)?)?$'"
    ' AND ({metadata} #>> {key}::text[]) COLLATE "C" {compared} {value})'
)
"""Days and times in UTC stand in the order of their texts; a time of another zone never passes."""
_SELECT = (
    "SELECT {id}::text, {text}, {document}, {sections}, {metadata},"
    " {embedding} {distance} %(vector)s AS distance"
    ' FROM {table} WHERE {where} ORDER BY distance, {id}::text COLLATE "C" LIMIT %(limit)s'
)
_SETTINGS = (
    "SELECT set_config('transaction_read_only', 'on', true),"
    " set_config('statement_timeout', %s, true),"
    " set_config('enable_indexscan', %s, true)"
)


class Pgvector(EngineModel):
    """The nearest passages of a table, by distance of embeddings; conditions hold in its SQL."""

    dsn_env: EnvName = Field(
        description="The environment variable of the connection string, which holds a password."
    )
    table: Annotated[str, Field(pattern=r"^[^.\x00]+(\.[^.\x00]+)?$", max_length=200)] = Field(
        description="The table or view, with its schema where that is not the default one."
    )
    id_column: str = Field(default="id", min_length=1, description="The passage's id.")
    text_column: str = Field(default="text", min_length=1, description="Its text.")
    embedding_column: str = Field(
        default="embedding", min_length=1, description="Its embedding, of the type `vector`."
    )
    document_column: str | None = Field(default=None, description="The document's id.")
    sections_column: str | None = Field(
        default=None, description="The ids of the sections that it has text of, a `text[]`."
    )
    metadata_column: str | None = Field(
        default=None, description="Its metadata, a `jsonb`; conditions are about these."
    )
    distance: Literal["cosine", "l2", "ip"] = Field(
        default="cosine", description="Cosine, Euclidean, or negative inner product."
    )
    exact: bool = Field(
        default=True,
        description="Compare with every row, whatever indexes there are; else as the engine plans.",
    )
    embedder: AnyEmbedder = Field(
        description="What turns the query into a vector: the model that the table was made with."
    )
    query_prefix: Annotated[str, Field(max_length=1000)] = Field(
        default="", description="Put before every query, where the model was trained so (e5)."
    )
    usd_per_call: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="What a query costs beside its embedding."
    )

    _idle: list[Any] = PrivateAttr(default_factory=list)
    _version: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _installed(self) -> Pgvector:
        if find_spec("psycopg") is None:
            raise ValueError("needs the extra `pgvector`: pip install 'harness[pgvector]'")
        return self

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Engine, host, table, the embedder; the versions once it is open."""
        known = {"version": self._version} if self._version else {}
        return {
            "engine": "pgvector",
            "base_url": _host(os.environ.get(self.dsn_env, "")),
            "table": self.table,
            "embedder": dict(self.embedder.identity),
            **known,
        }

    async def open(self, chunks: Sequence[Chunk], cache: Path) -> None:
        """Connect, and ask for the versions.

        Raises:
            ServiceError: if there is no connection or no extension, or no reading the local model.
        """
        await load(self.embedder)
        rows = await self._ask(
            "SELECT split_part(current_setting('server_version'), ' ', 1), extversion"
            " FROM pg_extension WHERE extname = 'vector'",
            {},
        )
        if not rows:
            raise ServiceError("not_found", "the database has no extension vector")
        self._version = f"PostgreSQL {rows[0][0]}, pgvector {rows[0][1]}"

    async def retrieve(self, query: Query) -> Ranking:
        """The nearest passages among those that pass the conditions.

        Raises:
            ServiceError: if the embedder or the database fails, or a condition cannot be held.
        """
        wanted = conditions(query.where)
        if wanted and self.metadata_column is None:
            raise cannot(wanted[0].key, "there is no metadata_column to look at")
        embedded = await embed_query(self.embedder, self.query_prefix + query.text)
        vector = json.dumps(embedded.vector)
        statement, values = self._select(wanted, vector, query.limit)
        rows = await self._ask(statement, values)
        places = Places(
            id="id", text="text", score="score", document="document", sections="sections",
            metadata="metadata",
        )  # fmt: skip
        found = [places.passage(self._item(row)) for row in rows]
        cost_usd = embedded.total_usd(self.usd_per_call)
        return Ranking(ranked(found, query.limit), cost_usd, embedded.embed_s)

    async def close(self) -> None:
        """Close the connections."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()
        await self.embedder.close()

    def _select(
        self, wanted: Sequence[Condition], vector: str, limit: int
    ) -> tuple[sql.Composed, dict[str, Any]]:
        """The query and its values. Names are quoted as identifiers, all else is a parameter."""
        from psycopg import sql

        def column(name: str | None) -> sql.Composable:
            return sql.SQL("NULL") if name is None else sql.Identifier(name)

        values: dict[str, Any] = {"vector": vector, "limit": limit}
        where: list[sql.Composable] = [
            sql.SQL("{} IS NOT NULL").format(column(self.embedding_column))
        ]
        for number, condition in enumerate(wanted):
            clause, named = _clause(condition, column(self.metadata_column), number)
            where.append(clause)
            values |= named
        statement = sql.SQL(_SELECT).format(
            id=column(self.id_column),
            text=column(self.text_column),
            document=column(self.document_column),
            sections=column(self.sections_column),
            metadata=column(self.metadata_column),
            embedding=column(self.embedding_column),
            distance=sql.SQL(_DISTANCES[self.distance]),
            table=sql.Identifier(*self.table.split(".")),
            where=sql.SQL(" AND ").join(where),
        )
        return statement, values

    def _item(self, row: Sequence[Any]) -> dict[str, JsonValue]:
        distance = row[5]
        known = isinstance(distance, float) and math.isfinite(distance)
        score = (1 - distance if self.distance == "cosine" else -distance) if known else None
        names = ("id", "text", "document", "sections", "metadata")
        return {**dict(zip(names, row, strict=False)), "score": score}

    async def _ask(self, statement: Any, values: Mapping[str, Any]) -> list[Any]:
        """The rows that a query gives, in a transaction that can only read."""
        import psycopg

        dsn = os.environ.get(self.dsn_env, "")
        connection: AsyncConnection[Any] | None = None
        try:
            async with asyncio.timeout(self.timeout_s):
                connection = self._idle.pop() if self._idle else await self._connect(dsn)
                settings = [f"{math.ceil(self.timeout_s * 1000)}ms", "off" if self.exact else "on"]
                async with connection.pipeline(), connection.transaction():
                    await connection.execute(_SETTINGS, settings)
                    rows = await (await connection.execute(statement, values)).fetchall()
            self._idle.append(connection)
        except TimeoutError:
            told = ServiceError("timeout", f"no whole answer within {self.timeout_s:g} s")
        except psycopg.Error as error:
            told = _explained(error, dsn)
        else:
            return rows
        if connection is not None:
            await connection.close()
        raise told

    async def _connect(self, dsn: str) -> AsyncConnection[Any]:
        from psycopg import AsyncConnection

        if _parsed(dsn) is None:
            what = f"the environment variable {self.dsn_env} holds no connection string"
            raise ServiceError("authentication", what)
        return await AsyncConnection.connect(dsn, autocommit=True, prepare_threshold=None)


def _clause(
    condition: Condition, metadata: sql.Composable, number: int
) -> tuple[sql.Composed, dict[str, Any]]:
    """A condition as SQL, and the parameters that it names."""
    from psycopg import sql

    template, compared = _AMONG, "="
    value: Any = [json.dumps(one) for one in spellings(condition.values)]
    if condition.operator == "none_of":
        template = _NOT_AMONG
    elif condition.operator in COMPARISONS:
        spelled, value = limit(condition)
        if isinstance(value, str) and len(value) != len("2026-01-31"):
            raise cannot(condition.key, "this engine compares days, not times of day")
        compared = _COMPARED[spelled]
        template = _DATE if isinstance(value, str) else _NUMBER
        value = value if isinstance(value, str) else json.dumps(value)
    key, name = f"key{number}", f"value{number}"
    clause = sql.SQL(template).format(
        metadata=metadata,
        key=sql.Placeholder(key),
        value=sql.Placeholder(name),
        compared=sql.SQL(compared),
    )
    return clause, {key: condition.key.split("."), name: value}


def _parsed(dsn: str) -> dict[str, Any] | None:
    """The parts of a connection string; None if it is none. Its text is in no error of ours."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        return dict(conninfo_to_dict(dsn)) if dsn.strip() else None
    except ProgrammingError:
        return None


def _host(dsn: str) -> str | None:
    """The hosts that libpq would connect to, by commas; None for a local socket."""
    parts = _parsed(dsn) or {}
    if parts.get("service") or os.environ.get("PGSERVICE"):
        return "the hosts of a connection service"
    named = parts.get("hostaddr") or parts.get("host")
    hosts = named or os.environ.get("PGHOSTADDR") or os.environ.get("PGHOST")
    port = parts.get("port") or 5432
    return ",".join(f"{host}:{port}" for host in hosts.split(",")) if hosts else None


def _explained(error: Any, dsn: str) -> ServiceError:
    """What the database said, by its SQLSTATE; without one, the connection failed."""
    from psycopg import OperationalError

    state = error.sqlstate or ""
    fits = [start for start in _BY_STATE if state.startswith(start)]
    kind: ErrorKind = _BY_STATE[max(fits, key=len)] if fits else "bad_request"
    text = error.diag.message_primary or str(error)
    if not state and isinstance(error, OperationalError):
        refused = "authentication failed" in text or "no password supplied" in text
        unknown = text.rstrip().endswith("does not exist")
        kind = "authentication" if refused else "not_found" if unknown else "connection"
    return service_error(kind, text, key=(_parsed(dsn) or {}).get("password"))
