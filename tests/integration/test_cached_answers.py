"""A second run asks nothing that the first was answered; its latency is never shown as live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_project import LiveProject
from model_server import Asked, ModelServer, Say

N = 12
PRICES = {"input_usd_per_million": 1000.0, "output_usd_per_million": 2000.0}


@pytest.fixture(name="server")
def _server() -> Iterator[ModelServer]:
    def respond(asked: Asked) -> Say:
        return Say(asked.body["messages"][-1]["content"].split()[-1])

    with ModelServer(respond=respond) as server:
        yield server


@pytest.fixture(name="project")
def _project(server: ModelServer, tmp_path: Path) -> LiveProject:
    project = LiveProject(tmp_path, server.openai_url)
    for name in ("a", "b"):
        project.write(
            f"variants/{name}/variant.yaml",
            f"id: {name}\nmodel: http/m\nbase_url: ${{HARNESS_BASE_URL}}\nuser: user.j2\n"
            "params: {max_output_tokens: 9, seed: 1}\n",
        )
        project.write(f"variants/{name}/user.j2", "{{ question }}")
    project.write(
        "configs/job.yaml",
        "name: job\nevalset: ../evalsets/job\nbaseline: a\n"
        "variants: [../variants/a, ../variants/b]\n"
        "factors: []\nscorers: [{id: correct, use: exact_match}]\nprimary: [correct]\n"
        "statistics: {resamples: 200}\nrepeats: 2\n",
    )
    prices = {"date": "2026-11-01", "source": "a page", "models": {"http/m": PRICES}}
    project.write("configs/prices/ours.yaml", json.dumps(prices))
    rows = [{"id": f"e{i}", "input": {"question": f"n {i}"}, "target": str(i)} for i in range(N)]
    project.evalset("job", rows)
    return project


def test_the_second_run_asks_nothing(project: LiveProject, server: ModelServer) -> None:
    first = project.run("configs/job.yaml")
    assert len(server.requests) == 2 * 2 * N  # the variants ask the same, and both are measured
    second = project.run("configs/job.yaml")
    assert len(server.requests) == 2 * 2 * N
    assert {row["path"] for row in first.trials()} <= {"cold", "warm"}
    assert {row["path"] for row in second.trials()} == {"cached"}
    answers = [
        {(row["variant"], row["example_id"], row["repeat"]): row["output_text"] for row in rows}
        for rows in (first.trials(), second.trials())
    ]
    assert answers[0] == answers[1]
    assert second.figure("a", "correct") == first.figure("a", "correct")


def test_live_latency_holds_no_cached_answer(project: LiveProject) -> None:
    project.run("configs/job.yaml")
    words = project.harness("run", "configs/job.yaml")
    (row,) = (line for line in words.stdout.splitlines() if line.startswith("a  ") and "%" in line)
    assert row.split().count("cached") == 2
    latest = json.loads((project.folder / "reports/job/latest/comparison.json").read_text())
    assert {entry["path"] for entry in latest["latency"]} == {"cached"}


def test_what_was_spent_and_what_was_avoided(project: LiveProject) -> None:
    first, second = project.run("configs/job.yaml"), project.run("configs/job.yaml")
    costs = [json.loads(run.text("manifest.json"))["execution"]["cost"] for run in (first, second)]
    assert costs[0]["spent_usd"] > 0
    assert costs[0]["n_cached"] == 0
    assert costs[1] == {
        "spent_usd": 0.0,
        "avoided_usd": pytest.approx(costs[0]["spent_usd"]),
        "n_cached": 4 * N,
        "n_unknown": 0,
    }
    assert f"$0.0000 spent, {4 * N} answers from the cache ($" in second.done.stderr
    means = [
        {row["variant"]: row["mean_usd"] for row in run.comparison["cost"]}
        for run in (first, second)
    ]
    assert means[0] == pytest.approx(means[1])  # a variant costs what its calls cost


def test_without_the_cache_everything_is_asked_anew(
    project: LiveProject, server: ModelServer
) -> None:
    project.run("configs/job.yaml")
    again = project.run("configs/job.yaml", "--no-cache")
    assert len(server.requests) == 2 * 4 * N
    assert "cached" not in {row["path"] for row in again.trials()}


@pytest.mark.parametrize(
    "change",
    ["params: {max_output_tokens: 10, seed: 1}", "params: {max_output_tokens: 9, seed: 2}"],
)
def test_another_request_is_asked(project: LiveProject, server: ModelServer, change: str) -> None:
    project.run("configs/job.yaml")
    for name in ("a", "b"):
        file = project.folder / f"variants/{name}/variant.yaml"
        kept = [line for line in file.read_text().splitlines() if not line.startswith("params")]
        file.write_text("\n".join([*kept, change]) + "\n")
    project.run("configs/job.yaml")
    assert len(server.requests) == 2 * 4 * N


def test_only_what_is_new_is_asked(project: LiveProject, server: ModelServer) -> None:
    project.run("configs/job.yaml")
    file = project.folder / "variants/b/user.j2"
    file.write_text("Please: {{ question }}")
    config = project.folder / "configs/job.yaml"
    config.write_text(config.read_text().replace("factors: []", "factors: [user_template]"))
    finished = project.run("configs/job.yaml")
    assert len(server.requests) == 4 * N + 2 * N
    assert {row["path"] for row in finished.trials(variant="a")} == {"cached"}
    assert "cached" not in {row["path"] for row in finished.trials(variant="b")}
