"""One attempt at a server on loopback: what comes back, what goes wrong, and what leaks nothing."""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from aiohttp import web
from model_server import CUT, HANG, ModelServer, Reply, broken
from pydantic import TypeAdapter, ValidationError

from harness.core.chat import ServiceError
from harness.plugins.wire.endpoint import BaseUrl, EnvName
from harness.plugins.wire.http_client import (
    JsonClient,
    JsonReply,
    bearer,
    error_message,
    key_from,
    retry_after_s,
)

KEY = "key-that-nobody-may-see"


def with_client(
    url: str, use: Callable[[JsonClient], Coroutine[Any, Any, Any]], **options: Any
) -> Any:
    """What `use` gives for a client that is closed afterwards."""

    async def run() -> Any:
        client = JsonClient(url, **options)
        try:
            return await use(client)
        finally:
            await client.close()

    return asyncio.run(run())


def post(server: ModelServer, body: Any = None, timeout_s: float = 30, **options: Any) -> JsonReply:
    reply = with_client(server.url, lambda c: c.post("/x", body, timeout_s=timeout_s), **options)
    assert isinstance(reply, JsonReply)
    return reply


def failure(reply: Reply, timeout_s: float = 30, **options: Any) -> ServiceError:
    with ModelServer(reply) as server, pytest.raises(ServiceError) as raised:
        post(server, timeout_s=timeout_s, **options)
    assert raised.value.latency_s is not None
    assert str(raised.value) == raised.value.message
    return raised.value


@contextmanager
def raw_server(*pieces: bytes, reset: bool = False) -> Iterator[str]:
    """A server that reads a request, sends just these bytes and closes (or resets)."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            for piece in pieces:
                connection.sendall(piece)
            if reset:
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(30)


def test_json_goes_out_and_comes_back() -> None:
    with ModelServer(broken('{"a": [1, "é"]}')) as server:
        reply = post(server, {"q": "né\n", "half": "\ud800"}, headers={"X-One": "1"})
        asked = server.requests[0]
    assert (reply.body, reply.status) == ({"a": [1, "é"]}, 200)
    assert reply.headers["content-type"] == "application/json"
    assert reply.latency_s > 0
    assert (asked.method, asked.path) == ("POST", "/x")
    assert asked.body == {"q": "né\n", "half": "\ufffd"}
    assert asked.headers["X-One"] == "1"
    assert asked.headers["Content-Type"] == "application/json"
    assert "Cookie" not in asked.headers


def test_get_sends_no_body_and_paths_are_appended() -> None:
    with ModelServer(broken("[]")) as server:
        reply = with_client(f"{server.url}/v1/", lambda c: c.get("/models", timeout_s=30))
        asked = server.requests[0]
    assert reply.body == []
    assert (asked.method, asked.path, asked.raw) == ("GET", "/v1/models", b"")


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    """The address of a server in the test's own event loop."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_cookies_are_not_kept() -> None:
    async def twice(client: JsonClient) -> None:
        await client.post("/x", 1, timeout_s=30)
        await client.post("/x", 2, timeout_s=30)

    cookie = Reply([b"{}"], headers={"Set-Cookie": "session=1"})
    with ModelServer(cookie, cookie) as server:
        with_client(server.url, twice)
        assert "Cookie" not in server.requests[1].headers


def test_connections_are_used_again_also_after_a_stream() -> None:
    ports = []

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        if request.path == "/whole":
            return web.json_response({})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: end\n\n")
        await response.write_eof()
        return response

    async def run() -> None:
        async with serving(handle) as url:
            client = JsonClient(url)
            for _ in range(2):
                await client.post("/whole", {}, timeout_s=30)
                await client.stream("/events", {}, lambda data, _: data == "end", timeout_s=30)
            await client.close()

    asyncio.run(run())
    assert len(ports) == 4
    assert len(set(ports)) == 1


