"""`harness review` as a user runs it: served, voted, stopped, gone on with; and refused."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chat_server import send

from harness.storage.labels import read_labels

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module")
def made(finished: Any) -> Any:
    """The finished project of 400 examples; labels go where they go."""
    return finished


@pytest.fixture
def run(made: Any, tmp_path: Path) -> Path:
    """A copy of its run folder."""
    return Path(shutil.copytree(made.runs()[0], tmp_path / "run"))


@contextmanager
def reviewing(made: Any, run: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    process = made.start("review", str(run), "--port", "0", *options)
    with process:
        try:
            line = process.stdout.readline().decode()
            found = re.fullmatch(
                r"Reviewing \d+ examples at (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line
            )
            assert found, line + process.stderr.read().decode()
            yield process, found[1]
        finally:
            process.kill()


class Browser:
    """What the page does."""

    def __init__(self, url: str) -> None:
        self.url = url
        page = send("GET", url)[1].decode()
        found = re.search(r'name="harness-token" content="([^"]+)"', page)
        assert found
        self._headers = {"Origin": url.rstrip("/"), "X-Harness-Token": found[1]}

    def ask(self, action: str, **body: Any) -> Any:
        status, answer, _ = send(
            "POST", f"{self.url}api/{action}", json=body, headers=self._headers
        )
        assert status == 200, answer
        return answer


def ended(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGINT) -> str:
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    return out.decode()


def test_a_review_is_stopped_and_gone_on_with(made: Any, run: Path) -> None:
    with reviewing(made, run, "--reviewer", "Ada") as (process, url):
        page = Browser(url)
        votes = page.ask("start", reviewer="Ada")["votes"]
        assert len(votes) == 400
        first = page.ask("item", reviewer="Ada", number=0)
        assert {"old", "new"}.isdisjoint(re.findall(r"\w+", json.dumps(first)))
        assert first["left"] != first["right"]
        for number in range(3):
            page.ask("vote", reviewer="Ada", number=number, verdict="left")
        assert ended(process) == f"3 labels written to {run / 'labels.jsonl'}\n"
    with reviewing(made, run) as (process, url), reviewing(made, run) as (second, other):
        page = Browser(url)
        assert page.ask("start", reviewer="Ada")["votes"][:4] == ["left"] * 3 + [None]
        page.ask("vote", reviewer="Ben", number=0, verdict="tie")
        Browser(other).ask("vote", reviewer="Eve", number=0, verdict="cannot_judge")
        assert ended(process, signal.SIGTERM).startswith("1 label written to ")
        assert ended(second).startswith("1 label written to ")
    labels = read_labels(run / "labels.jsonl")
    assert [label.reviewer for label in labels] == ["Ada"] * 3 + ["Ben", "Eve"]
    assert {label.pair for label in labels} == {("old", "new")}
    made.run("report", str(run), "--format", "json")  # the run is whole still


def test_the_examples_that_a_file_lists(made: Any, run: Path, tmp_path: Path) -> None:
    queue = tmp_path / "queue.jsonl"
    queue.write_text('{"id": "e00007", "why": "x"}\n{"id": "e00002"}\n', encoding="utf-8")
    options = ("--examples", str(queue), "--pair", "old,new", "--seed", "3")
    with reviewing(made, run, *options) as (process, url):
        page = Browser(url)
        shown = [page.ask("item", reviewer="Ada", number=n)["example"] for n in (0, 1)]
        assert shown == ["e00007", "e00002"]
        page.ask("vote", reviewer="Ada", number=0, verdict="tie")
        assert ended(process).startswith("1 label written to ")
    (label,) = read_labels(run / "labels.jsonl")
    assert label.pair == ("new", "old")


def refused(made: Any, *arguments: str, told: str) -> None:
    done = made.run("review", *arguments, check=2)
    assert told in done.stderr, done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


CASES = {
    "unknown variant": (("--pair", "nwe"), "'nwe' is no variant of this run"),
    "itself": (("--pair", "old"), "'old' would be compared with itself"),
    "address": (("--host", "192.168.0.7"), "'192.168.0.7' is no loopback address"),
    "examples": (("--examples", "gone.jsonl"), "gone.jsonl"),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_options(made: Any, case: str) -> None:
    options, told = CASES[case]
    refused(made, "toy", *options, told=told)


def test_wrong_examples(made: Any, tmp_path: Path) -> None:
    queue = tmp_path / "queue.jsonl"
    queue.write_text('{"id": "e00001"}\n{"id": "e0000x"}\n{"id": "e00001"}\n', encoding="utf-8")
    refused(made, "toy", "--examples", str(queue), told="queue.jsonl:2:1: the example 'e0000x'")
    refused(made, "toy", "--examples", str(queue), told="stands on line 1 already")


def test_wrong_runs(made: Any, run: Path) -> None:
    refused(made, "nosuch", told="nosuch")
    (run / "labels.jsonl").mkdir()
    refused(made, str(run), told="labels cannot be written there")
    (run / "labels.jsonl").rmdir()
    (run / "labels.jsonl").write_text('{"id": 3}\n', encoding="utf-8")
    refused(made, str(run), told="labels.jsonl:1: this line is no label")
    (run / "comparison.json").write_text("{}", encoding="utf-8")
    refused(made, str(run), told="changed since the run was finished")
    (run / "manifest.json").unlink()
    refused(made, str(run), told="not a finished run")


def test_a_baseline_and_a_run_of_one_variant(project: Any) -> None:
    project.run("run", "configs/toy.yaml")
    project.run("baseline", "save", "toy", "kept")
    refused(project, "reports/baselines/kept", told="a baseline holds no answers")
    project.run("run", "configs/toy.yaml", "--variants", "old", "--out", "alone")
    (alone,) = [path for path in (project.folder / "alone").glob("2*") if path.is_dir()]
    refused(project, str(alone), told="the run has one variant")


def test_a_port_in_use(made: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(made, "toy", "--port", str(port), told=f"--port: {port} is in use at 127.0.0.1")
