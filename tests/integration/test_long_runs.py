"""Runs that are large, or that outlive their service: beside the stand-in of the peers' kit."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_project import LiveProject

pytestmark = pytest.mark.slow

SERVER = Path(__file__).parents[3] / "shared" / "peers" / "fake_openai.py"
OUTAGE_S = 30.0
CONFIG = """\
name: job
evalset: ../evalsets/job
baseline: one
variants: [../variants/one]
factors: [model]
scorers: [{{id: exact, use: exact_match}}]
primary: [exact]
execution: {{concurrency: {concurrency}}}
statistics: {{resamples: 200}}
"""
VARIANT = """\
id: one
model: http/fake
base_url: "${HARNESS_BASE_URL}"
user: user.j2
"""


@contextmanager
def serving(*options: str, port: int = 0) -> Iterator[int]:
    """The stand-in on a port of the loopback."""
    command = [sys.executable, str(SERVER), "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline().rsplit(":", 1)[1].partition("/")[0])
    finally:
        process.kill()
        process.communicate()


def n_answered(port: int) -> int:
    """How many questions it has answered so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=20) as answer:
        found: int = json.load(answer)["per_status"].get("200", 0)
    return found


def project_of(folder: Path, port: int, n: int, concurrency: int) -> LiveProject:
    project = LiveProject(folder, f"http://127.0.0.1:{port}/v1")
    project.write("configs/job.yaml", CONFIG.format(concurrency=concurrency))
    project.write("variants/one/variant.yaml", VARIANT)
    project.write("variants/one/user.j2", "{{ question }}")
    rows = [{"id": f"e{i:05d}", "input": {"question": f"n {i}"}, "target": "x"} for i in range(n)]
    project.evalset("job", rows)
    return project


def test_ten_thousand_trials_with_a_thousand_in_flight(tmp_path: Path) -> None:
    with serving("--latency-ms", "100") as port:
        project = project_of(tmp_path, port, 10_000, 1_000)
        finished = project.run("configs/job.yaml")
    trials = finished.trials(status="ok")
    assert len({trial["example_id"] for trial in trials}) == len(trials) == 10_000
    assert all(trial["attempts"] == 1 for trial in trials)


def test_a_service_that_is_away_for_half_a_minute_loses_no_trial(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    project = project_of(tmp_path, port, 400, 20)
    over = threading.Event()

    def serve() -> None:
        with serving("--latency-ms", "50", port=port):
            while n_answered(port) < 50:
                over.wait(0.02)
        over.wait(OUTAGE_S)
        with serving("--latency-ms", "50", port=port):
            over.wait(300)

    service = threading.Thread(target=serve)
    service.start()
    try:
        finished = project.run("configs/job.yaml")
    finally:
        over.set()
        service.join()
    trials = finished.trials(status="ok")
    assert len(trials) == 400
    assert max(trial["latency_s"] for trial in trials) < OUTAGE_S / 2  # it waited, beside the clock
    assert max(trial["retry_wait_s"] + trial["queue_s"] for trial in trials) > OUTAGE_S / 2
