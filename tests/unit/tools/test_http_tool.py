"""A tool behind a real HTTP server on the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from harness.core.chat import ServiceError, ToolSpec
from harness.core.tools import ToolResult
from harness.plugins.tools.http import Http

PARAMETERS = {
    "type": "object",
    "properties": {"order": {"type": "integer"}, "with": {}, "tags": {"type": "array"}},
    "required": ["order"],
    "additionalProperties": False,
}
DESCRIBED: dict[str, Any] = {"name": "status", "description": "State.", "parameters": PARAMETERS}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def asked(handler: Handler, *arguments: dict[str, Any], **options: Any) -> list[ToolResult]:
    """The results of calls to a server that answers with `handler`."""

    async def run() -> list[ToolResult]:
        app = web.Application()
        app.router.add_route("*", "/tools/status", handler)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        tool = Http(url=f"http://{host}:{port}/tools/status", **{**DESCRIBED, **options})
        try:
            assert list(await tool.open()) == [ToolSpec("status", "State.", PARAMETERS)]
            assert tool.identity == {"host": f"{host}:{port}"}
            return [await tool.call("status", each) for each in arguments]
        finally:
            await tool.close()
            await runner.cleanup()

    return asyncio.run(run())


async def echo(request: web.Request) -> web.Response:
    body = await request.json() if request.can_read_body else None
    query = [list(pair) for pair in request.query.items()]
    return web.json_response([request.method, query, body, request.headers.get("Authorization")])


def test_arguments_are_the_body() -> None:
    result = asked(echo, {"order": 7, "with": {"ü": None}}, usd_per_call=0.5)
    assert result == [
        ToolResult('["POST", [], {"order": 7, "with": {"ü": null}}, null]', None, 0.5)
    ]


def test_arguments_are_the_query() -> None:
    arguments = {"order": 7, "with": "a&b=ü %", "tags": ["x", True, None]}
    query = '[["order", "7"], ["with", "a&b=ü %"], ["tags", "x"], ["tags", "true"]]'
    assert asked(echo, arguments, method="GET")[0].text == f'["GET", {query}, null, null]'


def test_the_key_is_sent_and_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATUS_KEY", "top-secret-1")

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=401, text=f"wrong {request.headers['Authorization']}")

    assert asked(echo, {"order": 1}, api_key_env="STATUS_KEY")[0].error is None
    result = asked(refuse, {"order": 1}, api_key_env="STATUS_KEY")[0]
    assert result.error == "raised"
    assert "401" in result.text
    assert "top-secret-1" not in result.text


def test_without_its_key_a_tool_does_not_open() -> None:
    with pytest.raises(ServiceError, match="NOT_SET_ANYWHERE"):
        asked(echo, api_key_env="NOT_SET_ANYWHERE")


def test_text_is_given_as_it_is() -> None:
    async def text(request: web.Request) -> web.Response:
        return web.json_response("on its way")

    assert asked(text, {"order": 1}) == [ToolResult("on its way")]


def test_wrong_arguments_are_not_sent() -> None:
    requests = []

    async def note(request: web.Request) -> web.Response:
        requests.append(request)
        return web.json_response(1)

    results = asked(note, {}, {"order": "x"}, {"order": 1, "when": 2}, usd_per_call=1)
    assert [(result.error, result.cost_usd) for result in results] == [("arguments", 0.0)] * 3
    assert requests == []


async def hang(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b" " * 100_000)
    return response


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"[1")
    assert request.transport
    request.transport.close()
    return response


def always(response: Callable[[], web.Response]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return response()

    return answer


@pytest.mark.parametrize(
    ("handler", "error", "text"),
    [
        (
            always(lambda: web.json_response({"error": "no such order"}, status=404)),
            "raised",
            "the server answers 404: no such order",
        ),
        (
            always(lambda: web.Response(status=307, headers={"Location": "/elsewhere"})),
            "raised",
            "a redirect",
        ),
        (always(lambda: web.Response(text="<html>")), "raised", "not JSON"),
        (always(lambda: web.json_response("x" * 1_000_001)), "raised", "longer than 1,000,000"),
        (endless, "raised", "longer than"),
        (cut, "raised", "cut off"),
        (hang, "timeout", "within 2 s"),
    ],
)
def test_what_a_server_does_wrong_is_a_result(handler: Handler, error: str, text: str) -> None:
    result = asked(handler, {"order": 1}, timeout_s=2)[0]
    assert result.error == error
    assert text in result.text
    assert len(result.text) < 1000


def test_no_server_is_a_result() -> None:
    async def run() -> ToolResult:
        tool = Http(url="http://127.0.0.1:9/x", **DESCRIBED)
        await tool.open()
        try:
            return await tool.call("status", {"order": 1})
        finally:
            await tool.close()

    assert asyncio.run(run()).error == "connection"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://x"},
        {"url": "http://user:secret@x/"},
        {"method": "PUT"},
        {"name": "a.b"},
        {"parameters": {}},
        {"api_key_env": "sk-123-456"},
        {"headers": {}},
    ],
)
def test_wrong_options(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        Http.model_validate({"url": "http://x/y", **DESCRIBED, **wrong})
    assert len(raised.value.errors()) == 1
