"""A run is dated by the clock that it is given."""

from __future__ import annotations

import json
from pathlib import Path

import live_desk
import pytest
from model_server import ModelServer

from harness.config.evalset import freeze_evalset
from harness.core.values import JsonValue
from harness.experiment.merge import compare_runs
from harness.experiment.prepare import Options
from harness.experiment.run import run_experiment

CONFIG = """\
name: toy
evalset: set
baseline: a
variants:
  - {id: a, recorded: a.jsonl}
scorers:
  - {id: correct, use: exact_match}
primary: [correct]
"""


class HeldClock:
    """Tells the times that it is given, one after the other."""

    def __init__(self, *times: str) -> None:
        self.times = list(times)

    def now_iso(self) -> str:
        return self.times.pop(0)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("set").mkdir()
    Path("set/evalset.yaml").write_text("name: set\nexamples: examples.jsonl\n")
    Path("set/examples.jsonl").write_text('{"id": "e", "input": "?", "target": "x"}\n')
    Path("a.jsonl").write_text('{"id": "e", "output": "x"}\n')
    Path("toy.yaml").write_text(CONFIG)
    freeze_evalset(Path("set"))
    return Path("toy.yaml")


def times_of(manifest: JsonValue) -> tuple[str, str, str]:
    return manifest["run_id"][:-6], manifest["started"], manifest["finished"]


def test_a_run_has_its_clocks_times(config: Path) -> None:
    clock = HeldClock("2026-11-20T10:11:12+00:00", "2026-11-20T10:11:14+00:00")
    run = run_experiment(config, Options(), clock)
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert run.path.name == manifest["run_id"]
    assert times_of(manifest) == (
        "20261120T101112Z-", "2026-11-20T10:11:12+00:00", "2026-11-20T10:11:14+00:00"
    )  # fmt: skip


def test_a_clock_that_is_set_back_changes_no_figure(here: Path, server: ModelServer) -> None:
    """Only dates are the wall clock's; all that is measured is a clock's that never steps."""
    written = live_desk.config("id: a", more="factors: []\n", url=server.openai_url)
    clock = HeldClock("2026-11-20T10:11:12+00:00", "2026-11-20T09:00:00+00:00")
    run = run_experiment(written, Options(), clock)
    assert run.data.manifest["finished"] < run.data.manifest["started"]
    trials = live_desk.trials(run)
    assert all(trial["latency_s"] > 0 and trial["queue_s"] >= 0 for trial in trials)
    blocks = sorted(trials, key=lambda trial: trial["block"])
    assert [trial["began_s"] for trial in blocks] == sorted(trial["began_s"] for trial in trials)


def test_so_has_a_comparison_of_runs(config: Path) -> None:
    runs = [
        run_experiment(config, clock=HeldClock(f"2026-11-20T10:0{minute}:00+00:00", "-")).path
        for minute in range(2)
    ]
    clock = HeldClock("2027-01-02T03:04:05+00:00", "2027-01-02T03:04:06+00:00")
    manifest = compare_runs(runs, clock=clock).data.manifest
    assert times_of(manifest) == (
        "20270102T030405Z-", "2027-01-02T03:04:05+00:00", "2027-01-02T03:04:06+00:00"
    )  # fmt: skip
    assert [run.name for run in runs] == manifest["compared_runs"]
