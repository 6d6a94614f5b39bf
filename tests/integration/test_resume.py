"""Runs that are stopped in every way there is, and gone on with: nothing lost, nothing twice."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from live_project import HARNESS, LiveProject
from model_server import Asked, ModelServer, Say, Scripted, error

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

N = 24
VARIANTS = ("short", "long")
CONFIG = """\
name: job
evalset: ../evalsets/job
baseline: short
variants: [../variants/short, ../variants/long]
factors: [user_template]
scorers: [{id: correct, use: exact_match}]
primary: [correct]
statistics: {resamples: 200}
execution: {concurrency: 4, attempts: 1}
"""
VARIANT = """\
id: {id}
model: http/m
base_url: "${{HARNESS_BASE_URL}}"
params: {{temperature: 0}}
user: user.j2
"""


class Service:
    """Answers with the question's number; `meet` is told of each request and may answer it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.meet: Callable[[int, str], Scripted | None] = lambda _, __: None
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Scripted:
        text = asked.body["messages"][-1]["content"]
        with self._lock:
            self.asked.append(text)
            n = len(self.asked)
        return self.meet(n, text) or Say(text.split()[-1])


@pytest.fixture(name="service")
def _service() -> Service:
    return Service()


@pytest.fixture(name="project")
def _project(service: Service, tmp_path: Path) -> Iterator[LiveProject]:
    with ModelServer(respond=service) as server:
        project = LiveProject(tmp_path, server.openai_url)
        for variant in VARIANTS:
            project.write(f"variants/{variant}/variant.yaml", VARIANT.format(id=variant))
            project.write(f"variants/{variant}/user.j2", f"{variant} {{{{ question }}}}")
        project.write("configs/job.yaml", CONFIG)
        project.evalset("job", rows())
        yield project


def rows(n: int = N) -> list[dict[str, Any]]:
    return [
        {"id": f"e{i:03d}", "input": {"question": f"number {i}"}, "target": str(i - i % 3 % 2)}
        for i in range(n)
    ]


def start(project: LiveProject, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*HARNESS, "run", "configs/job.yaml", *arguments],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stopped(
    project: LiveProject, service: Service, at: int, with_signal: int, *arguments: str
) -> tuple[int, str, Path]:
    """A run that is sent a signal when its `at`-th request arrives: its code, words, folder."""
    begun = threading.Event()
    first = len(service.asked)

    def meet(n: int, _: str) -> None:
        if n - first == at:
            assert begun.wait(60)
            process.send_signal(with_signal)

    service.meet = meet
    process = start(project, *arguments)
    begun.set()
    _, words = process.communicate(timeout=120)
    service.meet = lambda _, __: None
    assert process.returncode in {-signal.SIGKILL, 3}, words
    (folder,) = (project.folder / "reports" / "job").glob("2*")
    return process.returncode, words, folder.relative_to(project.folder)


def figures(folder: Path) -> dict[str, Any]:
    """What two runs of the same trials must agree in."""
    comparison = json.loads((folder / "comparison.json").read_text())
    return {part: comparison[part] for part in ("scores", "pairs")}


def whole(project: LiveProject, *arguments: str) -> Path:
    return project.run("configs/job.yaml", *arguments).folder


