"""A small experiment of live variants in the working folder, run in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow.parquet as pq
from model_server import Asked, Say

from harness.config.evalset import freeze_evalset
from harness.errors import InputError
from harness.experiment.frames import Run
from harness.experiment.prepare import Options, Prepared, prepare
from harness.experiment.run import run_experiment

SCORER = (
    "scorers: [{id: right, use: exact_match}]\nprimary: [right]\nstatistics: {resamples: 100}\n"
)
CONFIG = Path("configs/desk.yaml")


def question(asked: Asked) -> str:
    """What a request's last message of the user says."""
    messages: list[dict[str, Any]] = asked.body["messages"]
    found: str = next(m["content"] for m in reversed(messages) if m["role"] == "user")
    return found


def echo(asked: Asked) -> Say:
    """A model that answers a question `number N?` with N."""
    return Say(question(asked).partition("number ")[2].rstrip("?"))


def examples(n: int = 12, **more: Any) -> None:
    """Write and freeze an eval set of `n` questions."""
    rows = [
        {"id": f"e{i:03d}", "input": {"question": f"number {i}?"}, "target": str(i), **more}
        for i in range(n)
    ]
    Path("sets/desk").mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    Path("sets/desk/examples.jsonl").write_text(text)
    Path("sets/desk/evalset.yaml").write_text("name: desk\n")
    freeze_evalset(Path("sets/desk"))


def config(*variants: str, more: str = "factors: [model]\n", url: str = "") -> Path:
    """Write an experiment; each variant is the body of its entry, `id` first.

    Every variant that names no model asks `http/m` at `url` with the question.
    """
    entries = []
    for variant in variants:
        body = dedent(variant).strip("\n")
        keys = {line.partition(":")[0] for line in body.splitlines()}
        if not keys & {"recorded", "extends"}:
            body += "" if "model" in keys else "\nmodel: http/m"
            body += "" if "base_url" in keys or "http/" not in body else f"\nbase_url: {url}"
            body += "" if "user" in keys else "\nuser: ask.j2"
        entries.append("  - " + body.replace("\n", "\n    ") + "\n")
    first = variants[0].strip().splitlines()[0].removeprefix("id: ")
    CONFIG.parent.mkdir(exist_ok=True)
    Path("configs/ask.j2").write_text("{{ question }}")
    head = f"name: desk\nevalset: ../sets/desk\nbaseline: {first}\nvariants:\n"
    CONFIG.write_text(head + "".join(entries) + dedent(more) + SCORER)
    return CONFIG


def run(**options: Any) -> Run:
    """Run the experiment."""
    return run_experiment(CONFIG, Options(**options))


def ready(**options: Any) -> Prepared:
    """The experiment, checked."""
    return prepare(CONFIG, Options(**options))


def refused(**options: Any) -> list[str]:
    """Why the experiment cannot be run, problem by problem."""
    try:
        run_experiment(CONFIG, Options(**options))
    except InputError as error:
        return [str(problem).replace("\n  hint:", " |") for problem in error.problems]
    raise AssertionError("it could be run")


def trials(finished: Run, variant: str | None = None) -> list[dict[str, Any]]:
    """The rows of trials.parquet, with `steps` read."""
    rows: list[dict[str, Any]] = pq.read_table(finished.path / "trials.parquet").to_pylist()
    for row in rows:
        row["steps"] = json.loads(row["steps"]) if row["steps"] else []
    return [row for row in rows if variant in {None, row["variant"]}]


def steps(rows: Sequence[Mapping[str, Any]], stage: str) -> list[dict[str, Any]]:
    """The steps of one stage, trial by trial."""
    return [step for row in rows for step in row["steps"] if step["stage"] == stage]
