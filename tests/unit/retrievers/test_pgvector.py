"""Passages from a real PostgreSQL with pgvector."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import postgres
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_folder import encoder_folder
from pydantic import ValidationError

from harness.core.chat import ServiceError
from harness.core.passage import Passage, Query, Ranking
from harness.plugins.retrievers.pgvector import Pgvector
from harness.plugins.search.metadata_filter import passes

WORDS = {"refund": [1, 0, 0], "order": [0, 1, 0], "ticket": [0, 0, 1]}
ROWS: tuple[tuple[str, str, str | None, Mapping[str, Any]], ...] = (
    ("b", "refund", "[1,0,0]", {"team": "sales", "year": 2023, "day": "2023-05-01"}),
    ("a", "refund again", "[2,0,0]", {"team": "legal", "year": 2021.5, "tags": ["x", "y"]}),
    ("c", "refund order", "[1,1,0]", {"team": "sales", "year": 2020, "open": True}),
    ("d", "ticket", "[0,0,1]", {"year": "2024", "nested": {"region": "eu"}}),
    ("e", "no vector", None, {"team": "sales"}),
)


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    import psycopg

    try:
        with postgres.cluster() as connection_string:
            with psycopg.connect(connection_string) as connection:
                _fill(connection)
            yield connection_string
    except postgres.MissingError as missing:
        pytest.skip(str(missing))


def _fill(connection: Any) -> None:
    from psycopg.types.json import Jsonb

    connection.execute("CREATE EXTENSION vector")
    connection.execute('CREATE SCHEMA "Team ""A"""')
    table = '"Team ""A"""."Odd; name"'
    connection.execute(
        f'CREATE TABLE {table} ("Id" text, "te xt" text, v vector(3), meta jsonb,'
        " doc text, s text[])"
    )
    for identifier, text, vector, metadata in ROWS:
        connection.execute(
            f"INSERT INTO {table} VALUES (%s, %s, %s, %s, 'doc', ARRAY['doc#a'])",  # noqa: S608
            [identifier, text, vector, Jsonb(metadata)],
        )
    connection.execute(
        'CREATE VIEW passages AS SELECT "Id" AS id, "te xt" AS text, v AS embedding,'  # noqa: S608
        f" meta AS metadata FROM {table}"
    )
    connection.execute("CREATE TABLE halves (id int, text text, embedding halfvec(3))")
    connection.execute("INSERT INTO halves VALUES (7, 'half', '[1,0,0]'), (8, 'zero', '[0,0,0]')")
    connection.execute("CREATE TABLE many (id int, text text, embedding vector(3), metadata jsonb)")
    connection.execute(
        "INSERT INTO many SELECT n, 'x', ARRAY[1, n / 1000.0, 0]::vector,"
        " jsonb_build_object('team', CASE WHEN n % 500 = 0 THEN 'rare' ELSE 'common' END)"
        " FROM generate_series(1, 2000) AS n"
    )
    connection.execute("CREATE INDEX ON many USING hnsw (embedding vector_cosine_ops)")
    connection.execute("ANALYZE many")


@pytest.fixture
def options(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("PG_DSN", dsn)
    folder = encoder_folder(tmp_path / "encoder", WORDS)
    return {
        "dsn_env": "PG_DSN",
        "table": "passages",
        "metadata_column": "metadata",
        "embedder": {"kind": "local", "model": str(folder)},
    }


def retrieve(options: Mapping[str, Any], query: Query, **more: Any) -> Ranking:
    async def run() -> Ranking:
        retriever = Pgvector.model_validate({**options, **more})
        try:
            await retriever.open((), Path())
            return await retriever.retrieve(query)
        finally:
            await retriever.close()

    return asyncio.run(run())


def ids(options: Mapping[str, Any], where: Any = None, **more: Any) -> list[str]:
    found = retrieve(options, Query("refund", 9, where or {}), **more)
    return [passage.id for passage in found.passages]


def failure(options: Mapping[str, Any], query: Query, **more: Any) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        retrieve(options, query, **more)
    assert postgres.PASSWORD not in str(raised.value)
    return raised.value


def test_nearest_first_ties_by_id_and_rows_without_a_vector_are_out(options: Any) -> None:
    found = retrieve(options, Query("refund", 9))
    assert [passage.id for passage in found.passages] == ["a", "b", "c", "d"]
    assert [passage.score for passage in found.passages] == pytest.approx([1, 1, 0.5**0.5, 0])
    assert found.passages[1].metadata == ROWS[0][3]
    assert found.cost_usd == 0
    assert found.embed_s is not None
    assert ids(options, {"year": {"at_least": 2022}}) == ["b"]


def test_ties_at_the_cut_are_by_id_too(options: Any) -> None:
    assert [p.id for p in retrieve(options, Query("refund", 1)).passages] == ["a"]


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        ("l2", [("b", 0.0), ("a", -1.0), ("c", -1.0), ("d", -(2**0.5))]),
        ("ip", [("a", 2.0), ("b", 1.0), ("c", 1.0), ("d", 0.0)]),
    ],
)
def test_other_distances(options: Any, distance: str, expected: list[tuple[str, float]]) -> None:
    found = retrieve(options, Query("refund", 9), distance=distance).passages
    assert [passage.id for passage in found] == [identifier for identifier, _ in expected]
    assert [passage.score for passage in found] == pytest.approx([score for _, score in expected])


