"""`harness serve-local`: what it says, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from asking import ask, request
from chat_server import BODY, send

from harness.embedded.weights import DATA, MODELS
from harness.plugins.providers.http import Http

HARNESS = (sys.executable, "-W", "error", "-m", "harness")
SCRIPT = """
import asyncio
from harness.cli import main
from harness.cli.serving import serve
from harness.core.chat import ServiceError
from harness.plugins.providers.scripted import Scripted

class Own(Scripted):
    async def open(self):
        {on_open}

    async def complete(self, request):
        if request.messages[-1].content == "Wait.":
            print("waiting", flush=True)
            await asyncio.Event().wait()
        return await super().complete(request)

    async def close(self):
        {on_close}

@main.app.command("serve")
def command(port: int) -> None:
    provider = Own.model_validate({{"rules": [{{"answer": "Thirty days."}}]}})
    asyncio.run(serve(provider, ("desk-base", "desk-tuned"), "127.0.0.1", port))

main.main(["serve", "{port}"])
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@contextmanager
def started(
    port: int = 0, on_open: str = "pass", on_close: str = "pass"
) -> Iterator[subprocess.Popen[str]]:
    """A server with scripted answers, in a process of its own."""
    script = SCRIPT.format(port=port, on_open=on_open, on_close=on_close)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def address(process: subprocess.Popen[str]) -> str:
    """The address that the first line tells."""
    line = line_of(process)
    found = re.fullmatch(
        r"Serving desk-base and desk-tuned(?: and desk-tuned-no-abstentions)?"
        r" at (http://127\.0\.0\.1:\d+/v1) \(Ctrl-C ends it\)\n",
        line,
    )
    assert found, line
    return found[1]


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, and what was said to stderr."""
    _, words = process.communicate(timeout=60)
    return process.returncode, words


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARNESS, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@posix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_its_address_answers_and_ends_cleanly(how: signal.Signals) -> None:
    with started() as process:
        url = address(process)
        assert ask(Http(base_url=url), request("desk-tuned")).text == "Thirty days."
        process.send_signal(how)
        assert ended(process) == (0, "")


@posix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_who_waits_when_it_ends_is_told_so(how: signal.Signals) -> None:
    body = BODY | {"messages": [{"role": "user", "content": "Wait."}]}
    with started() as process, ThreadPoolExecutor(1) as pool:
        url = f"{address(process)}/chat/completions"
        waiting = pool.submit(send, "POST", url, json=body)
        assert line_of(process) == "waiting\n"
        process.send_signal(how)
        status, answer, _ = waiting.result(60)
        assert (status, answer["error"]["code"]) == (503, "shutting_down")
        assert ended(process) == (0, "")


@posix
def test_the_second_interrupt_does_not_wait() -> None:
    hangs = "print('closing', flush=True); await asyncio.Event().wait()"
    with started(on_close=hangs) as process:
        address(process)
        process.send_signal(signal.SIGINT)
        assert line_of(process) == "closing\n"
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, "")


def test_a_port_that_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(port) as process:
            assert ended(process) == (
                2,
                f"--port: {port} is in use at 127.0.0.1\n  hint: end what listens there, or choose "
                "another port; --port 0 takes a free one\n",
            )


def test_models_that_cannot_be_had() -> None:
    fails = "raise ServiceError('bad_request', 'the weights are damaged')"
    with started(on_open=fails) as process:
        assert ended(process) == (2, "the weights are damaged\n")


@pytest.mark.parametrize("host", ["192.168.0.7", "example.org", "::", "127.1"])
def test_only_this_machine_is_served(host: str) -> None:
    done = harness("serve-local", "--host", host)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"'{host}' is no loopback address\n  hint: leave --host out" in done.stderr


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_what_is_no_port(port: str) -> None:
    done = harness("serve-local", "--port", port)
    assert done.returncode == 2
    assert "--port" in done.stderr


@posix
@pytest.mark.skipif(not (DATA / MODELS).exists(), reason="the weights are not trained yet")
def test_the_embedded_models_are_served() -> None:
    process = subprocess.Popen(
        [*HARNESS, "serve-local", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            client = Http(base_url=address(process))
            for model in ("desk-base", "desk-tuned"):
                assert ask(client, request(model, params={"max_output_tokens": 5})).text
            process.send_signal(signal.SIGINT)
            assert ended(process) == (0, "")
        finally:
            process.kill()
