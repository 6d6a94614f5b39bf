"""A small project on disk, and the command line run on it as a user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HARNESS = (sys.executable, "-m", "harness")
CONFIG = """\
name: toy
evalset: ../evalsets/toy
baseline: old
variants:
  - {id: old, recorded: ../recordings/old.jsonl}
  - {id: new, recorded: ../recordings/new.jsonl}
repeats: 1
scorers:
  - {id: correct, use: exact_match}
primary: [correct]
statistics: {resamples: 200}
"""
POLICY = "rules:\n  - {metric: correct, margin: 0.05}\n"


def lines(rows: Iterable[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@dataclass(frozen=True)
class Project:
    """A folder with one experiment, `configs/toy.yaml`."""

    folder: Path

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def examples(self, n: int) -> None:
        rows = [
            {"id": f"e{i:05d}", "input": {"q": f"{i}?"}, "target": str(i),
             "slices": {"parity": "odd" if i % 2 else "even"}}
            for i in range(n)
        ]  # fmt: skip
        self.write("evalsets/toy/examples.jsonl", lines(rows))

    def recording(self, variant: str, n: int, wrong: Callable[[int], bool]) -> None:
        rows = [
            {"id": f"e{i:05d}", "output": "wrong" if wrong(i) else str(i),
             "latency_s": 0.1 + i % 7 / 100, "cost_usd": 0.001}
            for i in range(n)
        ]  # fmt: skip
        self.write(f"recordings/{variant}.jsonl", lines(rows))

    def run(self, *arguments: str, check: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run `harness` in the project; unless `check` is None, its exit code must be that."""
        done = subprocess.run(
            [*HARNESS, *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        if check is not None:
            assert done.returncode == check, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done

    def start(self, *arguments: str, stdin: int | None = None) -> subprocess.Popen[bytes]:
        """Start `harness` in the project and return at once."""
        return subprocess.Popen(
            [*HARNESS, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def environment(self) -> dict[str, str]:
        return {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"}

    def runs(self, name: str = "toy") -> list[Path]:
        """The run folders, finished or not, oldest first."""
        folder = self.folder / "reports" / name
        found = [path for path in folder.glob("2*") if path.is_dir()] if folder.exists() else []
        return sorted(found)

    def freeze(self) -> None:
        self.run("freeze", "evalsets/toy")


def make_project(folder: Path, n: int = 40) -> Project:
    """`new` is wrong on every tenth example, `old` on every fourth."""
    project = Project(folder)
    project.examples(n)
    project.recording("old", n, wrong=lambda i: i % 4 == 0)
    project.recording("new", n, wrong=lambda i: i % 10 == 0)
    project.write("configs/toy.yaml", CONFIG)
    project.write("configs/gates/release.yaml", POLICY)
    return project


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A frozen project to copy."""
    made = make_project(tmp_path_factory.mktemp("frozen"))
    made.freeze()
    return made


@pytest.fixture
def project(frozen: Project, tmp_path: Path) -> Project:
    """A project of 40 examples, frozen, to change at will."""
    shutil.copytree(frozen.folder, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A frozen project of 400 examples with one finished run, to read only."""
    made = make_project(tmp_path_factory.mktemp("finished"), n=400)
    made.freeze()
    made.run("run", "configs/toy.yaml")
    return made
