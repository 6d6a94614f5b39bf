"""Records and examples as Parquet tables, and back (columns: docs/reference/files.md).

Unknown numbers are null. JSON columns hold JSON text. A text column holds a lone surrogate as its
escape; an output that has one is kept exactly in `output_json`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Outcome, Record, Status, Usage
from harness.core.values import JsonValue, ToolCall
from harness.storage import traces
from harness.storage.columns import column
from harness.storage.text import json_or_none, json_text, parse_or_none, utf8, utf8_or_none

TRIALS = "trials.parquet"
ROWS_AT_ONCE = 250
"""Rows per row group: bounds the memory that writing and reading take."""

_TRIALS = pa.schema(
    [
        ("run_id", pa.string()),
        ("variant", pa.string()),
        ("example_id", pa.string()),
        ("repeat", pa.int32()),
        ("block", pa.int32()),
        ("began_s", pa.float64()),
        ("status", pa.string()),
        ("error_kind", pa.string()),
        ("error_message", pa.string()),
        ("output_text", pa.string()),
        ("output_json", pa.string()),
        ("latency_s", pa.float64()),
        ("queue_s", pa.float64()),
        ("retry_wait_s", pa.float64()),
        ("ttft_s", pa.float64()),
        ("attempts", pa.int32()),
        ("path", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("cached_prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("cache_write_tokens", pa.int64()),
        ("reasoning_tokens", pa.int64()),
        ("cost_usd", pa.float64()),
        ("evidence_ids", pa.list_(pa.string())),
        ("tool_calls", pa.string()),
        ("calls", pa.int32()),
        ("validation", pa.string()),
        ("rejections", pa.list_(pa.string())),
        ("repairs", pa.int32()),
        ("fallback_used", pa.bool_()),
        ("fallback_to", pa.string()),
        ("routed_to", pa.string()),
        ("served_model", pa.string()),
        ("steps", pa.string()),
        ("metadata", pa.string()),
    ]
)
_EXAMPLES = pa.schema(
    [
        ("id", pa.string()),
        ("cluster", pa.string()),
        ("input", pa.string()),
        ("target", pa.string()),
        ("slices", pa.string()),
        ("evidence", pa.string()),
        ("tool_calls", pa.string()),
        ("abstain", pa.bool_()),
        ("metadata", pa.string()),
    ]
)
_TOKENS = (
    "prompt_tokens", "cached_prompt_tokens", "completion_tokens", "cache_write_tokens",
    "reasoning_tokens",
)  # fmt: skip
_FEW = ["run_id", "variant", "status", "error_kind", "path", "validation", "served_model"]
"""Columns of few different values. For each of the others a dictionary would only take memory."""
TRIAL_COLUMNS = tuple(_TRIALS.names)
PRIVATE_TRIAL_COLUMNS = frozenset(
    {
        "error_kind",
        "error_message",
        "output_text",
        "output_json",
        "evidence_ids",
        "tool_calls",
        "rejections",
        "steps",
        "metadata",
    }
)
"""What a baseline leaves out: everything that can quote an answer or an error."""
PRIVATE_EXAMPLE_COLUMNS = frozenset({"input", "target", "evidence", "tool_calls", "metadata"})
"""What a baseline leaves out: everything that can quote a question or its target."""


def write_trials(
    path: Path, run_id: str, records: Iterable[Record], without: frozenset[str] = frozenset()
) -> None:
    """Write a row per record; the columns named in `without` are null throughout."""
    rows = (_in_order(trial_values(run_id, record)) for record in records)
    _write(path, _TRIALS, rows, without)


def read_trials(path: Path) -> tuple[Record, ...]:
    """The records of `trials.parquet`. An output that a baseline left out is None."""
    return tuple(map(whole, TrialFile(path)))


@dataclass(frozen=True)
class TrialFile(Collection[Record]):
    """The records of a `trials.parquet`, read anew whenever they are gone through."""

    path: Path

    def __iter__(self) -> Iterator[Record]:
        return map(record_of, _rows(self.path, _TRIALS))

    def __len__(self) -> int:
        n: int = pq.read_metadata(self.path).num_rows
        return n

    def __contains__(self, record: object) -> bool:
        return any(own == record for own in self)


def write_examples(
    path: Path, examples: Sequence[Example], without: frozenset[str] = frozenset()
) -> None:
    """Write a row per example; the columns named in `without` are null throughout."""
    _write(path, _EXAMPLES, (_example_row(example) for example in examples), without)


def read_examples(path: Path) -> tuple[Example, ...]:
    """The examples of `examples.parquet`, in the order they were written."""
    return tuple(_example(row) for row in _rows(path, _EXAMPLES))


def _write(
    path: Path, schema: pa.Schema, rows: Iterator[tuple[Any, ...]], without: frozenset[str]
) -> None:
    temporary = path.with_name(f".{path.name}")  # a resumed run has one that is whole
    with pq.ParquetWriter(
        temporary, schema, compression="zstd", use_dictionary=_FEW, write_statistics=False
    ) as writer:
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            columns = zip(*batch, strict=True)
            arrays = [
                pa.nulls(len(batch), field.type)
                if field.name in without
                else column(values, field.type)
                for field, values in zip(schema, columns, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    temporary.replace(path)


def _rows(path: Path, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    """The rows by column; one that the file does not have, as older runs may not, is None."""
    with pq.ParquetFile(path) as file:
        known = [name for name in schema.names if name in file.schema_arrow.names]
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=known):
            columns = [
                batch.column(name).to_pylist() if name in known else [None] * len(batch)
                for name in schema.names
            ]
            for row in zip(*columns, strict=True):
                yield dict(zip(schema.names, row, strict=True))


def trial_values(run_id: str, record: Record) -> dict[str, Any]:
    """A trial's values by column; columns that are not known of it may be absent."""
    answer = record.outcome if isinstance(record.outcome, Answer) else None
    failure = record.outcome if isinstance(record.outcome, Failure) else None
    text, json_ = _output(answer.output) if answer else (None, None)
    return {
        "run_id": utf8(run_id),
        "variant": utf8(record.variant),
        "example_id": utf8(record.example_id),
        "repeat": record.repeat,
        "status": record.status.value,
        "error_kind": utf8(failure.error_kind) if failure else None,
        "error_message": utf8(failure.message) if failure else None,
        "output_text": text,
        "output_json": json_,
        "latency_s": record.latency_s,
        "path": record.path.value,
        "prompt_tokens": record.usage.prompt_tokens,
        "cached_prompt_tokens": record.usage.cached_prompt_tokens,
        "completion_tokens": record.usage.completion_tokens,
        "cache_write_tokens": record.usage.cache_write_tokens,
        "reasoning_tokens": record.usage.reasoning_tokens,
        "cost_usd": record.cost_usd,
        "evidence_ids": _texts(record.evidence),
        "tool_calls": _calls_json(record.tool_calls),
        "metadata": json_text(record.metadata) if record.metadata else None,
        **(traces.columns_of(record.trace) if record.trace else {}),
    }


