"""A run's tables in formats that other tools read: Parquet, CSV and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from harness.core.comparison import PairEstimate
from harness.storage.run_folder import EXAMPLES, SCORES, load_comparison
from harness.storage.tables import ROWS_AT_ONCE, TRIALS
from harness.storage.text import json_text

_FORMULA = r"^[=+\-@\t\r\n]"


def export_run(folder: Path, to: Literal["parquet", "csv", "jsonl"], out: Path) -> list[Path]:
    """Write `trials`, `scores`, `examples` and `pairs` of a finished run into `out`.

    In CSV a text that a spreadsheet would run as a formula (it begins with = + - @, a tab or a
    line break) gets an apostrophe before it; Parquet and JSON lines hold texts as they are.

    Raises:
        InputError: if `folder` is not a finished run.
    """
    comparison = load_comparison(folder)
    out.mkdir(parents=True, exist_ok=True)
    write = _WRITERS[to]
    paths = []
    for source in (TRIALS, SCORES, EXAMPLES):
        with pq.ParquetFile(folder / source) as file:
            path = out / f"{Path(source).stem}.{to}"
            write(path, file.schema_arrow.remove_metadata(), file.iter_batches(ROWS_AT_ONCE))
            paths.append(path)
    pairs = pa.Table.from_pylist(
        [pair.model_dump() for pair in comparison.pairs], schema=_pair_schema()
    )
    path = out / f"pairs.{to}"
    write(path, pairs.schema, iter(pairs.to_batches()))
    return [*paths, path]


def _pair_schema() -> pa.Schema:
    """Columns typed by the model, so that an empty or all-null table has them too."""
    kinds = {"str": pa.string(), "int": pa.int64()}
    return pa.schema(
        [
            (name, kinds.get(getattr(field.annotation, "__name__", ""), pa.float64()))
            if name not in {"family", "finding"}
            else (name, pa.string())
            for name, field in PairEstimate.model_fields.items()
        ]
    )


def _write_parquet(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch.replace_schema_metadata(None)]))


def _write_csv(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    plain = pa.schema([(field.name, _csv_type(field.type)) for field in schema])
    with pyarrow.csv.CSVWriter(path, plain) as writer:
        for batch in batches:
            columns = [_csv_column(column) for column in batch.columns]
            writer.write_table(pa.Table.from_arrays(columns, schema=plain))


def _csv_type(kind: pa.DataType) -> pa.DataType:
    return kind if pa.types.is_primitive(kind) else pa.string()


def _csv_column(column: pa.Array) -> pa.Array:
    if pa.types.is_list(column.type):
        texts = [None if value is None else json_text(value) for value in column.to_pylist()]
        column = pa.array(texts, pa.string())
    if pa.types.is_primitive(column.type):
        return column
    column = column.cast(pa.string())
    quoted = pc.binary_join_element_wise("'", column, "")
    return pc.if_else(pc.match_substring_regex(column, _FORMULA), quoted, column)


def _write_jsonl(path: Path, _schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in batches:
            file.writelines(
                json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
                for row in batch.to_pylist()
            )


_Writer = Callable[[Path, Any, Iterator[Any]], None]
_WRITERS: dict[str, _Writer] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "jsonl": _write_jsonl,
}
