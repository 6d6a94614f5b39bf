"""Texts from models and data sets are shown, never obeyed."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.storage.export import export_run

RED = "\x1b[31mred\x1b[0m"
TITLE = "\x1b]0;owned\x07"
BIDI = "\u202egnp.exe"
LONE = "half \ud83d pair"
HOSTILE = [RED, TITLE, BIDI, LONE, "\x00", "a\r\x1b[2Kb", "</script><script>alert(1)</script>"]


@pytest.fixture
def hostile(project: Any) -> Any:
    rows = [
        {"id": f"e{i:05d}", "output": HOSTILE[i % len(HOSTILE)], "evidence": [LONE, RED],
         "error": None, "metadata": {LONE: TITLE}}
        for i in range(40)
    ]  # fmt: skip
    project.write("recordings/new.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    project.run("run", "configs/toy.yaml")
    return project


def test_no_command_reaches_the_terminal(hostile: Any) -> None:
    for index in range(len(HOSTILE)):
        text = hostile.run("show", "toy", f"e{index:05d}").stdout
        assert not set(text) & set("\x00\x07\r\x1b\u202e")
    assert "\\x1b[31mred" in hostile.run("show", "toy", "e00000").stdout
    assert "half \ufffd pair" in hostile.run("show", "toy", "e00003").stdout


def test_every_output_is_kept_but_for_broken_characters(
    hostile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import harness

    monkeypatch.chdir(hostile.folder)
    records = harness.load_run("toy").data.records
    outputs = [record.outcome.output for record in records if record.variant == "new"]
    readable = [text.replace("\ud83d", "\ufffd") for text in HOSTILE]
    assert outputs == [readable[i % len(readable)] for i in range(40)]


def test_problems_do_not_command_the_terminal(project: Any) -> None:
    path = project.folder / "recordings/old.jsonl"
    path.write_text(path.read_text().replace('"e00007"', json.dumps("e7" + RED + BIDI)))
    words = project.run("run", "configs/toy.yaml", check=2).stderr
    assert not set(words) & set("\x1b\u202e")
    unknown = project.run("show", RED, "x", check=2).stderr
    assert "\x1b" not in unknown


FORMULAS = tuple(f"{start}HYPERLINK(1)" for start in "=+-@\t\r\n")


def test_a_spreadsheet_runs_no_formula(project: Any, tmp_path: Path) -> None:
    rows = [
        {"id": f"e{i:05d}", "output": FORMULAS[i % len(FORMULAS)], "latency_s": 0.5,
         "cost_usd": 0, "evidence": ["=x"]}
        for i in range(40)
    ]  # fmt: skip
    project.write("recordings/new.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    project.run("run", "configs/toy.yaml")
    (folder,) = project.runs()
    for to in ("csv", "parquet"):
        export_run(folder, to, tmp_path / "out")
    with (tmp_path / "out/trials.csv").open(encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if row["variant"] == "new"]
    assert {row["output_text"] for row in found} == {f"'{text}" for text in FORMULAS}
    assert {row["evidence_ids"] for row in found} == {'["=x"]'}
    with (tmp_path / "out/pairs.csv").open(encoding="utf-8", newline="") as file:
        assert float(next(csv.DictReader(file))["diff"]) < 0
    table = pq.read_table(tmp_path / "out/trials.parquet").to_pylist()
    assert {row["output_text"] for row in table if row["variant"] == "new"} == set(FORMULAS)
