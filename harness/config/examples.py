"""Rows of an eval set as examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.config.findings import Findings
from harness.config.readers import is_textual, read_rows
from harness.config.rows import (
    Columns,
    Mistakes,
    RowError,
    identifier,
    identifiers,
    kind,
    tool_calls,
)
from harness.core.example import Example
from harness.core.values import ABSENT, JsonValue, ToolCall

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
    for row in read_rows(path, findings):
        n_rows += 1
        wrong = Mistakes()
        example = _example(columns.ours(row.values, wrong), input_fields, wrong)
        if example is not None and example.id in lines:
            what = f"the id '{example.id}' is already on line {lines[example.id]}"
            wrong.append(RowError(what, key="id"))
        wrong.tell(row, columns, findings)
        if example is not None:
            lines.setdefault(example.id, row.line)
        if example is not None and row.sound and not wrong:
            examples[example.id] = example
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


def _example(
    row: dict[str, JsonValue], input_fields: Sequence[str], wrong: Mistakes
) -> Example | None:
    """The example; None if anything is wrong with it, which is added to `wrong`."""
    example_id = wrong.check("id", identifier, row.get("id", ABSENT), "the id")
    wrong.check("input", _check_input, row, input_fields)
    cluster = row.get("cluster")
    read = Example(
        id=example_id or "",
        input=row.get("input"),
        target=row.get("target"),
        slices=_slices(row.get("slices"), wrong),
        cluster=None if cluster is None else wrong.check("cluster", identifier, cluster, "cluster"),
        evidence=wrong.check("evidence", identifiers, row.get("evidence"), "evidence"),
        tool_calls=wrong.check("tool_calls", _gold_calls, row.get("tool_calls")),
        abstain=wrong.check("abstain", _abstain, row.get("abstain")),
        metadata=row["metadata"],
    )
    return None if wrong else read


def _check_input(row: Mapping[str, JsonValue], input_fields: Sequence[str]) -> None:
    if "input" not in row:
        raise RowError("the input is missing", "an input that must stay untold can be null")
    given = row["input"]
    absent = [name for name in input_fields if not isinstance(given, dict) or name not in given]
    if absent and given is not None:
        names = ", ".join(f"'{name}'" for name in absent)
        raise RowError(f"the input has no {names}, which evalset.yaml lists in input_fields")


def _gold_calls(value: JsonValue) -> tuple[ToolCall, ...] | None:
    return tool_calls(value, strict=True)


def _abstain(value: JsonValue) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise RowError(f"abstain must be true or false, not {kind(value)}")
    return value


def _slices(value: JsonValue, wrong: Mistakes) -> dict[str, str]:
    """Slice values as text; a null is no value."""
    named = wrong.check("slices", _slice_map, value) or {}
    texts = {
        name: wrong.check(f"slices.{name}", _slice_value, name, item)
        for name, item in named.items()
        if item is not None
    }
    return {name: text for name, text in texts.items() if text is not None}


def _slice_map(value: JsonValue) -> dict[str, JsonValue]:
    if value is not None and not isinstance(value, dict):
        raise RowError(f"slices must be an object (name: value), not {kind(value)}")
    return value or {}


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
