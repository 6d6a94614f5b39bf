"""Runs that are stopped, and runs at the same time."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


WAITS = """
import sys

def wait(example, output, record):
    print("scoring", file=sys.stderr, flush=True)
    sys.stdin.readline()
    return 1
"""


@pytest.fixture
def waiting(project: Any) -> Any:
    """A project whose first score waits for a line on stdin."""
    project.write("waits.py", WAITS)
    config = (project.folder / "configs/toy.yaml").read_text()
    scorer = "{id: correct, use: exact_match}"
    config = config.replace(scorer, "{id: correct, use: python, call: 'waits:wait'}")
    project.write("configs/toy.yaml", config)
    return project


def stopped_in_the_middle(project: Any, with_signal: int) -> tuple[int, str, Path]:
    """Start a run, send it a signal while it scores; its code, words and folder."""
    process = project.start("run", "configs/toy.yaml", stdin=subprocess.PIPE)
    assert process.stderr.readline() == b"scoring\n"
    (folder,) = project.runs()
    assert not (folder / "manifest.json").exists()
    process.send_signal(with_signal)
    _, words = process.communicate(timeout=100)
    return process.returncode, words.decode(), folder


@posix
def test_a_killed_run_is_never_mistaken_for_a_finished_one(waiting: Any) -> None:
    project = waiting
    code, _, folder = stopped_in_the_middle(project, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (folder.parent / "latest").exists()
    commands: list[tuple[str, ...]] = [
        ("gate", str(folder), "--policy", "configs/gates/release.yaml"),
        ("report", str(folder)),
        ("show", folder.name, "e00000"),
        ("export", str(folder), "--to", "csv"),
        ("baseline", "save", str(folder), "b"),
        ("compare", str(folder)),
    ]
    for command in commands:
        assert "not a finished run" in project.run(*command, check=2).stderr
    assert "no run 'toy'" in project.run("report", "toy", check=2).stderr


@posix
def test_ctrl_c_ends_a_run_cleanly(waiting: Any) -> None:
    code, words, folder = stopped_in_the_middle(waiting, signal.SIGINT)
    assert code == 3
    assert "interrupted" in words
    assert "Traceback" not in words
    assert not folder.exists()


@posix
def test_a_second_ctrl_c_does_not_wait() -> None:
    script = """
import os, signal, sys
from harness.cli import main
main._end_well_when_interrupted()
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print("cleaning up", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (130, "cleaning up\n")


@posix
def test_ctrl_c_while_importing_leaves_no_traceback(tmp_path: Path) -> None:
    strike = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "typer.py").write_text(strike)  # found before the installed one
    done = subprocess.run(
        [sys.executable, "-m", "harness", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (130, "harness: interrupted\n")


def test_an_error_that_ctrl_c_led_to_is_no_bug() -> None:
    error = SystemError("half imported")
    assert not main._is_interrupt(error)
    error.__context__ = KeyboardInterrupt()
    assert main._is_interrupt(error)


def test_two_runs_at_once_do_not_collide(project: Any) -> None:
    processes = [project.start("run", "configs/toy.yaml") for _ in range(2)]
    for process in processes:
        _, words = process.communicate(timeout=100)
        assert process.returncode == 0, words
    first, second = project.runs()
    for folder in (first, second):
        project.run("show", str(folder), "e00000")
    assert (first.parent / "latest").resolve() in {first.resolve(), second.resolve()}
