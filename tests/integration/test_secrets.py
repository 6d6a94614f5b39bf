"""A service that repeats the key that it was sent: no artifact of the run holds it."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from live_project import HARNESS, LiveProject
from model_server import Asked, Fail, ModelServer, Say

KEY = 'sk-"7\\&<quoted>-0123456789abcdef'
TOKEN = "an-unrelated-token-0123456789"  # noqa: S105 - made up
N = 9


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Iterator[LiveProject]:
    def respond(asked: Asked) -> Say | Fail:
        number = int(asked.body["messages"][-1]["content"].split()[-1])
        sent = asked.headers["Authorization"].removeprefix("Bearer ")
        assert sent == KEY
        told = f"{number}: your key is {sent}, and {TOKEN}"
        if number % 3 == 0:
            return Fail(400, told, "context_length_exceeded")
        return Fail(503, told) if number % 3 == 1 else Say(told, model=f"m-{sent}")

    with ModelServer(respond=respond) as server:
        env = {"OUR_NAME": KEY, "OTHER_TOKEN": TOKEN}
        project = LiveProject(tmp_path, server.openai_url, env)
        project.write(
            "variants/a/variant.yaml",
            "id: a\nmodel: http/m\nprovider: {api_key_env: OUR_NAME}\n"
            "base_url: ${HARNESS_BASE_URL}\nuser: user.j2\n",
        )
        project.write("variants/a/user.j2", "{{ question }}")
        project.write(
            "configs/job.yaml",
            "name: job\nevalset: ../evalsets/job\nbaseline: a\nvariants: [../variants/a]\n"
            "factors: []\nscorers: [{id: correct, use: exact_match}]\nprimary: [correct]\n"
            "statistics: {resamples: 200}\nexecution: {attempts: 1}\n",
        )
        rows = [
            {"id": f"e{i}", "input": {"question": f"n {i}"}, "target": str(i)} for i in range(N)
        ]
        project.evalset("job", rows)
        yield project


def held(folder: Path) -> Iterator[tuple[str, str]]:
    """All that a run left, as text: tables are unpacked."""
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            yield path.name, str(pq.read_table(path).to_pylist())
        elif path.is_file():
            yield path.name, path.read_bytes().decode(errors="replace")


def test_no_artifact_holds_a_key(project: LiveProject) -> None:
    done = project.harness("run", "configs/job.yaml", check=3)
    (folder,) = (project.folder / "reports/job").glob("2*")
    project.harness("export", str(folder), "--to", "jsonl")
    shown = project.harness("show", str(folder), "e2").stdout
    texts = [*held(folder), *held(project.folder / "cache")]
    texts += [("stdout", done.stdout), ("stderr", done.stderr), ("show", shown)]
    assert len(texts) > 10
    for name, text in texts:
        for form in (KEY, TOKEN, KEY.replace('"', '\\"'), KEY.replace("\\", "\\\\")):
            assert form not in text, name
    assert "[redacted]" in dict(texts)["trials.parquet"]


def test_no_journal_holds_a_key(project: LiveProject) -> None:
    """Of a run that is killed."""
    process = subprocess.Popen(
        [*HARNESS, "run", "configs/job.yaml", "--concurrency", "1"],
        cwd=project.folder,
        env=project.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    seen = threading.Event()
    for line in process.stderr:
        if "4 of 9" in line:
            seen.set()
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert seen.is_set()
    (folder,) = (project.folder / "reports/job").glob("2*")
    text = (folder / "journal.jsonl").read_text()
    assert "[redacted]" in text
    assert "0123456789" not in text
