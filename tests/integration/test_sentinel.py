"""A long run is warmed up and watched by a fixed request; a short one is not."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_project import HARNESS, LiveProject
from model_server import Asked, ModelServer, Say


@pytest.fixture(name="server")
def _server() -> Iterator[ModelServer]:
    def respond(asked: Asked) -> Say:
        return Say(asked.body["messages"][-1]["content"].split()[-1])

    with ModelServer(respond=respond) as server:
        yield server


@pytest.fixture(name="project")
def _project(server: ModelServer, tmp_path: Path) -> LiveProject:
    project = LiveProject(tmp_path, server.openai_url)
    project.write(
        "variants/a/variant.yaml",
        "id: a\nmodel: http/m\nbase_url: ${HARNESS_BASE_URL}\nuser: user.j2\n",
    )
    project.write("variants/a/user.j2", "{{ question }}")
    project.write(
        "configs/job.yaml",
        "name: job\nevalset: ../evalsets/job\nbaseline: a\nvariants: [../variants/a]\n"
        "factors: []\nscorers: [{id: correct, use: exact_match}]\nprimary: [correct]\n"
        "statistics: {resamples: 200}\n",
    )
    rows = [{"id": f"e{i}", "input": {"question": f"n {i}"}, "target": str(i)} for i in range(110)]
    project.evalset("job", rows)
    return project


def sentinels(server: ModelServer) -> list[int]:
    """The places among the requests of those that no trial made."""
    said = [body["messages"][-1]["content"] for body in server.bodies]
    return [place for place, text in enumerate(said) if not text.startswith("n ")]


def test_a_long_run_is_warmed_up_untimed(project: LiveProject, server: ModelServer) -> None:
    finished = project.run("configs/job.yaml")
    assert sentinels(server) == [0]
    assert server.bodies[0]["max_tokens"] == 16
    assert len(finished.trials()) == 110
    execution = json.loads(finished.text("manifest.json"))["execution"]
    (samples,) = execution["sentinel"].values()
    assert len(samples) == 1
    assert execution["cost"]["n_unknown"] == 111  # the fixed request is billed too


def test_a_resumed_run_has_the_measurements_of_all_its_processes(
    project: LiveProject, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(asked: Asked) -> Say:
        if len(server.requests) == 6:
            assert begun.wait(60)
            process.send_signal(signal.SIGKILL)
        return Say("1")

    begun = threading.Event()
    monkeypatch.setattr(server, "_respond", stop)
    arguments = ["run", "configs/job.yaml", "--concurrency", "1"]
    process = subprocess.Popen(
        [*HARNESS, *arguments], cwd=project.folder, env=project.environment()
    )
    begun.set()
    process.wait(120)
    (folder,) = (project.folder / "reports" / "job").glob("2*")
    finished = project.run("configs/job.yaml", "--resume", str(folder))
    assert len(sentinels(server)) == 2
    manifest = json.loads(finished.text("manifest.json"))
    (samples,) = manifest["execution"]["sentinel"].values()
    assert len(samples) == 2
    first, second = (at_s for at_s, _ in samples)
    assert first < second
    began_s = sorted(trial["began_s"] for trial in finished.trials())
    assert sum(at_s < second for at_s in began_s) == 4  # those of the first process
    assert manifest["execution"]["cost"]["n_unknown"] == 112
    assert [event["event"] for event in manifest["events"]] == ["resumed"]


def test_a_short_run_is_not(project: LiveProject, server: ModelServer) -> None:
    finished = project.run("configs/job.yaml", "--limit", "99")
    assert sentinels(server) == []
    assert json.loads(finished.text("manifest.json"))["execution"]["sentinel"] == {}