def test_odd_names_are_names_and_nothing_else(options: Any) -> None:
    found = retrieve(
        options,
        Query("refund", 1, {"team": "sales"}),
        table='Team "A".Odd; name',
        id_column="Id",
        text_column="te xt",
        embedding_column="v",
        metadata_column="meta",
        document_column="doc",
        sections_column="s",
    )
    (passage,) = found.passages
    assert (passage.id, passage.text, passage.document) == ("b", "refund", "doc")
    assert passage.sections == ("doc#a",)


def test_half_vectors_whole_ids_and_no_metadata(options: Any) -> None:
    bare = {**options, "metadata_column": None}
    found = retrieve(bare, Query("refund", 5), table="halves")
    assert found.passages == (Passage("7", "half", 1.0), Passage("8", "zero", None))
    told = failure(bare, Query("refund", 5, {"team": "x"}), table="halves")
    assert (told.kind, told.message) == (
        "bad_request",
        "where.team: there is no metadata_column to look at",
    )


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"team": "sales"}, ["b", "c"]),
        ({"team": ["sales", "legal"]}, ["a", "b", "c"]),
        ({"team": {"any_of": []}}, []),
        ({"team": {"none_of": ["sales"]}}, ["a", "d"]),
        ({"team": {"none_of": []}}, ["a", "b", "c", "d"]),
        ({"tags": "x"}, ["a"]),
        ({"tags": {"none_of": ["x"]}}, ["b", "c", "d"]),
        ({"open": True}, ["c"]),
        ({"open": 1}, []),
        ({"year": 2023}, ["b"]),
        ({"year": 2023.0}, ["b"]),
        ({"year": "2024"}, ["d"]),
        ({"year": {"before": 2021.5}}, ["c"]),
        ({"year": {"at_most": 2021.5}}, ["a", "c"]),
        ({"year": {"after": 2021}}, ["a", "b"]),
        ({"year": {"at_least": 2021, "before": 2023}}, ["a"]),
        ({"year": "2023"}, ["b"]),
        ({"year": 2024}, ["d"]),
        ({"year": {"none_of": ["2023", "2020.0"]}}, ["a", "d"]),
        ({"open": "true"}, ["c"]),
        ({"year": {"at_least": "2021"}}, ["a", "b"]),
        ({"day": {"before": "2023-05-01"}}, []),
        ({"day": {"at_most": "2023-05-01"}}, ["b"]),
        ({"day": {"at_least": "2023-05-01"}}, ["b"]),
        ({"day": {"after": "2023-05-01"}}, []),
        ({"day": {"after": "2023-04-30"}}, ["b"]),
        ({"team": {"after": "2023-04-30"}}, []),
        ({"nested.region": "eu"}, ["d"]),
        ({"nested": "eu"}, []),
        ({"team": "sales", "open": True}, ["c"]),
        ({"team": "'; DROP TABLE passages; --"}, []),
        ({"team": "%s {}"}, []),
    ],
)
def test_conditions_hold_in_the_database(options: Any, where: Any, expected: list[str]) -> None:
    assert ids(options, where) == expected
    by_harness = {identifier for identifier, *_, held in ROWS if passes(held, where)}
    assert set(expected) <= by_harness  # an engine may be stricter, never laxer


def test_conditions_hold_before_the_cut_even_where_there_is_an_approximate_index(
    options: Any,
) -> None:
    query = Query("refund", 4, {"team": "rare"})
    found = retrieve(options, query, table="many").passages
    assert [passage.id for passage in found] == ["500", "1000", "1500", "2000"]
    approximate = retrieve(options, query, table="many", exact=False).passages
    assert {passage.metadata["team"] for passage in approximate} <= {"rare"}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    where=st.dictionaries(
        st.sampled_from(["team", "year", "tags", "day", "nested.region", "x"]),
        st.text(max_size=5)
        | st.dictionaries(
            st.sampled_from(["any_of", "none_of"]),
            st.lists(st.text(max_size=3) | st.integers() | st.booleans(), max_size=3),
            min_size=1,
        ),
        max_size=3,
    )
)
def test_any_condition_is_held_or_refused_and_never_more_comes_back(
    options: Any, where: dict[str, Any]
) -> None:
    try:
        found = set(ids(options, where))
    except ServiceError as told:
        assert told.kind == "bad_request"  # noqa: PT017 - a NUL, which no text here can hold
        assert "\\u0000" in repr(where) or "\\x00" in repr(where)
        return
    assert found <= {"a", "b", "c", "d"}


