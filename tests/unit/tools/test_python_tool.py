"""A user's function as a tool: what it is told as, and what can go wrong in it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from ended import have_ended
from pydantic import ValidationError

from harness.core.chat import ServiceError, ToolSpec
from harness.core.tools import ToolResult
from harness.files import sha256
from harness.plugins.tools.python import Python

DESCRIBED: dict[str, Any] = {"description": "d", "parameters": {"type": "object"}}
MISBEHAVE: dict[str, Any] = {"function": "user_tools:misbehave", "parameters": {"type": "object"}}


def calls(
    *arguments: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> list[ToolResult]:
    """The results of calls one after the other."""

    async def use(tool: Python) -> list[ToolResult]:
        return [plain(await tool.call(tool.spec.name, each)) for each in arguments]

    return opened(options or MISBEHAVE, use)


def plain(result: ToolResult) -> ToolResult:
    """The result without what was waited for."""
    return replace(result, queue_s=0.0)


def opened(options: Mapping[str, Any], use: Callable[[Python], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        tool = Python(**{"workers": 1, "timeout_s": 30, **options})
        await tool.open()
        try:
            return await use(tool)
        finally:
            await tool.close()

    return asyncio.run(run())


def test_a_tool_is_told_as_its_signature_and_docstring_say() -> None:
    assert Python(function="user_tools:price").spec == ToolSpec(
        "price",
        "The price of a product.",
        {
            "type": "object",
            "properties": {
                "product": {"type": "string", "description": "The product's id."},
                "quantity": {"type": "integer", "description": "How many."},
                "currency": {"enum": ["EUR", "USD"]},
            },
            "required": ["product"],
            "additionalProperties": False,
        },
    )
    tags = Python(function="user_tools:slow_price").spec.parameters["properties"]["tags"]
    assert tags == {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}


def test_what_the_options_say_goes_first(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"type": "object", "required": ["value"]}')
    options = {
        "function": "user_tools:untyped",
        "name": "same",
        "description": "The same.",
        "parameters": "s.json",
    }
    tool = Python.model_validate(options, context={"folder": tmp_path})
    assert tool.spec == ToolSpec("same", "The same.", {"type": "object", "required": ["value"]})


def test_the_source_is_part_of_the_identity() -> None:
    import user_tools

    tool = Python(function="user_tools:price")
    digest = sha256(Path(user_tools.__file__))
    assert tool.identity == {"function": "user_tools:price", "source_sha256": digest}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"function": "user_tools.price"}, "should match pattern"),
        ({"function": "no_such_module:f"}, "there is no module 'no_such_module'"),
        ({"function": "user_tools.sub:f"}, "there is no module 'user_tools.sub'"),
        ({"function": "math:sqrt"}, "has no source"),
        ({"function": "user_tools:no_such"}, "not written as `def no_such"),
        ({"function": "json:nofn", **DESCRIBED}, "the module json has no nofn"),
        ({"function": "user_tools:shop", **DESCRIBED}, "the module user_tools has no shop"),
        ({"function": "user_tools:untyped"}, "its argument 'value' has no type"),
        ({"function": "user_tools:price", "name": "a b"}, "should match pattern"),
        ({"function": "user_tools:price", "parameters": {"type": "array"}}, "`type: object`"),
        (
            {"function": "user_tools:price", "parameters": {"type": "object", "required": 3}},
            "usable",
        ),
        ({"function": "user_tools:price", "parameters": "nowhere.json"}, "cannot read the schema"),
        ({"function": "user_tools:price", "timeout": 3}, "Extra inputs"),
        ({"function": "user_tools:price", "env": ["a-b"]}, "name of an environment variable"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=message):
        Python.model_validate(options, context={"folder": tmp_path})


def test_a_result_is_text_or_json() -> None:
    price = {"function": "user_tools:price", "usd_per_call": 0.01}
    assert calls({"product": "p", "quantity": 2}, options=price) == [
        ToolResult('{"product": "p", "total": 5.0, "currency": "EUR"}', None, 0.01)
    ]
    slow = {"function": "user_tools:slow_price"}
    assert calls({"product": "p", "tags": ["x"]}, options=slow)[0].text == "p: ä€ ['x']"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, '"product" is a required property'),
        ({"product": 3}, "arguments.product: 3 is not of type"),
        ({"product": "p", "colour": "red"}, "'colour' was unexpected"),
        ({"product": "p", "currency": "XYZ", "quantity": 1.5}, "; "),
        ({"product": "\ud800", "quantity": "x"}, "arguments"),
    ],
)
def test_arguments_are_checked_before_the_call(arguments: dict[str, Any], message: str) -> None:
    options = {"function": "user_tools:price", "usd_per_call": 1}
    result = calls(arguments, options=options)[0]
    assert (result.error, result.cost_usd) == ("arguments", 0.0)
    assert message in result.text


def test_a_tool_of_another_name_is_unknown() -> None:
    async def use(tool: Python) -> ToolResult:
        return await tool.call("other", {})

    result = opened({"function": "user_tools:price"}, use)
    assert result == ToolResult("there is no tool 'other'; there is: price", "unknown")


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"how": "raise"}, "raised", "ValueError: no such product"),
        ({"how": "exit"}, "raised", "SystemExit: 3"),
        ({"how": "hard exit"}, "raised", "the tool's process ended before there was a result"),
        ({"how": "abort"}, "raised", "the tool's process ended before there was a result"),
        ({"how": "memory", "size": 10**11}, "memory", "the tool took more than 64 MB"),
        ({"how": "many objects", "size": 10**8}, "memory", "the tool took more than 64 MB"),
        ({"how": "huge", "size": 1_000_001}, "raised", "longer than 1,000,000 characters"),
        ({"how": "object"}, "raised", "the tool's result is no JSON: TypeError"),
        ({"how": "nan"}, "raised", "the tool's result is no JSON: ValueError"),
        ({"how": "deep", "size": 100_000}, "raised", "the tool's result is no JSON: Recursion"),
        ({"how": "unspeakable"}, "raised", "UnspeakableError: an error that cannot be told"),
        ({"wrong": 1}, "raised", "TypeError: misbehave() got an unexpected keyword"),
    ],
)
def test_what_goes_wrong_is_a_result_and_the_next_call_works(
    arguments: dict[str, Any], error: str, text: str
) -> None:
    fine = {"how": "huge", "size": 1}
    options = MISBEHAVE | {"memory_mb": 64}
    wrong, right = calls(arguments, fine, options=options)
    assert wrong.error == error
    assert text in wrong.text
    assert right == ToolResult("x")


@pytest.mark.parametrize("how", ["hang", "busy"])
def test_a_call_that_hangs_is_ended_with_its_process(how: str) -> None:
    wrong, right = calls(
        {"how": how}, {"how": "huge", "size": 1}, options=MISBEHAVE | {"timeout_s": 2}
    )
    assert wrong == ToolResult("the tool gave no result within 2 s", "timeout")
    assert right == ToolResult("x")


def test_text_that_no_file_can_hold_is_replaced() -> None:
    assert calls({"how": "surrogate"})[0] == ToolResult("\ufffd")


def test_what_a_tool_prints_goes_nowhere() -> None:
    options = {"function": "user_tools:prints"}
    results = calls({"text": "noise"}, {"text": "noise"}, options=options)
    assert results == [ToolResult("read ''"), ToolResult("read ''")]


@pytest.mark.parametrize("how", ["children", "children and hang"])
def test_children_that_a_tool_leaves_behind_are_ended(how: str, tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    result = calls({"how": how, "path": str(ids)}, options=MISBEHAVE | {"timeout_s": 5})[0]
    assert result.error == ("timeout" if "hang" in how else None)
    numbers = [int(number) for number in ids.read_text().split()]
    assert len(numbers) == 4
    assert have_ended(numbers)


def test_a_process_serves_many_calls_and_none_outlives_the_tool() -> None:
    ids: list[str] = []

    async def use(tool: Python) -> None:
        results = await asyncio.gather(*(tool.call("process_id", {}) for _ in range(12)))
        ids.extend(result.text for result in results)

    opened({"function": "user_tools:process_id", "workers": 3}, use)
    assert 1 <= len(set(ids)) <= 3
    assert have_ended([int(number) for number in ids])
    counts = [result.text for result in calls({}, {}, options={"function": "user_tools:count"})]
    assert counts == ["1", "2"]


def test_a_cancelled_call_leaves_no_answer_for_the_next_one() -> None:
    async def use(tool: Python) -> ToolResult:
        running = asyncio.create_task(tool.call("misbehave", {"how": "hang"}))
        for _ in range(20):  # until the call has been sent
            await asyncio.sleep(0)
        running.cancel()
        assert isinstance((await asyncio.gather(running, return_exceptions=True))[0], BaseException)
        return await tool.call("misbehave", {"how": "huge", "size": 1})

    assert plain(opened(MISBEHAVE, use)) == ToolResult("x")


def test_waiting_for_a_process_is_no_time_of_the_tool(tmp_path: Path) -> None:
    gate, open_gate = tmp_path / "gate", tmp_path / "open"
    os.mkfifo(gate)
    ours = os.open(gate, os.O_RDWR)
    open_gate.write_text("")

    async def use(tool: Python) -> tuple[list[ToolResult], float]:
        first = asyncio.create_task(tool.call("clocked", {"path": str(gate)}))
        await asyncio.sleep(0)  # it has the one process
        later = asyncio.create_task(tool.call("clocked", {"path": str(open_gate)}))
        await asyncio.sleep(0)
        asked_s = perf_counter()
        os.write(ours, b"\n")
        return await asyncio.gather(first, later), asked_s

    try:
        (first, later), asked_s = opened({"function": "user_tools:clocked"}, use)
    finally:
        os.close(ours)
    ended_s = json.loads(first.text)["ended_s"]
    assert later.queue_s >= ended_s - asked_s > 0


def test_a_call_is_not_charged_for_the_process_that_it_needs_anew() -> None:
    async def use(tool: Python) -> tuple[ToolResult, float, float]:
        assert (await tool.call("clocked", {"path": ""})).error == "raised"
        began_s = perf_counter()
        next_one = asyncio.create_task(tool.call("clocked", {"path": os.devnull}))
        await asyncio.sleep(0)
        asked_s = perf_counter()
        return await next_one, asked_s, perf_counter() - began_s

    result, asked_s, all_s = opened({"function": "user_tools:clocked"}, use)
    times = json.loads(result.text)
    assert result.queue_s >= times["imported_s"] - asked_s > 0
    assert all_s - result.queue_s >= times["ended_s"] - times["began_s"]


def test_keys_are_not_handed_on_unless_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "very-secret-key")
    options: dict[str, Any] = {"function": "user_tools:environment"}
    asked = {"name": "SHOP_API_KEY"}
    assert calls(asked, options=options) == [ToolResult("None")]
    assert calls({"name": "PATH"}, options=options)[0].text == repr(os.environ["PATH"])
    assert calls(asked, options=options | {"env": ["SHOP_API_KEY"]}) == [ToolResult("'***'")]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("f = 1 / 0", {}, "ZeroDivisionError"),
        ("import sys; sys.exit(1); f = 1", {}, "SystemExit"),
        ("f = 3", {}, "f is not a function"),
        ("class A:\n    def f(self): pass", {}, "AttributeError"),
        ("def f(:", {}, "SyntaxError"),
        ("import os; os._exit(1); f = 1", {}, "the process of broken_tool:f ended"),
        ("def f(): pass", {"env": ["NOT_SET_ANYWHERE"]}, "NOT_SET_ANYWHERE is not set"),
    ],
)
def test_a_function_that_cannot_be_imported(
    source: str,
    options: dict[str, Any],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "broken_tool.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    tool = Python(function="broken_tool:f", workers=2, **DESCRIBED, **options)
    with pytest.raises(ServiceError, match=message):
        asyncio.run(tool.open())


@pytest.mark.parametrize(
    "source",
    [
        "from operator import neg as f",
        "try:\n    from fast import f\nexcept ImportError:\n    f = abs",
        "from operator import *",
        "globals()['f'] = abs",
        "def __getattr__(name): return abs",
        "exec('f = abs')",
    ],
)
def test_a_function_that_only_running_the_module_would_find_is_not_refused(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_tool.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert Python(function="made_tool:f", **DESCRIBED).names == ("f",)


def test_a_module_in_the_working_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local_tool.py").write_text('def f() -> str:\n    """Here."""\n    return "here"\n')
    monkeypatch.chdir(tmp_path)
    assert calls({}, options={"function": "local_tool:f"}) == [ToolResult("here")]
