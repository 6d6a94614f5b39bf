"""`harness check` and `harness run` of live variants: what they say, and how they end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import live_desk as desk
import pytest
from model_server import HANG, Asked, Fail, ModelServer, Reply, Say, error

HARNESS = (sys.executable, "-W", "error", "-m", "harness")
TOOLS = '''
def look(words: str) -> str:
    """Looks."""
    return words
'''
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and sessions")


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARNESS, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def failing(share: int, reply: Fail) -> Callable[[Asked], Say | Fail]:
    """Every `share`-th question gets the reply, however often it is asked."""

    def respond(asked: Asked) -> Say | Fail:
        number = int(desk.echo(asked).text)
        return reply if number % share == share - 1 else desk.echo(asked)

    return respond


def test_progress_goes_to_stderr_and_one_object_to_stdout(here: Path) -> None:
    with ModelServer(respond=failing(6, Fail(400, "no", "context_length_exceeded"))) as server:
        desk.config("id: a", more="factors: []\n", url=server.openai_url)
        done = harness("run", "configs/desk.yaml", "--json", "--concurrency", "2")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("harness: ")]
    assert told[0].startswith("harness: running 1 variant, 12 trials each, up to 2 at once; Ctrl-C")
    assert told[1] == "harness: 1 of 12 trials, cost unknown"
    assert told[-1] == "harness: 12 of 12 trials, 2 failed by the system, cost unknown"
    assert len(told) == 12
    assert json.loads(done.stdout)["comparison"]["variants"][0]["n_system_failures"] == 2


def test_a_service_that_asks_to_wait_for_long_is_told(here: Path) -> None:
    refusal = error(429, "quota used up", retry_after="3600")
    with ModelServer(respond=lambda _: refusal) as server:
        desk.config("id: a", more="factors: []\n", url=server.openai_url)
        done = harness("run", "configs/desk.yaml", "--concurrency", "1")
    assert done.returncode == 3
    said = "the service asked to wait 3600 s, longer than the 120 s that harness waits"
    assert f"rate_limited: {said}; resume later: " in done.stderr
    assert "hint: go on when that time has passed" in done.stderr
    assert "--concurrency" not in done.stderr


def test_lost_coverage_is_told_and_ends_in_3(here: Path) -> None:
    with ModelServer(respond=failing(4, Fail(503, "try \x1b[2Jlater"))) as server:
        more = "factors: [model]\nexecution: {attempts: 1}\n"
        desk.config("id: a", "id: b\nmodel: http/n", more=more, url=server.openai_url)
        done = harness("run", "configs/desk.yaml")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    said = done.stderr.partition("harness: incomplete: ")[2]
    assert said.startswith("trials were lost to failures of the infrastructure\n")
    assert "  a: 3 of 12\n  b: 3 of 12\n" in said
    assert "  overloaded: 6, such as a on e003: the server answers 503: try" in said
    assert "  hint: lower --concurrency, or raise execution.attempts\n" in said
    shown = harness("show", "desk", "e003").stdout
    assert "infrastructure failure (overloaded)" in shown


def test_a_single_variant_that_loses_trials_is_incomplete_too(here: Path) -> None:
    with ModelServer(respond=failing(4, Fail(503, "try later"))) as server:
        more = "factors: []\nexecution: {attempts: 1}\n"
        desk.config("id: a", more=more, url=server.openai_url)
        assert harness("run", "configs/desk.yaml").returncode == 3


def test_few_losses_are_no_reason_to_stop(here: Path) -> None:
    desk.examples(100)

    def respond(asked: Asked) -> Say | Fail:
        return Fail(503, "once") if "number 50?" in desk.question(asked) else desk.echo(asked)

    with ModelServer(respond=respond) as server:
        more = "factors: []\nexecution: {attempts: 1}\n"
        desk.config("id: a", more=more, url=server.openai_url)
        done = harness("run", "configs/desk.yaml")
    assert done.returncode == 0, done.stderr
    assert "1 lost to the infrastructure" in done.stderr


def test_where_nothing_listens_a_run_is_given_up(here: Path) -> None:
    more = "factors: []\nexecution: {attempts: 2, concurrency: 12}\n"
    port = free_port()
    desk.config("id: a", more=more, url=f"http://127.0.0.1:{port}/v1")
    done = harness("run", "configs/desk.yaml")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert f"given up: http/m @ 127.0.0.1:{port} has answered none of its first" in done.stderr
    assert "hint: check that the server runs, and that its address (base_url)" in done.stderr
    assert list(Path("reports/desk").iterdir()) == []


@posix
def test_ctrl_c_ends_calls_tools_and_processes(here: Path) -> None:
    Path("ctrl_c_tools.py").write_text(TOOLS)
    tools = "tools: {use: [{kind: python, function: 'ctrl_c_tools:look'}]}"
    interrupted = threading.Event()
    process: subprocess.Popen[str] | None = None

    def respond(asked: Asked) -> Say | Reply:
        if len(server.requests) < 12:
            return desk.echo(asked)
        assert process
        if not interrupted.is_set():
            interrupted.set()
            process.send_signal(signal.SIGINT)
        return HANG

    with ModelServer(respond=respond) as server:
        more = "factors: [tools]\nexecution: {concurrency: 3}\n"
        desk.config("id: a", f"id: b\n{tools}", more=more, url=server.openai_url)
        process = subprocess.Popen(
            [*HARNESS, "run", "configs/desk.yaml"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        out, words = ended(process)
    assert process.returncode == 3, words
    assert out == ""
    (folder,) = Path("reports/desk").iterdir()
    command = f"harness run configs/desk.yaml --resume {folder}"
    assert words.splitlines()[-1] == f"  go on with: {command}"
    assert [path.name for path in folder.iterdir()] == ["journal.jsonl"]
    assert "Traceback" not in words
    assert "Warning" not in words
    assert processes_of_session(process.pid) == []


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a process has said when it has ended; one that does not is killed."""
    try:
        return process.communicate(timeout=60)
    finally:
        process.kill()


