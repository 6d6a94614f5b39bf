"""The server: who may ask, how much at once, and its end."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest
from asking import failure, request
from chat_server import BODY, MODELS, Kept, Served, post, scripted, send, send_async
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.chat import Completion, Message, ModelRequest
from harness.loopback import is_loopback
from harness.plugins.providers.http import Http
from harness.serving.server import Limits


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(Kept()) as server:
        yield server


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True), ("localhost:8765", True), ("[::1]:8765", True), ("127.9.9.9:1", True),
        ("LOCALHOST", True), ("evil.example", False), ("evil.example:8765", False), ("", False),
        ("127.0.0.1.evil.example", False), ("localhost.evil.example:1", False),
        ("10.0.0.1:80", False), ("[::1", False), ("192.168.0.7:8765", False),
        ("user@evil.example", False),
    ],
)  # fmt: skip
def test_only_loopback_names_are_answered(host: str, allowed: bool) -> None:
    with Served(Kept()) as server:
        for method, path in (("GET", "models"), ("POST", "chat/completions")):
            status, body, headers = send(
                method, f"{server.url}/{path}", headers={"Host": host}, json=BODY
            )
            assert status == (200 if allowed else 403)
            assert allowed or body["error"]["code"] == "host_not_allowed"
            assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_what_a_page_could_send_is_refused(kind: str | None) -> None:
    headers = {"Origin": "https://evil.example"} | ({"Content-Type": kind} if kind else {})
    kept = Kept()
    with Served(kept) as server:
        status, body, _ = post(server, data=json.dumps(BODY).encode(), headers=headers)
        assert (status, body["error"]["code"]) == (415, "unsupported_content_type")
        status, body, _ = send("OPTIONS", f"{server.url}/chat/completions")
        assert status == 405
    assert not kept.requests


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "", 404, "there is GET /v1/models and POST /v1/chat/completions"),
        ("POST", "/completions", 404, "there is no /v1/completions"),
        ("POST", "/embeddings", 404, "there is no /v1/embeddings"),
        ("GET", "/chat/completions", 405, "does not take GET"),
        ("GET", "/models/gpt-5", 404, "there is no model 'gpt-5'; there is desk-base and"),
    ],
)
def test_other_paths(method: str, path: str, status: int, says: str) -> None:
    with Served(Kept()) as server:
        found, body, _ = send(method, f"{server.url}{path}", json={})
    assert found == status
    assert says in body["error"]["message"]


def test_models() -> None:
    with Served(Kept()) as server:
        _, body, _ = send("GET", f"{server.url}/models")
        assert [entry["id"] for entry in body["data"]] == list(MODELS)
        status, body, _ = post(server, BODY | {"model": "gpt-5"})
        assert (status, body["error"]["code"]) == (404, "model_not_found")
        assert body["error"]["param"] == "model"
        assert failure(Http(base_url=server.url), request("gpt-5")).kind == "not_found"


def test_a_body_that_is_too_big() -> None:
    kept = Kept()
    with Served(kept, Limits(body_bytes=2000)) as server:
        long = [{"role": "user", "content": "x" * 3000}]
        status, body, _ = post(server, BODY | {"messages": long})
        assert (status, body["error"]["code"]) == (413, "request_too_large")

        async def pieces() -> Any:
            for _ in range(10):
                yield b" " * 1000

        headers = {"Content-Type": "application/json"}
        assert post(server, data=pieces(), headers=headers)[0] == 413
        assert post(server)[0] == 200
    assert len(kept.requests) == 1


def test_a_body_that_does_not_come() -> None:
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    with (
        Served(Kept(), Limits(body_s=0.01)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection,
    ):
        connection.sendall(head.encode())
        assert b"408 Request Timeout" in connection.recv(4096)


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.binary(max_size=120), min_size=1, max_size=5))
def test_any_bytes_are_answered(served: Served, bodies: list[bytes]) -> None:
    headers = {"Content-Type": "application/json"}
    for raw in bodies:
        status, body, _ = post(served, data=raw, headers=headers)
        assert status == 400
        assert body["error"]["type"] == "invalid_request_error"
    assert not served.reports


def test_what_is_not_http(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Content-Type: application/json\r\n"
    for raw in (
        b"garbage\r\n\r\n",
        b"\x00" * 1000,
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        head + b"Content-Length: -5\r\n\r\n",
        head + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde",
        head + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n",
    ):
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
            connection.sendall(raw)
            assert b" 400 " in connection.recv(4096).splitlines()[0]
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(head + b"Content-Length: 50\r\n\r\n{")
    assert post(served)[0] == 200
    assert not served.reports
    assert capfd.readouterr().err == ""


def test_deep_bodies() -> None:
    deep: Any = {"type": "object"}
    for _ in range(400):
        deep = {"a": deep}
    tool = {"type": "function", "function": {"name": "t", "parameters": deep}}
    rules = scripted({"answer": "x"})
    with Served(rules) as server:
        assert post(server, BODY | {"tools": [tool]})[0] in {200, 400}
        raw = b'{"model": "desk-base", "messages": ' + b"[" * 50_000
        headers = {"Content-Type": "application/json"}
        assert post(server, data=raw, headers=headers)[0] == 400
    assert not server.reports


def test_so_many_at_once_and_no_more() -> None:
    kept = Kept(holds=True)
    with Served(kept, Limits(requests_at_once=2)) as server, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(post, server) for _ in range(2)]
        for _ in range(2):
            assert kept.asked.acquire(timeout=30)
        status, body, headers = post(server)
        assert (status, headers["Retry-After"]) == (429, "1")
        assert body["error"]["code"] == "rate_limit_exceeded"
        error = failure(Http(base_url=server.url), request("desk-base"))
        assert (error.kind, error.retry_after_s) == ("rate_limited", 1.0)
        assert send("GET", f"{server.url}/models")[0] == 200
        server.stop()
        for answer in waiting:
            status, body, _ = answer.result(30)
            assert (status, body["error"]["code"]) == (503, "shutting_down")
    assert kept.n_cancelled == 2


def test_a_client_that_leaves_ends_its_request() -> None:
    kept = Kept(holds=True)
    with Served(kept, Limits(requests_at_once=1)) as server:

        async def leave() -> None:
            async with aiohttp.ClientSession() as session:
                asked = asyncio.create_task(
                    session.post(f"{server.url}/chat/completions", json=BODY).__aenter__()
                )
                await asyncio.to_thread(kept.asked.acquire, timeout=30)
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
            for _ in range(1000):  # until the server has seen that the client has gone
                status, _, _ = await send_async("POST", f"{server.url}/chat/completions", json={})
                if status != 429:
                    break
            assert status == 400

        asyncio.run(leave())
        assert kept.n_cancelled == 1


def test_many_at_once_each_get_their_own_answer() -> None:
    rules = [{"when": {"equals": f"q{n}"}, "answer": f"a{n}"} for n in range(40)]
    with Served(scripted(*rules)) as server:

        async def all_of_them() -> list[Completion]:
            provider = Http(base_url=server.url)
            asked = [
                ModelRequest("desk-base", (Message("user", f"q{n}"),), stream=n % 2 == 0)
                for n in range(40)
            ]
            try:
                return await asyncio.gather(*(provider.complete(one) for one in asked))
            finally:
                await provider.close()

        assert [got.text for got in asyncio.run(all_of_them())] == [f"a{n}" for n in range(40)]


def test_loopback_addresses() -> None:
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.8.8.8", "::1"]))
    others = ["::", "10.0.0.1", "example.org", "", "::ffff:10.0.0.1", "127.1", "1"]
    assert not any(map(is_loopback, others))
