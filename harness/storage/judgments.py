"""Verdicts of judges as Parquet and back: a row per verdict, in the order they were given."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.core.judging import UNKNOWN_ORDER, JudgmentTable, TableBuilder
from harness.storage.columns import column
from harness.storage.text import utf8

JUDGMENTS = "judgments.parquet"
_ROWS_AT_ONCE = 10_000
_SCHEMA = pa.schema(
    [
        ("comparison", pa.string()),
        ("judge", pa.string()),
        ("example_id", pa.string()),
        ("first", pa.string()),
        ("second", pa.string()),
        ("repeat", pa.int32()),
        ("turn", pa.int32()),
        ("swapped", pa.bool_()),
        ("p_second", pa.float64()),
        ("flipped", pa.bool_()),
        ("first_chars", pa.float64()),
        ("second_chars", pa.float64()),
        ("cost_usd", pa.float64()),
        ("latency_s", pa.float64()),
        ("reason", pa.string()),
        ("quote", pa.string()),
    ]
)


def write_judgments(path: Path, tables: Mapping[str, JudgmentTable]) -> None:
    """Write all verdicts; `tables` are by the id of their entry in `pairwise:`."""
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        for name, table in tables.items():
            for start in range(0, len(table), _ROWS_AT_ONCE):
                rows = range(start, min(start + _ROWS_AT_ONCE, len(table)))
                columns = zip(*(_row(name, table, row) for row in rows), strict=True)
                arrays = [
                    column(values, field.type)
                    for values, field in zip(columns, _SCHEMA, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA))


def read_judgments(
    path: Path, variants: Sequence[str], example_ids: Sequence[str]
) -> dict[str, JudgmentTable]:
    """The tables that were written, on the axes of their run."""
    builders: dict[str, TableBuilder] = {}
    for row in _rows(path):
        builder = builders.setdefault(row["comparison"], TableBuilder.of(variants, example_ids))
        builder.add(
            row["example_id"],
            row["judge"],
            (row["first"], row["second"]),
            row["p_second"],
            flipped=row["flipped"],
            swapped=UNKNOWN_ORDER if row["swapped"] is None else int(row["swapped"]),
            repeat=row["repeat"],
            turn=row["turn"],
            chars=(row["first_chars"], row["second_chars"]),
            cost_usd=row["cost_usd"],
            latency_s=row["latency_s"],
            reason=row["reason"] or "",
            quote=row["quote"] or "",
        )
    return {name: builder.table() for name, builder in builders.items()}


def _row(name: str, table: JudgmentTable, row: int) -> tuple[Any, ...]:
    swapped = int(table.swapped[row])
    return (
        utf8(name),
        utf8(table.judges[table.judge[row]]),
        utf8(table.example_ids[table.example[row]]),
        utf8(table.variants[table.first[row]]),
        utf8(table.variants[table.second[row]]),
        int(table.repeat[row]),
        int(table.turn[row]),
        None if swapped == UNKNOWN_ORDER else bool(swapped),
        _known(table.p_second[row]),
        bool(table.flipped[row]),
        _known(table.first_chars[row]),
        _known(table.second_chars[row]),
        _known(table.cost_usd[row]),
        _known(table.latency_s[row]),
        _text(table.reasons.get(row)),
        _text(table.quotes.get(row)),
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            columns = [batch.column(name).to_pylist() for name in _SCHEMA.names]
            for values in zip(*columns, strict=True):
                yield dict(zip(_SCHEMA.names, values, strict=True))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _text(text: str | None) -> str | None:
    return None if text is None else utf8(text)
