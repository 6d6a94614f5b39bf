"""Tools of real MCP servers, as a child process and at an address of the loopback."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mcp_servers
import pytest
from aiohttp import web
from ended import have_ended
from pydantic import ValidationError

from harness.core.chat import ServiceError
from harness.core.tools import ToolResult
from harness.plugins.tools.mcp import Mcp

SERVERS = str(Path(mcp_servers.__file__))
STDIO = (sys.executable, SERVERS, "stdio")
TOOLS = ("status", "raises", "hangs", "dies", "huge", "variable", "process_id")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server over HTTP."""
    command = [sys.executable, SERVERS, "http"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/mcp"
        server.kill()


@pytest.fixture(params=["stdio", "http"])
def where(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Either way to a server, as options."""
    if request.param == "stdio":
        return {"command": STDIO}
    return {"url": request.getfixturevalue("address")}


def opened(options: dict[str, Any], use: Callable[[Mcp], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        tools = Mcp(**{"only": TOOLS, "timeout_s": 30, **options})
        await tools.open()
        try:
            return await use(tools)
        finally:
            await tools.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not others

    return asyncio.run(run())


def test_tools_and_their_results(where: dict[str, Any]) -> None:
    async def use(tools: Mcp) -> list[ToolResult]:
        assert tools.identity["server"] == "orders"
        assert tools.identity["version"] == "1.2"
        return [
            await tools.call("status", {"order": 7}),
            await tools.call("raises", {"text": "no"}),
            await tools.call("status", {"order": "x"}),
            await tools.call("other", {}),
            await tools.call("huge", {"size": 1_000_001}),
        ]

    right, raised, wrong, unknown, huge = opened(where | {"usd_per_call": 0.1}, use)
    assert replace(right, queue_s=0.0) == ToolResult("order 7 is on its way ü", None, 0.1)
    assert raised.error == "raised"
    assert "no" in raised.text
    assert (wrong.error, wrong.cost_usd) == ("arguments", 0.0)
    assert unknown.error == "unknown"
    assert (huge.error, huge.text) == ("raised", "the result is longer than 1,000,000 characters")


def test_specs_are_those_of_the_server(where: dict[str, Any]) -> None:
    async def specs() -> Any:
        tools = Mcp(only=("status",), **where)
        try:
            return await tools.open()
        finally:
            await tools.close()

    (spec,) = asyncio.run(specs())
    assert (spec.name, spec.description) == ("status", "The state of an order.")
    assert spec.parameters["properties"]["order"]["type"] == "integer"


def test_calls_run_at_once(where: dict[str, Any]) -> None:
    async def use(tools: Mcp) -> list[ToolResult]:
        return await asyncio.gather(*(tools.call("status", {"order": n}) for n in range(20)))

    results = opened(where, use)
    assert [result.text for result in results] == [f"order {n} is on its way ü" for n in range(20)]


def test_a_call_that_hangs_is_given_up_and_the_next_one_works(where: dict[str, Any]) -> None:
    async def use(tools: Mcp) -> list[ToolResult]:
        return [await tools.call("hangs", {}), await tools.call("status", {"order": 1})]

    hung, right = opened(where | {"timeout_s": 3}, use)
    assert replace(hung, queue_s=0.0) == ToolResult("the tool gave no result within 3 s", "timeout")
    assert right.error is None


def test_a_server_that_dies_is_started_again_by_the_next_call() -> None:
    async def use(tools: Mcp) -> list[ToolResult]:
        first = await tools.call("process_id", {})
        died = await tools.call("dies", {})
        second = await tools.call("process_id", {})
        return [first, died, second]

    first, died, second = opened({"command": STDIO}, use)
    assert (died.error, died.text) == ("connection", "the server ended the connection")
    assert first.error is None
    assert second.error is None
    assert first.text != second.text
    assert have_ended([int(first.text), int(second.text)])


def test_the_command_sees_no_key_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "very-secret-key")

    async def use(tools: Mcp) -> str:
        return (await tools.call("variable", {"name": "SHOP_API_KEY"})).text

    assert opened({"command": STDIO}, use) == "None"
    assert opened({"command": STDIO, "env": ("SHOP_API_KEY",)}, use) == "'***'"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"command": STDIO}, "models cannot call a tool named 'files/read'"),
        ({"command": STDIO, "only": ("status", "nope")}, "the server has no tool 'nope'"),
        ({"command": ("/no/such/program",)}, "No such file"),
        ({"command": (sys.executable, "-c", "pass")}, "onnection"),
        (
            {"command": (sys.executable, "-m", "no_such_server")},
            "it said: .*No module named '?no_such_server",
        ),
        ({"command": (sys.executable, SERVERS, "endless")}, "onnection"),
        ({"command": STDIO, "env": ("NOT_SET_ANYWHERE",)}, "NOT_SET_ANYWHERE is not set"),
        ({"url": "http://127.0.0.1:9/mcp"}, "onnect"),
    ],
)
def test_a_server_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    async def run() -> None:
        tools = Mcp(**options)
        try:
            await tools.open()
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    with pytest.raises(ServiceError, match=message):
        asyncio.run(run())


def test_what_a_server_says_before_it_dies_is_short_and_tells_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_LOGIN", "very-secret-login")
    code = (
        "import os, sys\n"
        "for n in range(50_000): sys.stderr.write(f'line {n}\\n')\n"
        "sys.stderr.write('\x1b[31mred ' + 'x' * 1000 + '\\n\\n')\n"
        "sys.stderr.write('cannot log in with ' + os.environ['SHOP_LOGIN'])"
    )

    async def run() -> None:
        await Mcp(command=(sys.executable, "-c", code), env=("SHOP_LOGIN",)).open()

    with pytest.raises(ServiceError) as raised:
        asyncio.run(run())
    told = raised.value.message
    assert told.endswith("... / cannot log in with ***")
    assert "; it said: line 49999 / " in told
    assert "line 49998" not in told
    assert "\x1b" not in told
    assert len(told) < 1000


def test_what_is_known_of_a_server_before_it_is_started() -> None:
    assert Mcp(command=STDIO).problems() == ()
    assert Mcp(url="http://127.0.0.1:9/mcp").problems() == ()
    (told,) = Mcp(command=("nonexistentcmd", "x")).problems()
    assert told == "there is no program 'nonexistentcmd' that could be run"
    assert Mcp(command=STDIO).names is None
    assert Mcp(command=STDIO, only=("status",)).names == ("status",)


def test_a_server_over_http_that_goes_away_is_a_lost_connection() -> None:
    command = [sys.executable, SERVERS, "http"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = f"http://127.0.0.1:{int(server.stdout.readline())}/mcp"

        async def use(tools: Mcp) -> list[ToolResult]:
            server.kill()
            server.wait()
            return [await tools.call("status", {"order": 1}) for _ in range(2)]

        results = opened({"url": address}, use)
    assert [result.error for result in results] == ["connection"] * 2


def test_a_server_that_refuses_the_key_does_not_get_it_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MCP_TEST_KEY", "very-secret-key")
    seen: list[str | None] = []

    async def refuse(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=401, text=f"not {seen[-1]}")

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/mcp", refuse)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        tools = Mcp(url=f"http://{host}:{port}/mcp", api_key_env="MCP_TEST_KEY")
        try:
            await tools.open()
        finally:
            await runner.cleanup()

    with pytest.raises(ServiceError) as raised:
        asyncio.run(run())
    assert "very-secret-key" not in raised.value.message
    assert "Bearer very-secret-key" in seen


def test_opening_can_be_cancelled_and_leaves_no_process(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    os.mkfifo(note)

    async def run() -> int:
        tools = Mcp(command=(sys.executable, "-c", code))
        opening = asyncio.create_task(tools.open())
        process_id = int(await asyncio.to_thread(note.read_text))
        opening.cancel()
        await asyncio.wait([opening])
        await tools.close()
        return process_id

    assert have_ended([asyncio.run(run())])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"command": ["x"], "url": "http://x"},
        {"url": "http://x", "env": ["A"]},
        {"command": ["x"], "api_key_env": "A"},
        {"command": [""]},
        {"command": ["x"], "cwd": "/"},
    ],
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Mcp.model_validate(options)