def test_a_cancelled_attempt_is_cancelled_not_failed() -> None:
    async def run() -> None:
        asked, never = asyncio.Event(), asyncio.Event()

        async def hang(request: web.Request) -> web.StreamResponse:
            asked.set()
            await never.wait()
            return web.Response()

        async with serving(hang) as url:
            client = JsonClient(url)
            task = asyncio.create_task(client.post("/x", {}, timeout_s=30))
            await asked.wait()
            task.cancel()
            await asyncio.wait([task])
            await client.close()
            never.set()
        assert task.cancelled()

    asyncio.run(run())


def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with ModelServer(broken("{}")) as server:
        assert post(server).body == {}


STATUS = [
    (400, "bad_request", False), (401, "authentication", False), (403, "authentication", False),
    (404, "not_found", False), (405, "bad_request", False), (408, "timeout", True),
    (413, "context_too_long", False),
    (422, "bad_request", False), (429, "rate_limited", True), (500, "server_error", True),
    (502, "server_error", True), (503, "overloaded", True), (529, "overloaded", True),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind", "retryable"), STATUS)
def test_a_status_becomes_a_kind_of_error(status: int, kind: str, retryable: bool) -> None:
    body = json.dumps({"error": {"message": "it is\nbroken", "code": "x"}}).encode()
    error = failure(Reply([body], status))
    assert (error.kind, error.retryable) == (kind, retryable)
    assert error.message == f"the server answers {status}: it is broken"


def test_a_redirect_is_not_followed() -> None:
    error = failure(Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}))
    assert error.kind == "bad_request"
    assert error.message == (
        "the server answers 302: a redirect, which is not followed: give the final address"
    )


