"""A small project of live variants on disk, and the command line run on it as a user would."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow.parquet as pq

HARNESS = (sys.executable, "-m", "harness")
MEMORY_BYTES = 4_000_000_000
"""Of address space, which every run must do with."""


@dataclass(frozen=True)
class LiveProject:
    """A folder with configs, variants and eval sets; `base_url` is `$HARNESS_BASE_URL` of runs."""

    folder: Path
    base_url: str
    env: Mapping[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> Path:
        """Write a file, whose text may be indented."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    def evalset(self, name: str, rows: Iterable[Mapping[str, Any]], about: str = "") -> None:
        """Write and freeze an eval set; `about` is further text of its evalset.yaml."""
        folder = f"evalsets/{name}"
        self.write(f"{folder}/examples.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        if about:
            self.write(f"{folder}/evalset.yaml", f"name: {name}\n{dedent(about)}")
        self.harness("freeze", folder)

    def harness(self, *arguments: str, check: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `harness` in the project, with its memory bounded; the exit code must be `check`."""
        done = subprocess.run(
            [*HARNESS, *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=300,
            preexec_fn=_bounded,
        )
        told = f"{arguments}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        assert done.returncode == check, told
        assert "Traceback" not in done.stderr, told
        return done

    def run(self, config: str, *options: str, check: int = 0) -> Finished:
        """`harness run`, and what it left."""
        done = self.harness("run", config, *options, "--json", check=check)
        return Finished(Path(self.folder, json.loads(done.stdout)["run"]), done)

    def environment(self) -> dict[str, str]:
        """The environment of runs: their own cache, and no colours."""
        own = {"HARNESS_BASE_URL": self.base_url, "HARNESS_CACHE": str(self.folder / "cache")}
        plain = {"NO_COLOR": "1", "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"}
        return {**os.environ, **plain, **own, **self.env}


@dataclass(frozen=True)
class Finished:
    """A finished run: its folder, and the command that made it."""

    folder: Path
    done: subprocess.CompletedProcess[str]

    @property
    def comparison(self) -> dict[str, Any]:
        """comparison.json."""
        found: dict[str, Any] = json.loads(self.text("comparison.json"))
        return found

    def text(self, name: str) -> str:
        """A file of the run folder."""
        return (self.folder / name).read_text(encoding="utf-8")

    def trials(self, **wanted: Any) -> list[dict[str, Any]]:
        """The rows of trials.parquet that have these values, with `steps` read."""
        rows: list[dict[str, Any]] = pq.read_table(self.folder / "trials.parquet").to_pylist()
        chosen = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
        for row in chosen:
            row["steps"] = json.loads(row["steps"]) if row["steps"] else []
        return chosen

    def trial(self, variant: str, example_id: str) -> dict[str, Any]:
        """The one trial of a variant on an example."""
        (row,) = self.trials(variant=variant, example_id=example_id)
        return row

    def differing(self, left: str, right: str) -> dict[str, tuple[Any, Any]]:
        """The factors in which two variants differ, and both values."""
        every = {
            name: (values.get(left), values.get(right))
            for name, values in self.comparison["factors"].items()
        }
        return {name: pair for name, pair in every.items() if pair[0] != pair[1]}

    def figure(self, variant: str, metric: str, slice_id: str = "all") -> float:
        """A variant's mean of a metric."""
        (mean,) = (
            score["mean"]
            for score in self.comparison["scores"]
            if (score["variant"], score["metric"], score["slice"]) == (variant, metric, slice_id)
        )
        return float(mean)

    def entries(self, part: str, **wanted: Any) -> list[dict[str, Any]]:
        """The entries of a part of the comparison that have these values."""
        found: list[dict[str, Any]] = self.comparison[part]
        return [row for row in found if all(row[key] == value for key, value in wanted.items())]


def stages(row: Mapping[str, Any]) -> list[str]:
    """The stages that a trial went through, in order."""
    return [step["stage"] for step in row["steps"]]


def steps(row: Mapping[str, Any], stage: str) -> list[dict[str, Any]]:
    """The steps of one stage."""
    return [step for step in row["steps"] if step["stage"] == stage]


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
