"""litellm against servers that speak the formats of the vendors that it routes to."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from asking import HELLO, KEY, LOOK_UP, SCHEMA, ask, failure, request
from model_server import Asked, Call, ModelServer, Say

from harness.core.chat import Completion, Message, RequestedCall
from harness.core.record import Usage
from harness.plugins.providers.litellm import LiteLLM

TO_OPENAI, TO_ANTHROPIC = "openai/gpt-4o", "anthropic/claude-sonnet-4-5"
BOTH = pytest.mark.parametrize("model", [TO_OPENAI, TO_ANTHROPIC])
TWO_CALLS = (
    Call("look_up", '{"id": "A1"}', "call_a"),
    Call("look_up", '{"id": "B2"}', "call_b"),
)


def made(server: ModelServer, model: str, **options: Any) -> LiteLLM:
    address = server.url if model == TO_ANTHROPIC else server.openai_url
    return LiteLLM(base_url=address, **options)


def one(model: str, say: Any, **changes: Any) -> tuple[Completion, Asked]:
    """The completion of one request, and that request on the wire."""
    with ModelServer(say) as server:
        found = ask(made(server, model), request(model, **changes))
        assert len(server.requests) == 1
        return found, server.requests[0]


def test_the_route_makes_the_request() -> None:
    found, asked = one(TO_OPENAI, Say("Hello.", model="gpt-4o-2024-08-06"))
    assert (found.text, found.finish_reason) == ("Hello.", "stop")
    assert found.served_model == "gpt-4o-2024-08-06"
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.body["model"] == "gpt-4o"
    found, asked = one(TO_ANTHROPIC, Say("Hello."), params={"max_output_tokens": 9})
    assert found.text == "Hello."
    assert asked.path == "/v1/messages"
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert (asked.body["model"], asked.body["max_tokens"]) == ("claude-sonnet-4-5", 9)


def test_parameters_and_further_keys_go_out() -> None:
    params = {"temperature": 0.0, "max_output_tokens": 9, "seed": 3, "extra": {"vendor_key": 1}}
    _, asked = one(TO_OPENAI, Say("x"), params=params)
    sent = {key: value for key, value in asked.body.items() if key not in {"model", "messages"}}
    assert sent == {"temperature": 0.0, "max_tokens": 9, "seed": 3, "vendor_key": 1}
    params = {"max_output_tokens": 9, "extra": {"top_k": 4}}
    _, asked = one(TO_ANTHROPIC, Say("x"), params=params)
    assert asked.body["top_k"] == 4


@BOTH
def test_a_streamed_answer_is_the_whole_one(model: str) -> None:
    say = Say("A longer answer.", TWO_CALLS, cached_tokens=4, reasoning_tokens=2)
    whole, _ = one(model, say)
    streamed, _ = one(model, say, stream=True)
    assert streamed.ttft_s is not None
    assert 0 < streamed.ttft_s <= streamed.latency_s
    assert replace(streamed, ttft_s=None, latency_s=0.0) == replace(whole, latency_s=0.0)


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_a_round_trip_of_parallel_tool_calls(model: str, stream: bool) -> None:
    with ModelServer(Say(calls=TWO_CALLS), Say("On their way.")) as server:
        provider = made(server, model)
        first = request(model, tools=(LOOK_UP,), tool_choice="required", stream=stream)
        calls = ask(provider, first).calls
        told = (
            *HELLO,
            Message("assistant", "", calls),
            Message("tool", "shipped", call_id="call_a"),
            Message("tool", "packed", call_id="call_b"),
        )
        assert ask(provider, replace(first, messages=told)).text == "On their way."
        assert len(server.requests) == 2
        assert "shipped" in str(server.bodies[1]["messages"])
    assert calls == (
        RequestedCall("call_a", "look_up", '{"id": "A1"}'),
        RequestedCall("call_b", "look_up", '{"id": "B2"}'),
    )


def test_structured_output_on_the_wire() -> None:
    _, asked = one(TO_OPENAI, Say('{"answer": "x"}'), schema=SCHEMA)
    assert asked.body["response_format"]["json_schema"]["schema"] == SCHEMA
    _, asked = one(TO_ANTHROPIC, Say('{"answer": "x"}'), schema=SCHEMA)
    assert asked.body["output_format"] == {"type": "json_schema", "schema": SCHEMA}


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_prompt_tokens_are_all_that_were_read(model: str, stream: bool) -> None:
    say = Say("x", prompt_tokens=107, cached_tokens=80, completion_tokens=40, reasoning_tokens=25)
    found, _ = one(model, say, stream=stream)
    assert found.usage.prompt_tokens == 107
    assert found.usage.cached_prompt_tokens == 80
    assert found.usage.completion_tokens == 40
    assert found.usage.reasoning_tokens == 25


def test_written_to_the_cache() -> None:
    say = Say("x", prompt_tokens=107, cached_tokens=80, cache_write_tokens=7)
    assert one(TO_ANTHROPIC, say)[0].usage.cache_write_tokens == 7


def test_usage_that_is_not_told_is_unknown() -> None:
    assert one(TO_OPENAI, Say("x", without_usage=True))[0].usage == Usage()


def test_a_refusal_is_told() -> None:
    found, _ = one(TO_OPENAI, Say(refusal="I cannot help with that."))
    assert (found.finish_reason, found.text) == ("refusal", "I cannot help with that.")
    assert one(TO_ANTHROPIC, Say("No.", finish="refusal"))[0].finish_reason == "refusal"


def test_confidence() -> None:
    say = Say("yes", logprobs=[("y", -0.6931471805599453), ("es", 0.0)])
    for stream in (False, True):
        found, _ = one(TO_OPENAI, say, params={"logprobs": True}, stream=stream)
        assert found.confidence == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("model", "changes", "told"),
    [
        (TO_ANTHROPIC, {"params": {"seed": 3}}, "takes no seed"),
        (TO_ANTHROPIC, {"params": {"logprobs": True}}, "takes no logprobs"),
        ("openai/gpt-5", {"params": {"temperature": 0.0}}, "temperature"),
        (TO_OPENAI, {"params": {"extra": {"verbosity": "low"}}}, "verbosity"),
        ("openai/gpt-5", {"params": {"presence_penalty": 0.5}}, "takes no presence_penalty"),
        (TO_OPENAI, {"params": {"top_k": 3}}, "extra: {top_k: ...}"),
        (TO_OPENAI, {"params": {"extra": {"messages": []}}}, "'messages' is set by harness"),
        (TO_OPENAI, {"params": {"extra": {"mock_response": "x"}}}, "'mock_response'"),
        (TO_OPENAI, {"params": {"extra": {"api_base": "http://x"}}}, "'api_base'"),
        ("nonsense", {}, "litellm does not know nonsense"),
        ("gemini/gemini-2.5-pro", {}, "GEMINI_API_KEY is not set"),
    ],
)
def test_what_is_not_taken_is_told(
    model: str, changes: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    found = LiteLLM().problems(request(model, messages=(), **changes))
    assert len(found) == 1
    assert told in found[0]


def test_what_is_taken_is_not_told() -> None:
    params = {"temperature": 0.0, "max_output_tokens": 9, "stop": ["END"]}
    for model in (TO_OPENAI, TO_ANTHROPIC):
        asked = request(
            model, messages=(), params=params, tools=(LOOK_UP,), schema=SCHEMA, stream=True
        )
        assert LiteLLM().problems(asked) == []


def test_keys_that_steer_litellm_are_not_sent_either() -> None:
    with ModelServer() as server:
        asked = request(TO_OPENAI, params={"extra": {"mock_response": "made up"}})
        assert failure(made(server, TO_OPENAI), asked).kind == "bad_request"
        assert server.requests == []


def test_a_key_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_KEY", "team-key-0123456789")
    with ModelServer(Say("x")) as server:
        provider = made(server, TO_OPENAI, api_key_env="TEAM_KEY")
        ask(provider, request(TO_OPENAI))
        assert server.requests[0].headers["Authorization"] == "Bearer team-key-0123456789"
    monkeypatch.delenv("TEAM_KEY")
    told = provider.problems(request(TO_OPENAI, messages=()))
    assert told == ["the environment variable TEAM_KEY is not set"]


def test_it_is_quiet_and_reads_no_env_file(tmp_path: Any) -> None:
    (tmp_path / ".env").write_text("FROM_THE_ENV_FILE=1\n")
    program = """
import asyncio, os, sys
from harness.core.chat import Message, ModelRequest, ServiceError
from harness.plugins.providers.litellm import LiteLLM
async def main():
    provider = LiteLLM(base_url=sys.argv[1])
    try:
        for stream in (False, True, False):
            request = ModelRequest("openai/gpt-4o", (Message("user", "x"),), stream=stream)
            try:
                await provider.complete(request)
            except ServiceError as error:
                assert error.kind == "server_error", error
    finally:
        await provider.close()
asyncio.run(main())
assert "FROM_THE_ENV_FILE" not in os.environ
"""
    with ModelServer(Say("x"), Say("y")) as server:  # and then a 500
        done = subprocess.run(
            [sys.executable, "-W", "default", "-X", "dev", "-c", program, server.openai_url],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert len(server.requests) == 3
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "unclosed" not in done.stderr
    assert "LiteLLM" not in done.stderr


def test_identity() -> None:
    identity = LiteLLM(base_url="https://gateway.example/v1", api_version="2026-01-01").identity
    assert str(identity["sdk"]).startswith("litellm 1.")
    assert identity["base_url"] == "https://gateway.example/v1"
    assert identity["api_version"] == "2026-01-01"
    assert LiteLLM().identity["base_url"] is None