def kept(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def questions() -> Counter[str]:
    return Counter(f"{variant} number {i}" for variant in VARIANTS for i in range(N))


def check_killed_and_resumed(project: LiveProject, service: Service, at: int) -> None:
    code, _, folder = stopped(project, service, at, signal.SIGKILL)
    assert code == -signal.SIGKILL
    n_kept = len(kept(project.folder / folder)) if (project.folder / folder).exists() else 0
    assert n_kept >= at - 4  # all but those in flight
    n_in_flight = len(service.asked) - n_kept
    assert n_in_flight <= 4
    finished = project.run("configs/job.yaml", "--resume", str(folder))
    assert len(service.asked) == 2 * N + n_in_flight  # only what was in flight is sent again
    assert set(service.asked) == set(questions())
    assert finished.folder == project.folder / folder
    assert not (finished.folder / "journal.jsonl").exists()
    assert len(finished.trials()) == 2 * N
    manifest = json.loads(finished.text("manifest.json"))
    assert [event["event"] for event in manifest["events"]] == ["resumed"]


@pytest.mark.parametrize("at", [1, 2, 17, 47, 48])
def test_a_killed_run_goes_on_where_it_was(project: LiveProject, service: Service, at: int) -> None:
    check_killed_and_resumed(project, service, at)
    resumed = next((project.folder / "reports" / "job").glob("2*"))
    uninterrupted = whole(project, "--out", "other")
    assert figures(resumed) == figures(uninterrupted)


@pytest.mark.slow
def test_killed_at_a_hundred_random_points(project: LiveProject, service: Service) -> None:
    for at in np.random.default_rng(7).integers(1, 2 * N, 100, endpoint=True):
        service.asked.clear()
        for left in ("reports", "cache"):
            shutil.rmtree(project.folder / left, ignore_errors=True)
        check_killed_and_resumed(project, service, int(at))


def test_killed_again_and_again(project: LiveProject, service: Service) -> None:
    _, _, folder = stopped(project, service, 12, signal.SIGKILL)
    stopped(project, service, 9, signal.SIGKILL, "--resume", folder.name)
    stopped(project, service, 9, signal.SIGKILL, "--resume", folder.name)
    finished = project.run("configs/job.yaml", "--resume", folder.name)
    assert len(finished.trials()) == 2 * N
    extra = Counter(service.asked) - questions()
    assert sum(extra.values()) <= 3 * 4


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_has_ended_and_says_how_to_go_on(
    project: LiveProject, service: Service, with_signal: int
) -> None:
    """So does SIGTERM, which CI sends when a job is cancelled."""
    code, words, folder = stopped(project, service, 20, with_signal)
    assert code == 3
    assert "harness: interrupted\n" in words
    n_kept = sum("event" not in line for line in kept(project.folder / folder))
    assert f"harness: {n_kept} of 48 trials have ended and are kept\n" in words
    command = f"harness run configs/job.yaml --resume {folder}"
    assert f"  go on with: {command}\n" in words
    (event,) = (line for line in kept(project.folder / folder) if "event" in line)
    assert event["event"] == "interrupted"
    assert 1 <= len(event["in_flight"]) <= 4
    finished = project.run(*command.split()[2:])
    assert len(finished.trials()) == 2 * N


def test_ctrl_c_before_anything_has_ended_leaves_nothing(
    project: LiveProject, service: Service
) -> None:
    project.write("configs/job.yaml", CONFIG.replace("concurrency: 4", "concurrency: 1"))
    begun = threading.Event()

    def meet(_: int, __: str) -> None:
        assert begun.wait(60)
        process.send_signal(signal.SIGINT)
        process.wait(60)

    service.meet = meet
    process = start(project)
    begun.set()
    _, words = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "interrupted; nothing was kept" in words
    assert not list((project.folder / "reports" / "job").glob("2*"))


@pytest.fixture(name="half")
def _half(project: LiveProject, service: Service) -> Path:
    _, _, folder = stopped(project, service, N, signal.SIGKILL)
    service.asked.clear()
    return folder


def refused(project: LiveProject, folder: Path, *arguments: str) -> str:
    """What is said of a run that cannot be gone on with; nothing is sent, and nothing changed."""
    before = (project.folder / folder / "journal.jsonl").read_bytes()
    done = project.harness("run", "configs/job.yaml", "--resume", str(folder), *arguments, check=2)
    assert (project.folder / folder / "journal.jsonl").read_bytes() == before
    return done.stderr


def test_a_changed_eval_set_is_refused(project: LiveProject, service: Service, half: Path) -> None:
    changed = rows(N + 1)
    changed[3]["input"]["question"] = "another 3"
    del changed[5]
    project.evalset("job", changed)
    words = refused(project, half)
    assert "in the eval set job, 1 example was changed (e003) since this run was begun" in words
    assert "1 example was added (e024)" in words
    assert "1 example was removed (e005)" in words
    assert service.asked == []


def test_a_changed_variant_is_refused(project: LiveProject, service: Service, half: Path) -> None:
    project.write("variants/long/user.j2", "long, and other: {{ question }}")
    words = refused(project, half)
    assert "the variant long has changed in user_template since this run was begun" in words
    assert "short" not in words
    assert service.asked == []


def test_a_changed_price_is_refused(project: LiveProject, service: Service, half: Path) -> None:
    price = {"input_usd_per_million": 1.0, "output_usd_per_million": 2.0}
    text = json.dumps({"date": "2026-11-01", "source": "a page", "models": {"http/m": price}})
    project.write("configs/prices/ours.yaml", text)
    assert "the price of http/m has changed since this run was begun" in refused(project, half)
    assert service.asked == []


def test_other_options_are_refused(project: LiveProject, half: Path) -> None:
    words = refused(project, half, "--limit", "3", "--seed", "9")
    assert "--limit: the run was begun without --limit" in words
    assert "--seed: the run was begun without --seed" in words
    project.run("configs/job.yaml", "--resume", str(half), "--concurrency", "2")


def test_the_options_that_may_change_hold_until_others_are_given(
    project: LiveProject, service: Service
) -> None:
    whole(project, "--out", "before")  # its answers are kept
    before = len(service.asked)
    given = ("--no-cache", "--concurrency", "1")
    _, _, folder = stopped(project, service, N, signal.SIGINT, *given)
    project.run("configs/job.yaml", "--resume", str(folder))
    execution = json.loads((project.folder / folder / "manifest.json").read_text())["execution"]
    assert execution["concurrency"] == 1
    assert execution["cost"]["n_cached"] == 0
    assert len(service.asked) - before >= 2 * N


def test_a_journal_that_keeps_fewer_options_is_gone_on_with(
    project: LiveProject, service: Service, half: Path
) -> None:
    """As older versions wrote it."""
    journal = project.folder / half / "journal.jsonl"
    first, _, rest = journal.read_text().partition("\n")
    header = json.loads(first)
    for name in ("concurrency", "cache", "budget_usd"):
        del header["options"][name]
    journal.write_text(json.dumps(header) + "\n" + rest)
    finished = project.run("configs/job.yaml", "--resume", str(half))
    assert len(finished.trials(status="ok")) == 2 * N


def test_a_torn_last_line_is_asked_again(
    project: LiveProject, service: Service, half: Path
) -> None:
    journal = project.folder / half / "journal.jsonl"
    n_kept = len(kept(project.folder / half))
    journal.write_bytes(journal.read_bytes()[:-30])
    finished = project.run("configs/job.yaml", "--resume", str(half))
    assert len(service.asked) == 2 * N - (n_kept - 1)
    assert len(finished.trials()) == 2 * N


def test_a_damaged_line_is_told(project: LiveProject, half: Path) -> None:
    journal = project.folder / half / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    lines[4] = lines[4][:50]
    journal.write_bytes(b"\n".join(lines))
    assert "journal.jsonl:5: this line of the journal is damaged" in refused(project, half)


def test_a_run_is_written_by_one_process_at_a_time(
    project: LiveProject, service: Service, half: Path
) -> None:
    go_on, asked = threading.Event(), threading.Event()

    def meet(_: int, __: str) -> None:
        asked.set()
        assert go_on.wait(60)

    service.meet = meet
    first = start(project, "--resume", str(half))
    assert asked.wait(60)
    assert "another process is writing this run" in refused(project, half)
    go_on.set()
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_what_was_lost_is_asked_for_again_and_nothing_else(
    project: LiveProject, service: Service
) -> None:
    service.meet = lambda _, text: error(500) if text.endswith((" 3", " 7")) else None
    done = project.harness("run", "configs/job.yaml", check=3)
    (folder,) = (project.folder / "reports" / "job").glob("2*")
    assert f"--resume reports/job/{folder.name}" in done.stderr
    service.meet = lambda _, __: None
    service.asked.clear()
    finished = project.run("configs/job.yaml", "--resume", str(folder))
    assert sorted(service.asked) == sorted(f"{v} number {i}" for v in VARIANTS for i in (3, 7))
    assert len(finished.trials(status="ok")) == 2 * N
    words = project.harness("run", "configs/job.yaml", "--resume", str(folder), check=2).stderr
    assert "a run that ended well has nothing to be resumed" in words


def test_a_service_that_goes_away_for_good_ends_the_run_with_what_there_is(
    project: LiveProject, service: Service
) -> None:
    """Every trial has its record: answered, or lost."""
    service.meet = lambda n, _: error(500) if n > N else None
    done = project.harness("run", "configs/job.yaml", check=3)
    assert "lost to failures of the infrastructure" in done.stderr
    (folder,) = (project.folder / "reports" / "job").glob("2*")
    assert sum("event" not in line for line in kept(folder)) == 2 * N
    assert pq.read_table(folder / "trials.parquet").num_rows == 2 * N


def test_a_full_disk_stops_the_run_and_loses_nothing(
    project: LiveProject, service: Service
) -> None:
    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))

    done = subprocess.run(
        [*HARNESS, "run", "configs/job.yaml", "--no-cache"],
        cwd=project.folder,
        env=project.environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=bounded,
    )
    assert done.returncode == 3, done.stderr
    assert "harness: stopped: " in done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    (folder,) = (project.folder / "reports" / "job").glob("2*")
    n_kept = sum("event" not in line for line in kept(folder))
    assert 5 < n_kept < 2 * N
    before = len(service.asked)
    finished = project.run("configs/job.yaml", "--resume", str(folder))
    assert len(service.asked) - before == 2 * N - n_kept
    assert len(finished.trials(status="ok")) == 2 * N


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write to")
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_sent(
    project: LiveProject, service: Service
) -> None:
    words = project.harness("run", "configs/job.yaml", "--out", "/proc/reports", check=2).stderr
    assert "/proc/reports" in words
    assert service.asked == []


def test_a_run_goes_on_in_another_place(
    project: LiveProject, service: Service, half: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Copied elsewhere with its project, as to another machine."""
    other = tmp_path_factory.mktemp("elsewhere") / "project"
    shutil.copytree(project.folder, other, symlinks=True)
    moved = LiveProject(other, project.base_url)
    finished = moved.run("configs/job.yaml", "--resume", str(half))
    assert len(finished.trials(status="ok")) == 2 * N
    assert str(project.folder) not in finished.text("manifest.json")
