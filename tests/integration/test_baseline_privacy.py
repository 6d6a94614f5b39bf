"""A baseline can be committed: it holds figures and names, and nothing that anybody wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

SECRET = "sEcReT"  # noqa: S105
CONFIG = """\
name: toy
evalset: ../evalsets/toy
baseline: old
variants:
  - {id: old, recorded: ../recordings/old.jsonl}
  - {id: new, recorded: ../recordings/new.jsonl}
scorers:
  - {id: correct, use: exact_match, target_field: text}
  - {id: said, use: contains, target_field: text}
  - {id: topic, use: label, target_field: topic}
  - {id: number, use: field, path: metadata.seconds}
  - {id: cites, use: citation}
  - {id: calls, use: tool_calls}
  - {id: mine, use: python, call: "raising:mine"}
primary: [correct]
statistics: {resamples: 200}
"""
RAISING = """\
def mine(example, output, record):
    if example.id.endswith("3"):
        raise ValueError(f"cannot score {output}")
    return 1, f"it says {output}"
"""


def answer(index: int, variant: str) -> dict[str, Any]:
    """Everything that a recording can say in words, secret throughout."""
    row: dict[str, Any] = {"id": f"e{index:05d}", "latency_s": 0.1}
    if variant == "new":
        match index % 8:
            case 5:
                return {**row, "error": SECRET}
            case 6:
                return {**row, "error": {"kind": SECRET, "message": SECRET}}
            case 7:
                return {**row, "error": {"kind": SECRET, "message": SECRET},
                        "status": "system_failure"}  # fmt: skip
    return {
        **row,
        "output": [f"{SECRET} {index}", "billing", {SECRET: SECRET}][index % 3],
        "evidence": [SECRET],
        "tool_calls": [{"name": SECRET, "arguments": {SECRET: SECRET}}],
        "metadata": {"seconds": SECRET, SECRET: SECRET},
    }


@pytest.fixture
def secretive(project: Any) -> Any:
    examples = [
        {"id": f"e{i:05d}", "input": {"q": SECRET}, "target": {"text": SECRET, "topic": "billing"},
         "evidence": [SECRET], "tool_calls": [{"name": SECRET, "arguments": {}}],
         "slices": {"parity": "odd" if i % 2 else "even"}, "metadata": {SECRET: SECRET}}
        for i in range(40)
    ]  # fmt: skip
    files = {
        "evalsets/toy/examples.jsonl": examples,
        "recordings/old.jsonl": [answer(i, "old") for i in range(40)],
        "recordings/new.jsonl": [answer(i, "new") for i in range(40)],
    }
    for name, rows in files.items():
        project.write(name, "".join(json.dumps(row) + "\n" for row in rows))
    project.write("raising.py", RAISING)
    project.write("configs/toy.yaml", CONFIG)
    project.freeze()
    project.run("run", "configs/toy.yaml")
    return project


def words_of(folder: Path) -> Iterator[tuple[str, str]]:
    """All text of a folder's files, Parquet decoded, metadata included."""
    for path in sorted(folder.iterdir()):
        yield path.name, path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield path.name, repr(table.to_pylist())
            yield path.name, repr(table.schema.metadata)
            dictionaries = [
                chunk.dictionary.to_pylist()
                for column in table.columns
                for chunk in column.chunks
                if hasattr(chunk, "dictionary")
            ]
            yield path.name, repr(dictionaries)


def test_a_baseline_holds_nothing_that_was_asked_or_answered(secretive: Any) -> None:
    (run,) = secretive.runs()
    leaking = {name for name, words in words_of(run) if SECRET in words}
    assert {"trials.parquet", "scores.parquet", "examples.parquet", "comparison.json"} <= leaking

    secretive.run("baseline", "save", "toy", "released")
    saved = secretive.folder / "reports" / "baselines" / "released"
    assert [name for name, words in words_of(saved) if SECRET in words] == []


def test_a_gate_decides_by_the_baseline_as_by_the_run(secretive: Any) -> None:
    (run,) = secretive.runs()
    secretive.run("baseline", "save", "toy", "released")
    secretive.run("run", "configs/toy.yaml")
    secretive.write(
        "configs/gates/release.yaml",
        "rules:\n"
        "  - {metric: correct, margin: 0.05}\n"
        "  - {metric: topic.macro_f1, margin: 0.05}\n"
        "  - {metric: mine, slice: parity=odd, margin: 0.05}\n",
    )
    gate = ("gate", "toy", "--policy", "configs/gates/release.yaml", "--json", "--baseline")
    by_copy = secretive.run(*gate, "released", check=None)
    by_run = secretive.run(*gate, str(run), check=by_copy.returncode)
    assert len(json.loads(by_copy.stdout)["rules"]) == 3
    assert by_copy.stdout == by_run.stdout
