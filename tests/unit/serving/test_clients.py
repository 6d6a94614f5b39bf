"""The server to real clients: our own providers, and the official SDK."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import openai
import pytest
from asking import LOOK_UP, SCHEMA, ask, failure, request
from chat_server import BODY, HELLO, MODELS, Kept, Served, post, scripted

from harness.core.chat import (
    Completion,
    ErrorKind,
    Message,
    RequestedCall,
    ServiceError,
)
from harness.core.record import Usage
from harness.plugins.providers.http import Http
from harness.plugins.providers.litellm import LiteLLM
from harness.plugins.providers.openai import OpenAI
from harness.ports import Provider

USAGE = Usage(12, 4, 3, 2, 1)
CALLS = (RequestedCall("call_1", "look_up", '{"id": "A1"}'), RequestedCall("call_2", "cancel", ""))
SAID = Completion("Thirty days,\n from  delivery.", (), "stop", USAGE, 0.1)
CALLED = Completion("I look.", CALLS, "tool_calls", USAGE, 0.1)
REFUSED = Completion("I must not.", (), "refusal", USAGE, 0.1)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any-key-will-do")


def http(server: Served) -> Provider:
    return Http(base_url=server.url)


def clients(server: Served) -> list[tuple[Provider, str]]:
    """Every provider of ours that speaks the protocol, and what it calls the model."""
    return [
        (http(server), "desk-base"),
        (OpenAI(base_url=server.url), "desk-base"),
        (LiteLLM.model_validate({"base_url": server.url}), "openai/desk-base"),
    ]


def sdk(server: Served) -> openai.OpenAI:
    return openai.OpenAI(api_key="any", base_url=server.url, max_retries=0, timeout=60)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("completion", [SAID, CALLED], ids=["text", "calls"])
def test_our_providers_get_the_answer_whole(completion: Completion, stream: bool) -> None:
    with Served(Kept(completion)) as server:
        for provider, model in clients(server):
            got = ask(provider, request(model, stream=stream, tools=(LOOK_UP,)))
            assert (got.text, got.calls) == (completion.text, completion.calls)
            assert got.finish_reason == completion.finish_reason
            assert got.usage.prompt_tokens == 12
            assert got.usage.cached_prompt_tokens == 4
            assert got.usage.completion_tokens == 3
            assert got.usage.reasoning_tokens == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_stays_one(stream: bool) -> None:
    with Served(Kept(REFUSED)) as server:
        for provider in (http(server), OpenAI(base_url=server.url)):
            got = ask(provider, request("desk-base", stream=stream))
            assert (got.text, got.finish_reason) == ("I must not.", "refusal")
    with Served(Kept(Completion("", (), "refusal", USAGE, 0.1))) as server:
        assert ask(http(server), request("desk-base")).finish_reason == "refusal"


@pytest.mark.parametrize("stream", [False, True])
def test_confidence_goes_over_the_wire(stream: bool) -> None:
    sure = Completion("Yes.", (), "stop", USAGE, 0.1, confidence=0.75)
    with Served(Kept(sure)) as server:
        asked = request("desk-base", params={"logprobs": True}, stream=stream)
        for provider in (http(server), OpenAI(base_url=server.url)):
            assert ask(provider, asked).confidence == pytest.approx(0.75)
        assert ask(http(server), request("desk-base")).confidence is None
    never = Completion("Yes.", (), "stop", USAGE, 0.1, confidence=0.0)
    with Served(Kept(never)) as server:
        assert ask(http(server), asked).confidence == pytest.approx(0.0, abs=1e-200)
    with Served(Kept()) as server:
        assert ask(http(server), asked).confidence is None


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_that_are_not_known_are_not_told(stream: bool) -> None:
    with Served(Kept(Completion("Yes.", (), "stop", Usage(5), 0.1))) as server:
        assert ask(http(server), request("desk-base", stream=stream)).usage == Usage()
        body = BODY | {"stream": stream, "stream_options": {"include_usage": True}}
        _, answer, _ = post(server, body)
        assert stream or "usage" not in answer


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({"temperature": 0.5, "top_p": 0.9, "seed": 7}, {}),
        ({"max_output_tokens": 30, "stop": ["a", "b"]}, {}),
        ({"presence_penalty": 0.5, "frequency_penalty": -1.0, "logprobs": True}, {}),
        ({"extra": {"user": "u1", "n": 1}}, {"extra": None}),
    ],
)
def test_parameters_reach_the_provider(params: dict[str, Any], sent: dict[str, Any]) -> None:
    expected = {key: value for key, value in (params | sent).items() if value is not None}
    kept = Kept()
    with Served(kept) as server:
        for provider, model in clients(server):
            ask(provider, request(model, params=params))
    assert [asked.params for asked in kept.requests] == [expected] * 3
    assert {asked.model for asked in kept.requests} == {"desk-base"}
    assert {asked.messages for asked in kept.requests} == {request().messages}


def test_what_the_provider_does_not_take_is_refused() -> None:
    kept = Kept(problems=["local takes no schema", "local takes no top_k"])
    with Served(kept) as server:
        for provider, model in clients(server):
            error = failure(provider, request(model, schema=SCHEMA))
            assert error.kind == "bad_request"
            assert "local takes no schema; local takes no top_k" in error.message
    assert not kept.requests


def test_a_schema_reaches_a_provider_that_takes_it() -> None:
    kept = Kept()
    with Served(kept) as server:
        ask(OpenAI(base_url=server.url), request("desk-base", schema=SCHEMA))
    assert kept.requests[0].schema == SCHEMA


@pytest.mark.parametrize("kind", get_args(ErrorKind))
@pytest.mark.parametrize("stream", [False, True])
def test_every_kind_of_failure_keeps_its_meaning(kind: ErrorKind, stream: bool) -> None:
    seen: dict[str, ErrorKind] = {"connection": "server_error", "malformed": "server_error"}
    wait_s = 1.5 if kind in {"rate_limited", "overloaded"} else None
    provider = Kept(error=ServiceError(kind, "it failed", retry_after_s=wait_s))
    with Served(provider) as server:
        for client in (http(server), OpenAI(base_url=server.url)):
            error = failure(client, request("desk-base", stream=stream))
            assert error.kind == seen.get(kind, kind)
            assert "it failed" in error.message
            assert error.retry_after_s == (None if wait_s is None else 2.0)
    assert not server.reports


def test_a_bug_is_told_to_who_runs_the_server_only() -> None:
    with Served(Kept(error=KeyError("secret"))) as server:
        status, body, _ = post(server)
        assert (status, body["error"]["type"]) == (500, "server_error")
        assert "secret" not in str(body)
        assert post(server)[0] == 500
    assert "KeyError: 'secret'" in server.reports[0]


# --- the official SDK


def test_the_sdk_whole() -> None:
    with Served(Kept(SAID)) as server, sdk(server) as client:
        assert [model.id for model in client.models.list()] == list(MODELS)
        assert client.models.retrieve("desk-tuned").owned_by == "harness"
        with pytest.raises(openai.NotFoundError, match="desk-base and desk-tuned"):
            client.models.retrieve("gpt-5")
        answer = client.chat.completions.create(
            model="desk-base", messages=HELLO, temperature=0, max_completion_tokens=9, user="me",
            store=False, metadata={"a": "b"},
        )  # fmt: skip
        (choice,) = answer.choices
        assert choice.message.content == SAID.text
        assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
        assert answer.usage is not None
        assert answer.usage.total_tokens == 15
        made = datetime(2026, 11, 20, 12, tzinfo=UTC)
        assert answer.created == made.timestamp()
        assert answer.id.startswith("chatcmpl-")
        assert answer.system_fingerprint is not None


def test_the_sdk_streamed() -> None:
    with Served(Kept(CALLED)) as server, sdk(server) as client:
        chunks = list(
            client.chat.completions.create(
                model="desk-base", messages=HELLO, stream=True,
                stream_options={"include_usage": True},
            )
        )  # fmt: skip
        assert len({chunk.id for chunk in chunks}) == 1
        deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
        assert "".join(delta.content or "" for delta in deltas) == CALLED.text
        assert chunks[-2].choices[0].finish_reason == "tool_calls"
        assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.total_tokens == 15
        with client.chat.completions.stream(model="desk-base", messages=HELLO) as stream:
            final = stream.get_final_completion().choices[0].message
        assert final.content == CALLED.text
        calls = [call.function for call in final.tool_calls or []]
        assert [(call.name, call.arguments) for call in calls] == [
            ("look_up", '{"id": "A1"}'), ("cancel", ""),
        ]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
def test_one_call_where_one_is_asked_for(stream: bool) -> None:
    with Served(Kept(CALLED)) as server:
        extra = {"extra": {"parallel_tool_calls": False}}
        got = ask(http(server), request("desk-base", params=extra, stream=stream))
        assert got.calls == CALLS[:1]


def test_a_loop_with_tools() -> None:
    rules = (
        {"when": {"equals": "shipped"}, "answer": "It is shipped."},
        {"when": {"tools": True}, "calls": [{"name": "look_up", "arguments": {"id": "A1"}}]},
    )
    tools: Any = [{"type": "function", "function": {"name": "look_up", "description": "Looks."}}]
    with Served(scripted(*rules)) as server, sdk(server) as client:
        messages: list[Any] = [{"role": "user", "content": "Where is A1?"}]
        first = client.chat.completions.create(model="desk-base", messages=messages, tools=tools)
        message = first.choices[0].message
        assert first.choices[0].finish_reason == "tool_calls"
        (call,) = message.tool_calls or []
        messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "shipped"}]
        last = client.chat.completions.create(model="desk-base", messages=messages, tools=tools)
        assert last.choices[0].message.content == "It is shipped."
        dumped = [messages[0], message.model_dump(), messages[2]]
        again = client.chat.completions.create(model="desk-base", messages=dumped, tools=tools)
        assert again.choices[0].message.content == "It is shipped."


@pytest.mark.parametrize("stream", [False, True])
def test_our_providers_loop_with_tools(stream: bool) -> None:
    rules = (
        {"when": {"equals": "shipped"}, "answer": "It is shipped."},
        {"when": {"tools": True}, "calls": [{"name": "look_up", "arguments": {"id": "A1"}}]},
    )
    with Served(scripted(*rules)) as server:
        for index, (_, model) in enumerate(clients(server)):
            asked = request(model, tools=(LOOK_UP,), stream=stream)
            first = ask(clients(server)[index][0], asked)
            turn = Message("assistant", first.text, first.calls)
            result = Message("tool", "shipped", call_id=first.calls[0].id)
            both = request(
                model, messages=(*asked.messages, turn, result), tools=(LOOK_UP,), stream=stream
            )
            assert ask(clients(server)[index][0], both).text == "It is shipped."


def test_a_stream_on_the_wire() -> None:
    with Served(Kept(SAID)) as server:
        status, raw, headers = post(server, BODY | {"stream": True})
    assert (status, headers["Content-Type"]) == (200, "text/event-stream")
    events = raw.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    pieces = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    assert pieces == ["", "Thirty ", "days,\n ", "from  ", "delivery.", None]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert all("usage" not in chunk for chunk in chunks)
