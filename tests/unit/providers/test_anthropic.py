"""The official SDK against a server that speaks Anthropic's messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from asking import HELLO, KEY, LOOK_UP, SCHEMA, ask, kind_of, request
from hypothesis import given
from hypothesis import strategies as st
from model_server import Asked, Call, ModelServer, Say

from harness.core.chat import Completion, Message, RequestedCall
from harness.core.record import Usage
from harness.plugins.providers.anthropic import Anthropic
from harness.plugins.wire.anthropic_messages import EventJoiner, read_message

LIMIT = {"max_output_tokens": 50}
TWO_CALLS = (
    Call("look_up", '{"id": "A1"}', "call_a"),
    Call("look_up", '{"id": "B2"}', "call_b"),
)


def one(say: Any, **changes: Any) -> tuple[Completion, Asked]:
    """The completion of one request, and that request on the wire."""
    with ModelServer(say) as server:
        asked = request("claude-sonnet-5", **({"params": LIMIT} | changes))
        found = ask(Anthropic(base_url=server.url), asked)
        assert len(server.requests) == 1
        return found, server.requests[0]


def test_a_plain_answer() -> None:
    found, asked = one(Say("Hello.", model="claude-sonnet-5-20260301"))
    assert asked.path == "/v1/messages"
    assert KEY in asked.headers["Authorization"]
    assert asked.headers["anthropic-version"] == "2026-10-21"
    assert asked.body == {
        "model": "claude-sonnet-5",
        "max_tokens": 50,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hello?"}],
    }
    assert (found.text, found.calls, found.finish_reason) == ("Hello.", (), "stop")
    assert found.served_model == "claude-sonnet-5-20260301"
    assert found.latency_s > 0
    assert found.ttft_s is None


def test_every_parameter_goes_out_by_the_apis_name() -> None:
    params = LIMIT | {
        "stop": ["END"], "reasoning_effort": "low", "service_tier": "auto",
        "extra": {"thinking": {"type": "disabled"}},
    }  # fmt: skip
    _, asked = one(Say("x"), params=params, schema=SCHEMA)
    assert asked.body["stop_sequences"] == ["END"]
    assert asked.body["service_tier"] == "auto"
    assert asked.body["thinking"] == {"type": "disabled"}
    assert asked.body["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": SCHEMA},
    }


def test_an_older_version_of_the_api_takes_a_temperature() -> None:
    with ModelServer(Say("x")) as server:
        provider = Anthropic(base_url=server.url, api_version="2023-06-01")
        ask(provider, request("claude-3", params=LIMIT | {"extra": {"temperature": 0}}))
        assert server.requests[0].headers["anthropic-version"] == "2023-06-01"
        assert server.bodies[0]["temperature"] == 0
    assert provider.identity["api_version"] == "2023-06-01"
    assert provider.identity["base_url"] == server.url
    assert Anthropic().identity["base_url"] == "https://api.anthropic.com"


def test_a_streamed_answer_is_the_whole_one_and_tells_its_first_token() -> None:
    say = Say("A somewhat longer answer.", TWO_CALLS, cached_tokens=4, reasoning_tokens=2)
    whole, _ = one(say)
    streamed, asked = one(say, stream=True)
    assert asked.body["stream"] is True
    assert streamed.ttft_s is not None
    assert 0 < streamed.ttft_s <= streamed.latency_s
    assert replace(streamed, ttft_s=None, latency_s=0.0) == replace(whole, latency_s=0.0)


@pytest.mark.parametrize("stream", [False, True])
def test_a_round_trip_of_parallel_tool_calls(stream: bool) -> None:
    with ModelServer(Say("One moment.", TWO_CALLS), Say("On their way.")) as server:
        provider = Anthropic(base_url=server.url)
        first = request(
            params=LIMIT, tools=(LOOK_UP,), tool_choice="required", stream=stream
        )  # fmt: skip
        answer = ask(provider, first)
        told = (
            *HELLO,
            Message("assistant", answer.text, answer.calls),
            Message("tool", "shipped", call_id="call_a"),
            Message("tool", "", call_id="call_b"),
            Message("user", "Well?"),
        )
        last = ask(provider, replace(first, messages=told, tool_choice="none"))
        asked, answered = server.bodies
    assert answer.calls == (
        RequestedCall("call_a", "look_up", '{"id": "A1"}'),
        RequestedCall("call_b", "look_up", '{"id": "B2"}'),
    )
    assert last.text == "On their way."
    assert asked["tools"] == [
        {"name": "look_up", "description": LOOK_UP.description, "input_schema": LOOK_UP.parameters}
    ]
    assert (asked["tool_choice"], answered["tool_choice"]) == ({"type": "any"}, {"type": "none"})
    assert answered["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "One moment."},
                {"type": "tool_use", "id": "call_a", "name": "look_up", "input": {"id": "A1"}},
                {"type": "tool_use", "id": "call_b", "name": "look_up", "input": {"id": "B2"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_a", "content": "shipped"},
                {"type": "tool_result", "tool_use_id": "call_b", "content": ""},
            ],
        },
        {"role": "user", "content": "Well?"},
    ]


def test_streamed_arguments_are_the_models_own_text() -> None:
    found, _ = one(Say(calls=[Call("look_up", '{"id": ')]), tools=(LOOK_UP,), stream=True)
    assert found.calls[0].arguments == '{"id": '


def test_arguments_that_are_no_object_go_back_as_they_were_told() -> None:
    call = RequestedCall("call_a", "look_up", '{"id": ')
    told = (*HELLO, Message("assistant", "", (call,)), Message("tool", "no JSON", call_id="call_a"))
    _, asked = one(Say("x"), messages=told)
    assert asked.body["messages"][1]["content"][0]["input"] == {"__unparsed__": '{"id": '}


def test_an_empty_answer_is_not_sent_back() -> None:
    told = (*HELLO, Message("assistant", ""), Message("user", "Again, please."))
    _, asked = one(Say("x"), messages=told)
    assert [m["role"] for m in asked.body["messages"]] == ["user", "user"]


@pytest.mark.parametrize("stream", [False, True])
def test_prompt_tokens_are_all_that_were_read(stream: bool) -> None:
    usage = {
        "input_tokens": 20, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 7,
        "output_tokens": 40, "output_tokens_details": {"thinking_tokens": 25},
    }  # fmt: skip
    found, _ = one(Say("x", usage=usage), stream=stream)
    assert found.usage == Usage(107, 80, 40, 7, 25)


@pytest.mark.parametrize("stream", [False, True])
def test_usage_that_is_not_told_is_unknown(stream: bool) -> None:
    found, _ = one(Say("x", usage={"input_tokens": 3, "output_tokens": 4}), stream=stream)
    assert found.usage == Usage(3, None, 4, None, None)


@pytest.mark.parametrize(
    ("told", "expected"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"),
     ("model_context_window_exceeded", "length"), ("tool_use", "tool_calls"),
     ("refusal", "refusal"), ("pause_turn", "unknown")],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_finish_reasons(told: str, expected: str, stream: bool) -> None:
    assert one(Say("x", finish=told), stream=stream)[0].finish_reason == expected


def test_without_a_limit_nothing_is_sent() -> None:
    with ModelServer(Say("x")) as server:
        provider = Anthropic(base_url=server.url)
        assert kind_of(lambda: ask(provider, request())) == "bad_request"
        assert server.requests == []


def test_a_connection_is_kept_after_a_stream() -> None:
    with ModelServer(Say("a"), Say("b")) as server:
        streamed = request(params=LIMIT, stream=True)
        ask(Anthropic(base_url=server.url), streamed, streamed)
        assert len({asked.peer for asked in server.requests}) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["type", "content", "text", "id", "name", "input", "index", "delta", "content_block",
             "message", "usage", "input_tokens", "partial_json", "stop_reason", "model"]
        ),
        inner | st.sampled_from(
            ["text", "tool_use", "text_delta", "input_json_delta", "message_start",
             "content_block_start", "content_block_delta", "message_delta"]
        ),
        max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip


@given(json_values, st.lists(json_values, max_size=4))
def test_anything_is_an_answer_or_malformed(answer: Any, events: list[Any]) -> None:
    def join() -> Completion:
        joiner = EventJoiner()
        for event in [*events, {"type": "message_stop"}]:
            joiner.add(event)
        return joiner.completion(1.0, None)

    assert kind_of(lambda: read_message(answer, 1.0)) in {None, "malformed"}
    assert kind_of(lambda: read_message({"content": [answer]}, 1.0)) in {None, "malformed"}
    assert kind_of(join) in {None, "malformed"}