ERROR_TEXTS = [
    ('{"error": {"message": "why"}}', "why"),
    ('{"error": "why"}', "why"),
    ('{"message": "why"}', "why"),
    ('{"detail": "why"}', "why"),
    ('{"error": {"message": ""}}', '{"error": {"message": ""}}'),
    ("<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
    ("[1]", "[1]"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "says"), ERROR_TEXTS)
def test_what_an_error_says(text: str, says: str) -> None:
    assert error_message(text) == says


def test_an_endless_error_page_is_cut() -> None:
    error = failure(Reply([b"x" * 100_000], 500, then="repeat"))
    assert (error.kind, error.message) == ("server_error", "the server answers 500")


BODIES = [
    (broken(b'{"a": "\xff"}'), "the answer is not UTF-8: byte 7"),
    (broken("{"), "the answer is not JSON: "),
    (broken(""), "the answer is not JSON: "),
    (broken('{"a": 1, "a": 2}'), "the answer is not JSON: duplicate key 'a'"),
    (broken('{"a": NaN}'), "the answer is not JSON: NaN is not a finite number"),
    (broken("[" * 100_000), "the answer is not JSON: it nests too deep"),
    (Reply([b'{"a": '], then="cut"), "the answer was cut off: "),
    (Reply([b"x" * 60_000] * 2), "the answer is longer than 100000 bytes"),
    (Reply([b" " * 60_000], then="repeat"), "the answer is longer than 100000 bytes"),
]


@pytest.mark.parametrize(("reply", "message"), BODIES)
def test_an_answer_that_is_no_json_is_malformed(reply: Reply, message: str) -> None:
    error = failure(reply, max_bytes=100_000)
    assert error.kind == "malformed"
    assert error.message.startswith(message)
    assert error.retryable


def test_a_bomb_of_compressed_zeros_is_not_unpacked() -> None:
    import zlib

    bomb = zlib.compress(b" " * 50_000_000)
    error = failure(Reply([bomb], headers={"Content-Encoding": "deflate"}), max_bytes=1_000_000)
    assert error.kind == "malformed"


@pytest.mark.parametrize(
    "reply", [HANG, Reply([b"{"], then="hang"), Reply([b"{", b"}"], 500, then="hang")]
)
def test_the_deadline_is_of_the_whole_attempt(reply: Reply) -> None:
    error = failure(reply, timeout_s=0.2)
    assert (error.kind, error.message) == ("timeout", "no whole answer within 0.2 s")


def test_a_server_that_hangs_up_is_a_lost_connection() -> None:
    assert failure(CUT).kind == "connection"


def test_a_closed_port_and_a_wrong_name_are_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://nowhere.invalid"):
        with pytest.raises(ServiceError) as raised:
            with_client(url, lambda c: c.get("/x", timeout_s=30))
        assert raised.value.kind == "connection"
        assert raised.value.message.startswith("no connection: ")


NO_HTTP: list[tuple[Sequence[bytes], bool, str]] = [
    ([b"hello\r\n\r\n"], False, "malformed"),
    ([b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}"], False, "malformed"),
    ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"], False, "malformed"),
    ([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"], False, "malformed"),
    ([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}"], True, "malformed"),
    ([], True, "connection"),
    ([b"HTTP/1.1 200"], False, "connection"),
]


@pytest.mark.parametrize(("pieces", "reset", "kind"), NO_HTTP)
def test_a_server_that_does_not_speak_http(pieces: list[bytes], reset: bool, kind: str) -> None:
    with raw_server(*pieces, reset=reset) as url, pytest.raises(ServiceError) as raised:
        with_client(url, lambda c: c.post("/x", {}, timeout_s=30))
    assert raised.value.kind == kind


def test_no_error_repeats_the_key() -> None:
    for reply in (
        Reply([json.dumps({"error": {"message": f"wrong key {KEY}!"}}).encode()], 401),
        Reply([f"wrong key {KEY}!".encode()], 500),
    ):
        error = failure(reply, headers=bearer(KEY), secret=KEY)
        assert error.message.endswith("wrong key ***!")
        assert KEY not in f"{error!r} {error.args} {vars(error)} {error.__cause__}"
        assert error.__suppress_context__


def test_errors_are_one_printable_line_of_bounded_length() -> None:
    error = failure(Reply([b"\x1b[31m\r\n\x00a\xff" + b"x" * 1000], 500))
    assert error.message.isprintable()
    assert len(error.message) == 300


def events(
    server: ModelServer, last: str = "end", timeout_s: float = 30, **options: Any
) -> tuple[list[str], JsonReply]:
    seen: list[str] = []

    def receive(data: str, elapsed_s: float) -> bool:
        assert elapsed_s > 0
        seen.append(data)
        return data == last

    reply = with_client(
        server.url,
        lambda c: c.stream("/x", {"stream": True}, receive, timeout_s=timeout_s),
        **options,
    )
    return seen, reply


def sse(*chunks: bytes, **more: Any) -> Reply:
    return Reply(chunks, content_type="text/event-stream", **more)


def test_events_arrive_until_the_last_or_the_streams_end() -> None:
    with ModelServer(
        sse(b"data: 1\n\ndata: 2\n", b"\ndata: end\n\ndata: 3\n\n"), sse(b"data: 1\n\ndata: 2")
    ) as server:
        assert events(server)[0] == ["1", "2", "end"]
        seen, reply = events(server)
        assert seen == ["1", "2"]
        assert reply.body is None


def test_a_connection_that_stays_open_after_the_last_event_is_no_error() -> None:
    with ModelServer(sse(b"data: end\n\n", then="hang")) as server:
        assert events(server)[0] == ["end"]


def test_a_server_that_does_not_stream_answers_in_one_piece() -> None:
    with ModelServer(broken('{"a": 1}')) as server:
        seen, reply = events(server)
    assert (seen, reply.body) == ([], {"a": 1})


STREAMS = [
    (sse(b"data: 1\n\n", then="cut"), 30.0, "malformed", "the answer was cut off"),
    (sse(b"data: \xff\n\n"), 30.0, "malformed", "the answer is not UTF-8: byte 0"),
    (sse(b"data: 1\n\n", then="hang"), 0.2, "timeout", "no whole answer within 0.2 s"),
    (sse(b"data: 1\n\n" * 1000, then="repeat"), 30.0, "malformed", "the answer is longer than"),
    (sse(b"data: " + b"x" * 5000, then="repeat"), 30.0, "malformed", "the answer is longer than"),
    (Reply([b"{}"], 429), 30.0, "rate_limited", "the server answers 429"),
]


@pytest.mark.parametrize(("reply", "timeout_s", "kind", "message"), STREAMS)
def test_a_stream_that_goes_wrong(reply: Reply, timeout_s: float, kind: str, message: str) -> None:
    with ModelServer(reply) as server, pytest.raises(ServiceError) as raised:
        events(server, timeout_s=timeout_s, max_bytes=100_000)
    assert raised.value.kind == kind
    assert raised.value.message.startswith(message)


def test_what_the_receiver_raises_ends_the_attempt() -> None:
    def receive(data: str, elapsed_s: float) -> bool:
        raise ServiceError("refused", f"no {data} with {KEY}")

    with ModelServer(sse(b"data: 1\n\n", then="hang")) as server:
        with pytest.raises(ServiceError) as raised:
            with_client(server.url, lambda c: c.stream("/x", {}, receive, timeout_s=30), secret=KEY)
        assert (raised.value.kind, str(raised.value)) == ("refused", "no 1 with ***")


DATE = "Fri, 20 Nov 2026 10:00:00 GMT"
WAITS = [
    ({"Retry-After": "2"}, 2.0),
    ({"Retry-After": "0.5"}, 0.5),
    ({"Retry-After": "-3"}, 0.0),
    ({"Retry-After-Ms": "250", "Retry-After": "9"}, 0.25),
    ({"Retry-After": "Fri, 20 Nov 2026 10:01:30 GMT", "Date": DATE}, 90.0),
    ({"Retry-After": "Fri, 20 Nov 2026 09:00:00 GMT", "Date": DATE}, 0.0),
    ({"Retry-After": "Fri, 20 Nov 2026 10:01:30 GMT"}, None),
    ({"Retry-After": "soon", "Date": DATE}, None),
    ({"Retry-After": "inf"}, None),
    ({"Retry-After": "nan"}, None),
    ({"Retry-After": ""}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "wait_s"), WAITS)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers) == wait_s


def test_the_wait_is_in_the_error() -> None:
    assert failure(Reply(status=429, headers={"retry-after": "7"})).retry_after_s == 7.0


def test_a_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", f" {KEY}\n")
    assert key_from("SOME_KEY") == KEY
    assert bearer(KEY) == {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("value", [None, "", " ", f"{KEY} {KEY}", "ké"])
def test_what_is_no_key_is_an_error_without_it(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(ServiceError, match="SOME_KEY") as raised:
        key_from("SOME_KEY")
    assert raised.value.kind == "authentication"
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("https://models.example/a/b/", "https://models.example/a/b"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_addresses(given: str, kept: str) -> None:
    assert TypeAdapter(BaseUrl).validate_python(given) == kept


WRONG_ADDRESSES = [
    "", "127.0.0.1:8000", "ftp://host/", "http://", "http:///path", "http://host:99999/",
    "http://host:0/", "http://[::1/", "http://a b/", "http://host/\nX: y", "file:///etc/passwd",
    "http://user:pw@host/", "http://host/?key=1", "http://host/#x", "http://host/" + "x" * 2000,
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG_ADDRESSES)
def test_wrong_addresses(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(BaseUrl).validate_python(text)


@pytest.mark.parametrize("text", ["", "some-key-1234", "A B", "1A", "A=B", "A" * 101])
def test_a_key_where_a_name_belongs_is_not_repeated(text: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(EnvName).validate_python(text)
    (told,) = raised.value.errors()
    assert told["msg"].endswith("must be the name of an environment variable, not a key")