def test_many_queries_at_once_share_connections(options: Any) -> None:
    async def run() -> list[str]:
        retriever = Pgvector.model_validate(options)
        try:
            queries = (retriever.retrieve(Query(word, 1)) for word in [*WORDS] * 5)
            every = await asyncio.gather(*queries)
            again = await retriever.retrieve(Query("order", 1))
        finally:
            await retriever.close()
        return [ranking.passages[0].id for ranking in (*every, again)]

    assert asyncio.run(run()) == ["a", "c", "d"] * 5 + ["c"]


def test_nothing_is_ever_written(options: Any, dsn: str) -> None:
    import psycopg

    with psycopg.connect(dsn) as connection:
        connection.execute(
            "CREATE FUNCTION spy() RETURNS jsonb LANGUAGE plpgsql AS"
            " $$ BEGIN DELETE FROM halves; RETURN '{}'; END $$"
        )
        connection.execute(
            "CREATE VIEW writes AS SELECT id, text, embedding, spy() AS metadata FROM halves"
        )
    told = failure(options, Query("refund", 1), table="writes")
    assert told.kind == "bad_request"
    assert "read-only" in told.message


@pytest.mark.parametrize(
    ("more", "kind", "says"),
    [
        ({"table": "nowhere"}, "not_found", 'relation "nowhere" does not exist'),
        ({"table": "no_schema.nowhere"}, "not_found", "does not exist"),
        ({"text_column": "nothing"}, "bad_request", 'column "nothing" does not exist'),
        ({"embedding_column": "text"}, "bad_request", "operator does not exist"),
        ({"text_column": "metadata"}, "malformed", "no text"),
    ],
)
def test_a_table_that_does_not_fit(options: Any, more: Any, kind: str, says: str) -> None:
    told = failure(options, Query("refund", 1), **more)
    assert told.kind == kind
    assert says in told.message


def test_a_query_that_takes_too_long_is_left(options: Any, dsn: str) -> None:
    import psycopg

    with psycopg.connect(dsn) as connection:
        connection.execute(
            "CREATE VIEW slow AS SELECT id, text, embedding, NULL::jsonb AS metadata"
            " FROM halves, pg_sleep(60)"
        )
    assert failure(options, Query("refund", 1), table="slow", timeout_s=0.5).kind == "timeout"


def test_a_connection_that_fails(
    options: Any, dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    query = Query("refund", 1)
    for wrong, kind in (
        (dsn.replace("user=tester", "user=stranger"), "authentication"),
        (dsn.replace("dbname=postgres", "dbname=nothing"), "not_found"),
        (f"host={tmp_path} password={postgres.PASSWORD}", "connection"),
        (f"postgres:/{postgres.PASSWORD}", "authentication"),
        ("", "authentication"),
    ):
        monkeypatch.setenv("PG_DSN", wrong)
        assert failure(options, query).kind == kind, wrong
    monkeypatch.delenv("PG_DSN")
    told = failure(options, query)
    assert told.message == "the environment variable PG_DSN holds no connection string"


def test_a_database_without_the_extension(options: Any, dsn: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("PG_DSN", dsn.replace("dbname=postgres", "dbname=template1"))
    told = failure(options, Query("refund", 1))
    assert (told.kind, told.message) == ("not_found", "the database has no extension vector")


def test_identity_tells_host_and_versions_and_no_password(
    options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def opened() -> Mapping[str, Any]:
        retriever = Pgvector.model_validate(options)
        try:
            await retriever.open((), Path())
            return retriever.identity
        finally:
            await retriever.close()

    assert str(asyncio.run(opened())["version"]).startswith("PostgreSQL 1")
    monkeypatch.setenv("PG_DSN", f"postgresql://me:{postgres.PASSWORD}@db.example:6000/x")
    known = Pgvector.model_validate(options).identity
    assert (known["base_url"], known["table"]) == ("db.example:6000", "passages")
    assert postgres.PASSWORD not in repr(known)
    assert known["embedder"]["model"] == "encoder"


@pytest.mark.parametrize(
    "more",
    [
        {"distance": "hamming"},
        {"dsn_env": "postgresql://me:pw@host/db"},
        {"table": ""},
        {"table": "a.b.c"},
        {"embedder": {}},
        {"embedder": {"kind": "bert"}},
        {"embedder": {"kind": "local", "model": "nowhere"}},
        {"embedder": {"kind": "local", "modle": "x"}},
    ],
)
def test_mistakes_are_config_errors(tmp_path: Path, more: Any) -> None:
    folder = encoder_folder(tmp_path / "encoder", WORDS)
    good = {
        "dsn_env": "PG_DSN",
        "table": "t",
        "embedder": {"kind": "local", "model": str(folder)},
    }
    Pgvector.model_validate(good)
    with pytest.raises(ValidationError) as raised:
        Pgvector.model_validate({**good, **more})
    assert "pw@host" not in str(raised.value).partition("[type=")[0]
