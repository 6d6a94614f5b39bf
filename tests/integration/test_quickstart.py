"""The quickstart gives the same answers every time, and with the network cut off."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = {"prompt_only", "prompt_rag", "prompt_tools", "tuned_minimal", "tuned_rag"}
N_EXAMPLES = 14  # holds messages of four kinds, two of them for tools
OF_A_CLOCK = {
    "run_id", "latency_s", "queue_s", "retry_wait_s", "ttft_s", "attempts", "steps", "path",
    "began_s", "cached_prompt_tokens",  # of what ran before
}  # fmt: skip
CUT_OFF = ("unshare", "--map-root-user", "--net")
"""Runs a command where there is no network, not even loopback: its one interface is down."""

Rows = Sequence[Mapping[str, Any]]


def run(folder: Path, *before: str) -> tuple[Rows, Rows]:
    """The answers and scores of all five variants; nothing of an earlier run is at hand."""
    home = folder / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_CACHE_DIR")}
    command = (*before, sys.executable, "-m", "harness", "run", "configs/quickstart.yaml", "--json")
    done = subprocess.run(
        [*command, "--limit", str(N_EXAMPLES), "--out", str(folder / "runs")],
        cwd=ROOT,
        env={**kept, "HOME": str(home), "HARNESS_CACHE": str(home / "cache")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = Path(json.loads(done.stdout)["run"])
    trials = pq.read_table(found / "trials.parquet").to_pylist()
    answers = [{k: v for k, v in row.items() if k not in OF_A_CLOCK} for row in trials]
    return answers, pq.read_table(found / "scores.parquet").to_pylist()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Rows]:
    return run(tmp_path_factory.mktemp("once"))


def test_all_five_answer(once: tuple[Rows, Rows]) -> None:
    answers, _ = once
    assert {row["variant"] for row in answers} == VARIANTS
    assert len(answers) == N_EXAMPLES * len(VARIANTS)
    assert {row["variant"] for row in answers if row["status"] == "ok"} == VARIANTS
    assert not [row for row in answers if row["status"] == "infrastructure_failure"]
    assert any(json.loads(row["tool_calls"]) for row in answers if row["variant"] == "prompt_tools")


def test_a_second_run_gives_the_same(once: tuple[Rows, Rows], tmp_path: Path) -> None:
    assert repr(run(tmp_path)) == repr(once)  # repr: not a number equals itself


def test_it_runs_with_the_network_cut_off(once: tuple[Rows, Rows], tmp_path: Path) -> None:
    if (
        shutil.which(CUT_OFF[0]) is None
        or subprocess.run([*CUT_OFF, "true"], check=False).returncode
    ):
        pytest.skip("no network namespace can be made here (unshare --map-root-user --net)")
    with socket.create_server(("127.0.0.1", 0)) as server:
        call = f"import socket; socket.create_connection({server.getsockname()!r})"
        reached = [
            subprocess.run([*before, sys.executable, "-c", call], capture_output=True, check=False)
            for before in ((), CUT_OFF)
        ]
    assert [done.returncode for done in reached] == [0, 1]
    assert b"unreachable" in reached[1].stderr

    assert repr(run(tmp_path, *CUT_OFF)) == repr(once)
