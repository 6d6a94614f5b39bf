"""Rows of an eval set as examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.config.findings import Findings
from harness.config.readers import is_textual, read_rows
from harness.config.rows import Columns, RowError, identifier, identifiers, kind, tool_calls
from harness.core.example import Example
from harness.core.values import ABSENT, JsonValue

_FIELDS = (
    "id", "input", "target", "slices", "cluster", "evidence", "tool_calls", "abstain", "metadata",
)  # fmt: skip
_NESTED = ("input", "target", "slices", "metadata")
_TEXTS = ("id", "input", "target", "slices", "cluster", "metadata")


def read_examples(
    path: Path, fields: Mapping[str, str], input_fields: Sequence[str], findings: Findings
) -> tuple[Example, ...]:
    """The examples of a file in the order of their ids; what is wrong goes to `findings`.

    Args:
        path: a .jsonl, .csv or .parquet file.
        fields: our names of fields: the file's.
        input_fields: what every input must hold.
        findings: collects the problems.
    """
    columns = Columns(fields, nested=_NESTED, known=_FIELDS, textual=is_textual(path), texts=_TEXTS)
    examples: dict[str, Example] = {}
    lines: dict[str, int] = {}
    n_rows = 0
    for line, row in read_rows(path, findings):
        n_rows += 1
        try:
            example = _example(columns.ours(row), input_fields)
        except RowError as error:
            findings.add(line, str(error), error.hint)
            continue
        if example.id in examples:
            first = lines[example.id]
            findings.add(line, f"the id '{example.id}' is already on line {first}")
            continue
        examples[example.id] = example
        lines[example.id] = line
    if not n_rows and not findings.count:
        findings.add_whole("the eval set is empty: no examples")
    for name, source in columns.unseen.items() if n_rows else ():
        findings.add_whole(f"no row has the field '{source}' that `fields` takes as {name}")
    return tuple(examples[key] for key in sorted(examples))


def as_json(example: Example) -> dict[str, JsonValue]:
    """An example as the JSON object that is hashed, and that a file could hold."""
    calls = example.tool_calls
    return {
        "id": example.id,
        "input": example.input,
        "target": example.target,
        "slices": dict(example.slices),
        "cluster": example.cluster,
        "evidence": None if example.evidence is None else list(example.evidence),
        "tool_calls": None
        if calls is None
        else [{"name": call.name, "arguments": dict(call.arguments)} for call in calls],
        "abstain": example.abstain,
        "metadata": dict(example.metadata),
    }


def _example(row: dict[str, JsonValue], input_fields: Sequence[str]) -> Example:
    example_id = identifier(row.get("id", ABSENT), "the id")
    if "input" not in row:
        raise RowError("the input is missing", "an input that must stay untold can be null")
    given = row["input"]
    for name in input_fields if given is not None else ():
        if not isinstance(given, dict) or name not in given:
            raise RowError(f"the input has no '{name}', which evalset.yaml lists in input_fields")
    abstain, cluster = row.get("abstain"), row.get("cluster")
    if abstain is not None and not isinstance(abstain, bool):
        raise RowError(f"abstain must be true or false, not {kind(abstain)}")
    return Example(
        id=example_id,
        input=given,
        target=row.get("target"),
        slices=_slices(row.get("slices")),
        cluster=None if cluster is None else identifier(cluster, "cluster"),
        evidence=identifiers(row.get("evidence"), "evidence"),
        tool_calls=tool_calls(row.get("tool_calls"), strict=True),
        abstain=abstain,
        metadata=row["metadata"],
    )


def _slices(value: JsonValue) -> dict[str, str]:
    """Slice values as text; a null is no value."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RowError(f"slices must be an object (name: value), not {kind(value)}")
    return {name: _slice_value(name, item) for name, item in value.items() if item is not None}


def _slice_value(name: str, value: JsonValue) -> str:
    if not name.strip() or "=" in name:
        raise RowError(f"'{name}' cannot name a slice: a name is not empty and holds no '='")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    given = "empty text" if isinstance(value, str) else kind(value)
    raise RowError(f"the value of slice '{name}' must be text, not {given}")