def _in_order(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row's values in the schema's order; None for what is not known of the trial."""
    return tuple(map(values.get, _TRIALS.names))


def record_of(row: Mapping[str, Any]) -> Record:
    """The record that `trial_values` was made of; `row` has every column, None where not known.

    Its steps are not looked at: see `whole`.
    """
    return Record(
        variant=row["variant"],
        example_id=row["example_id"],
        repeat=row["repeat"],
        outcome=_outcome(row),
        path=AnswerPath(row["path"]),
        latency_s=row["latency_s"],
        cost_usd=row["cost_usd"],
        usage=Usage(*(row[name] for name in _TOKENS)),
        metadata=parse_or_none(row["metadata"]) or {},
        trace=traces.trace_of(row),
    )


def whole(record: Record) -> Record:
    """The record with its steps read, so that damage in them shows.

    Raises:
        ValueError, KeyError, TypeError: if they are no steps.
    """
    if record.trace is None:
        return record
    return replace(record, trace=replace(record.trace, steps=tuple(record.trace.steps)))


def _outcome(row: Mapping[str, Any]) -> Outcome:
    status = Status(row["status"])
    json_, evidence = row["output_json"], row["evidence_ids"]
    calls = _calls(row["tool_calls"])
    evidence = None if evidence is None else tuple(evidence)
    if status is not Status.OK:
        infrastructure = status is Status.INFRASTRUCTURE_FAILURE
        kind, message = row["error_kind"] or "", row["error_message"] or ""
        return Failure(infrastructure, kind, message, calls, evidence)
    output = row["output_text"] if json_ is None else parse_or_none(json_)
    return Answer(output, calls, evidence)


def _output(value: JsonValue) -> tuple[str | None, str | None]:
    """`output_text` for a string, `output_json` for the rest, both where UTF-8 changes a string."""
    if not isinstance(value, str):
        return None, json_or_none(value)
    text = utf8(value)
    return text, None if text == value else json_text(value)


def _example_row(example: Example) -> tuple[Any, ...]:
    return (
        utf8(example.id),
        utf8_or_none(example.cluster),
        json_text(example.input),
        json_or_none(example.target),
        json_text(example.slices),
        None if example.evidence is None else json_text(list(example.evidence)),
        _calls_json(example.tool_calls),
        example.abstain,
        json_text(example.metadata) if example.metadata else None,
    )


def _example(row: Mapping[str, Any]) -> Example:
    evidence = parse_or_none(row["evidence"])
    return Example(
        id=row["id"],
        input=parse_or_none(row["input"]),
        target=parse_or_none(row["target"]),
        slices=parse_or_none(row["slices"]),
        cluster=row["cluster"],
        evidence=None if evidence is None else tuple(evidence),
        tool_calls=_calls(row["tool_calls"]),
        abstain=row["abstain"],
        metadata=parse_or_none(row["metadata"]) or {},
    )


def _texts(texts: Sequence[str] | None) -> list[str] | None:
    return None if texts is None else [utf8(text) for text in texts]


def _calls_json(calls: Sequence[ToolCall] | None) -> str | None:
    if not calls:
        return None if calls is None else "[]"
    return json_text([{"name": call.name, "arguments": call.arguments} for call in calls])


def _calls(text: str | None) -> tuple[ToolCall, ...] | None:
    if text is None:
        return None
    return tuple(ToolCall(call["name"], call["arguments"]) for call in parse_or_none(text))
