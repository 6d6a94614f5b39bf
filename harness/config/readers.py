"""Rows of JSON-lines, CSV and Parquet files as plain JSON objects, one at a time.

A row that cannot be read is noted with its line and column, and left out. Numbers are finite;
half of a surrogate pair, which no UTF-8 file could hold, becomes U+FFFD. Cells of a CSV file are
text, and an empty cell is an absent field.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.config.findings import Findings
from harness.config.jsonline import flaws, lenient
from harness.config.paths import PathError, reason, require
from harness.config.source import undecodable
from harness.core.values import JsonValue, encodable, non_finite_path, parse_json


class Row(NamedTuple):
    """The object on a line (from 1; of a Parquet file: a row), and the line's text if JSON.

    One that is not `sound` has values that were noted and became null.
    """

    line: int
    values: dict[str, JsonValue]
    text: str = ""
    sound: bool = True


_BOM = b"\xef\xbb\xbf"
_UTF8_HINT = "save the file as UTF-8"
_MAX_CELL_CHARACTERS = 2**31 - 1


def read_rows(path: Path, findings: Findings) -> Iterator[Row]:
    """Every readable row of a file, in order; what cannot be read goes to `findings`."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        findings.n_lost = math.inf
        findings.add_whole(f"files ending in '{path.suffix}' are not read", f"known: {known}")
        return
    try:
        require(path, "file")
        yield from reader(path, findings)
    except PathError as error:
        findings.n_lost = math.inf
        findings.add_whole(error.what, error.hint)
    except OSError as error:
        findings.n_lost = math.inf
        findings.add_whole(reason(error))


def is_textual(path: Path) -> bool:
    """Whether every cell of such a file is text, whatever it stands for."""
    return path.suffix.lower() == ".csv"


def _read_jsonl(path: Path, findings: Findings) -> Iterator[Row]:
    for number, ended in _lines(path, findings):
        line = ended.rstrip()  # else broken JSON would be placed on the next line
        if not line:
            continue
        sound = True
        try:
            value = parse_json(line)
        except json.JSONDecodeError as error:
            what = f"broken JSON: {error.msg}"
            findings.add_lost(number, what, "one JSON object a line", column=error.colno)
            continue
        except ValueError as error:
            sound = False
            for column, flaw in flaws(line) or [(1, str(error))]:
                findings.add(number, f"broken JSON: {flaw}", column=column)
            value = lenient(line)  # so that the rest of the line is checked in the same go
            if value is None:
                findings.n_lost += 1
                continue
        if not isinstance(value, dict):
            findings.add_lost(number, "a line must hold a JSON object", "one JSON object a line")
            continue
        if "\\u" in line:
            value = _without_lone_surrogates(value)
        yield Row(number, value, line, sound)


def _lines(path: Path, findings: Findings) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            line = raw.removeprefix(_BOM) if number == 1 else raw
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                _, column, what = undecodable(line, error)
                findings.add_lost(number, what, _UTF8_HINT, column=column)
                text = ""
            yield number, text


def _read_csv(path: Path, findings: Findings) -> Iterator[Row]:
    csv.field_size_limit(_MAX_CELL_CHARACTERS)  # the default refuses outputs over 128 KiB
    reader = csv.reader(_csv_lines(path, findings), strict=True)
    header: list[str] | None = None
    start = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            findings.add_lost(start, f"broken CSV: {error}", rows=math.inf)
            return
        line, start = start, reader.line_num + 1
        if not cells:
            continue
        if header is None:
            header = _checked_header(cells, line, findings)
            continue
        if len(cells) != len(header):
            findings.add_lost(line, f"{len(cells)} cells in a table of {len(header)} columns")
            continue
        yield Row(line, {name: cell for name, cell in zip(header, cells, strict=True) if cell})


def _csv_lines(path: Path, findings: Findings) -> Iterator[str]:
    """Lines for the CSV reader; one that cannot be used is replaced, so that the count holds."""
    for number, text in _lines(path, findings):
        column = text.find("\0") + 1
        if column:
            findings.add(number, "a NUL character", column=column)
        yield text


def _checked_header(cells: list[str], line: int, findings: Findings) -> list[str]:
    names = [cell.strip() for cell in cells]
    for index, name in enumerate(names):
        if not name:
            findings.add(line, f"column {index + 1} has no name")
        elif name in names[:index]:
            findings.add(line, f"two columns are called '{name}'")
    return names


def _read_parquet(path: Path, findings: Findings) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=4096):
                for row in batch.to_pylist():
                    number += 1
                    yield from _plain_row(number, row, findings)
    except (pa.ArrowException, ValueError) as error:
        what = f"not a readable Parquet file: {str(error).splitlines()[0]}"
        findings.add_lost(number + 1, what, rows=math.inf)


def _plain_row(number: int, row: dict[str, Any], findings: Findings) -> Iterator[Row]:
    try:
        value = plain(row)
    except ValueError as error:
        findings.add_lost(number, str(error))
        return
    broken = non_finite_path(value)
    if broken:
        findings.add_lost(number, f"{broken} is not a finite number", "leave unknown values empty")
        return
    yield Row(number, value)


def plain(value: Any) -> JsonValue:
    """A value out of an Arrow table as JSON: dates as ISO 8601 text, decimals as numbers.

    Raises:
        ValueError: for bytes that are not UTF-8, and for what JSON has no word for.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError("a binary value that is not UTF-8 text") from None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "as_integer_ratio"):  # Decimal
        return float(value)
    raise ValueError(f"a value of type {type(value).__name__} is not read")


def _without_lone_surrogates(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {
            _without_lone_surrogates(key): _without_lone_surrogates(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    return value


_READERS: dict[str, Callable[[Path, Findings], Iterator[Row]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