def processes_of_session(leader: int) -> list[int]:
    """The processes of a session that are still there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(entry.name)) == leader:
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return found


CELL = """
import asyncio, harness

async def cell():
    harness.run("configs/desk.yaml", concurrency=1)

loop = asyncio.new_event_loop()  # as a notebook's, which leaves signals alone
try:
    loop.run_until_complete(cell())
except KeyboardInterrupt as stopped:
    print(*stopped.__notes__)
"""


@posix
def test_a_notebooks_stop_button_stops_the_run(here: Path) -> None:
    process: subprocess.Popen[str] | None = None

    def respond(asked: Asked) -> Say | Reply:
        if len(server.requests) < 4:
            return desk.echo(asked)
        assert process
        if len(server.requests) == 4:
            process.send_signal(signal.SIGINT)
        return HANG

    with ModelServer(respond=respond) as server:
        desk.config("id: a", more="factors: []\n", url=server.openai_url)
        process = subprocess.Popen(
            [sys.executable, "-c", CELL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        out, words = ended(process)
        assert len(server.requests) == 4
    (folder,) = Path("reports/desk").iterdir()
    told = f"stopped after 3 of 12 trials; go on with resume='{folder}'\n"
    assert (process.returncode, out) == (0, told), words


def test_check_says_calls_costs_and_what_differs(here: Path) -> None:
    Path("configs/prices").mkdir(parents=True)
    Path("configs/prices/own.yaml").write_text(
        "date: 2026-11-01\nsource: ours\nmodels:\n"
        "  http/m: {input_usd_per_million: 100, output_usd_per_million: 400}\n"
        "  http/h: {usd_per_hour: 2.5}\n"
    )
    desk.config(
        "id: a\nparams: {max_output_tokens: 100}",
        "id: b\nmodel: http/h\nparams: {max_output_tokens: 100}",
        "id: c\nmodel: http/n\noutput: {repair: 1, rules: [{name: r, that: output}]}",
        more="factors: [model, params, output]\n",
        url="http://127.0.0.1:9/v1",
    )
    done = harness("check", "configs/desk.yaml")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "trials: 36; model calls: 36 to 48, retries aside" in said
    assert "time: known after a pilot: harness run configs/desk.yaml --limit 20" in said
    assert "a http/m 12 $0.00" in said
    assert "b http/h 12 by the hour" in said
    assert "c http/n 12 to 24 unknown" in said
    assert "cost: http/h takes $2.50 an hour, shared by the calls in flight" in said
    assert "unknown where no price is known, of http/n;" in said
    assert "what differs: model a: http/m b: http/h c: http/n" in said
    assert "$0 " not in said
    found = json.loads(harness("check", "configs/desk.yaml", "--json").stdout)
    assert found["forecasts"][2]["unpriced"] == ["http/n"]
    assert found["forecasts"][2]["usd_least"] is None
