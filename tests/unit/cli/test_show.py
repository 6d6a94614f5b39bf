"""`harness show` on a live run: every variant's steps, in text that commands nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from live_runs import live_run

from harness.cli.show import show
from harness.core.record import Stage, Step, Trace
from harness.core.run import RunData
from harness.storage.run_folder import write_run


def shown(run: RunData, folder: Path, example_id: str, said: pytest.CaptureFixture[str]) -> str:
    folder.mkdir()
    write_run(folder, run, {})
    show(str(folder), example_id)
    return said.readouterr().out


def test_steps_of_every_variant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = live_run(n=12)
    text = shown(run, tmp_path / "run", "q-003", capsys)
    tools = text.partition("variant tools")[2]
    assert text.count("steps: ") == 4
    assert "  2. generate: " in tools
    assert "asks for tools:\n         look_up(" in tools
    assert "  3. tool: " in tools
    rag = text.partition("variant prompt_rag")[2]
    assert "1. returns#3  score 12.2  document returns  ✓ wanted" in rag
    assert "user message:\n         Passages:\n         1. returns#3\n" in rag


def test_a_hostile_step_commands_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detail = {"\x1b[2J": 1, "text": "\x1b[31mred\r\u202e\x07"}
    trace = Trace(
        steps=(Step(Stage.GENERATE, 0, 1.0, variant="\x1b[0m", detail=detail),),
        calls=1,
        attempts=1,
        rejections=("\x9b2J",),
    )
    run = live_run(n=12)
    run = replace(run, records=tuple(replace(record, trace=trace) for record in run.records))
    text = shown(run, tmp_path / "run", "q-003", capsys)
    assert "red" in text
    assert not set(text) & set("\x1b\r\x07\x9b\u202e")
