"""`--budget-usd`: the run ends before the call that could exceed it, and can go on."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_project import HARNESS, LiveProject
from model_server import Asked, ModelServer, Say

N = 80
PRICE = {"input_usd_per_million": 0.0, "output_usd_per_million": 1_000_000.0}  # $1 a token
CONFIG = """\
name: job
evalset: ../evalsets/job
baseline: a
variants: [../variants/a]
factors: []
scorers: [{id: correct, use: exact_match}]
primary: [correct]
statistics: {resamples: 200}
execution: {concurrency: 4}
"""


@pytest.fixture(name="server")
def _server() -> Iterator[ModelServer]:
    def respond(asked: Asked) -> Say:
        number = asked.body["messages"][-1]["content"].split()[-1]
        return Say(number, prompt_tokens=5, completion_tokens=2)

    with ModelServer(respond=respond) as server:
        yield server


@pytest.fixture(name="project")
def _project(server: ModelServer, tmp_path: Path) -> LiveProject:
    project = LiveProject(tmp_path, server.openai_url)
    project.write(
        "variants/a/variant.yaml",
        "id: a\nmodel: http/m\nbase_url: ${HARNESS_BASE_URL}\nuser: user.j2\n"
        "params: {max_output_tokens: 10}\n",
    )
    project.write("variants/a/user.j2", "{{ question }}")
    project.write("configs/job.yaml", CONFIG)
    prices = {"date": "2026-11-01", "source": "a page", "models": {"http/m": PRICE}}
    project.write("configs/prices/ours.yaml", json.dumps(prices))
    rows = [{"id": f"e{i}", "input": {"question": f"n {i}"}, "target": str(i)} for i in range(N)]
    project.evalset("job", rows)
    return project


def test_the_run_ends_before_the_call_that_could_exceed_it(
    project: LiveProject, server: ModelServer
) -> None:
    """A call can cost $10 and costs $2: after 21, the next could make $52 of $50."""
    words = project.harness("run", "configs/job.yaml", "--budget-usd", "50", check=3).stderr
    assert len(server.requests) == 21
    assert "harness: stopped: $42.0000 of the budget of $50.0000 is spent" in words
    assert "the next call can cost up to $10.0000" in words
    assert "harness: 21 of 80 trials have ended and are kept" in words
    (folder,) = (project.folder / "reports" / "job").glob("2*")
    relative = folder.relative_to(project.folder)
    assert "hint: it goes on with a higher budget only" in words
    command = f"harness run configs/job.yaml --resume {relative}"
    assert f"  go on with: {command} --budget-usd USD\n" in words
    for given in ([], ["--budget-usd", "50"]):
        again = project.harness(*command.split()[1:], *given, check=3)
        assert len(server.requests) == 21  # what was spent before counts
        assert "$42.0000 of the budget of $50.0000" in again.stderr
    raised = project.harness(*command.split()[1:], "--budget-usd", "60", check=3)
    assert len(server.requests) == 26  # $52 are spent
    assert "$52.0000 of the budget of $60.0000" in raised.stderr
    kept = project.harness(*command.split()[1:], check=3)
    assert "$52.0000 of the budget of $60.0000" in kept.stderr  # the budget given last holds
    finished = project.run("configs/job.yaml", "--resume", str(folder), "--budget-usd", "200")
    assert len(server.requests) == N
    cost = json.loads(finished.text("manifest.json"))["execution"]["cost"]
    assert cost["spent_usd"] == 2.0 * N


def test_what_was_under_way_when_a_run_was_killed_counts_as_the_dearest(
    project: LiveProject, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to four calls of $10 may have been billed, and nobody knows."""

    def kill(asked: Asked) -> Say:
        if len(server.requests) == 13:
            assert begun.wait(60)
            process.kill()
        return Say("1", prompt_tokens=5, completion_tokens=2)

    begun = threading.Event()
    monkeypatch.setattr(server, "_respond", kill)
    arguments = ["run", "configs/job.yaml", "--no-cache", "--budget-usd", "60"]
    process = subprocess.Popen(
        [*HARNESS, *arguments], cwd=project.folder, env=project.environment()
    )
    begun.set()
    process.wait(120)
    (folder,) = (project.folder / "reports" / "job").glob("2*")
    n_kept = len((folder / "journal.jsonl").read_text().splitlines()) - 1
    assert n_kept >= 9
    monkeypatch.undo()
    n_asked = len(server.requests)
    again = ("run", "configs/job.yaml", "--resume", str(folder))
    words = project.harness(*again, check=3).stderr
    assert len(server.requests) == n_asked  # $40 and what was kept leave less than a call's $10
    assert "($40.0000 of it counted for calls of unknown cost, such as were under way" in words
    finished = project.run(*again[1:], "--budget-usd", "210")
    assert len(server.requests) - n_asked == N - n_kept
    assert "$40.0000 of the budget were counted for calls of unknown cost" in finished.done.stderr


def test_a_pilot_forecasts_the_whole_run(project: LiveProject) -> None:
    words = project.harness("run", "configs/job.yaml").stderr
    assert "harness: by the first 20 trials, the whole run takes calls worth $160 to $160" in words


def test_the_cost_of_every_call_must_be_bounded(project: LiveProject, server: ModelServer) -> None:
    variant = project.folder / "variants/a/variant.yaml"
    variant.write_text(variant.read_text().replace("params: {max_output_tokens: 10}\n", ""))
    words = project.harness("run", "configs/job.yaml", "--budget-usd", "5", check=2).stderr
    assert "--budget-usd: nothing bounds the length of answers of http/m" in words
    (project.folder / "configs/prices/ours.yaml").unlink()
    words = project.harness("run", "configs/job.yaml", "--budget-usd", "5", check=2).stderr
    assert "--budget-usd: no price is known for http/m" in words
    assert server.requests == []
    assert not (project.folder / "reports").exists()


def test_a_budget_too_small_for_one_call(project: LiveProject, server: ModelServer) -> None:
    words = project.harness("run", "configs/job.yaml", "--budget-usd", "5", check=3).stderr
    assert "stopped before the first trial ended: $0.0000 of the budget of $5.0000" in words
    assert server.requests == []


def test_a_call_whose_cost_is_not_told_counts_as_the_dearest(
    project: LiveProject, server: ModelServer
) -> None:
    server.add(*[Say("1", without_usage=True)] * N)
    project.harness("run", "configs/job.yaml", "--budget-usd", "50", check=3)
    assert len(server.requests) == 5
