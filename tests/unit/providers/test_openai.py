"""The official SDK against a server that speaks chat completions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from asking import HELLO, KEY, LOOK_UP, SCHEMA, ask, kind_of, request
from hypothesis import given
from hypothesis import strategies as st
from model_server import Asked, Call, ModelServer, Say, broken

from harness.core.chat import Completion, Message, RequestedCall
from harness.core.record import Usage
from harness.plugins.providers.http import Http
from harness.plugins.providers.openai import OpenAI
from harness.plugins.wire.openai_chat import ChunkJoiner, read_answer

TWO_CALLS = (
    Call("look_up", '{"id": "A1"}', "call_a"),
    Call("look_up", '{"id": "B2"}', "call_b"),
)


def one(say: Any, **changes: Any) -> tuple[Completion, Asked]:
    """The completion of one request, and that request on the wire."""
    with ModelServer(say) as server:
        found = ask(OpenAI(base_url=server.openai_url), request("gpt-4o", **changes))
        assert len(server.requests) == 1
        return found, server.requests[0]


def test_a_plain_answer() -> None:
    found, asked = one(Say("Hello.", model="gpt-4o-2024-08-06"))
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello?"},
        ],
    }
    assert (found.text, found.calls, found.finish_reason) == ("Hello.", (), "stop")
    assert found.served_model == "gpt-4o-2024-08-06"
    assert found.latency_s > 0
    assert found.ttft_s is None
    assert found.confidence is None


def test_every_parameter_goes_out_by_the_apis_name() -> None:
    params = {
        "temperature": 0.0, "top_p": 0.5, "max_output_tokens": 9, "seed": 0, "stop": ["END"],
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "logprobs": True, "top_logprobs": 2,
        "reasoning_effort": "low", "service_tier": "flex", "extra": {"verbosity": "low"},
    }  # fmt: skip
    _, asked = one(Say("x"), params=params)
    sent = {key: value for key, value in asked.body.items() if key not in {"model", "messages"}}
    assert sent == {
        "temperature": 0.0, "top_p": 0.5, "max_completion_tokens": 9, "seed": 0, "stop": ["END"],
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "logprobs": True, "top_logprobs": 2,
        "reasoning_effort": "low", "service_tier": "flex", "verbosity": "low",
    }  # fmt: skip


def test_a_streamed_answer_is_the_whole_one_and_tells_its_first_token() -> None:
    say = Say("A somewhat longer answer.", TWO_CALLS, cached_tokens=4, reasoning_tokens=2)
    whole, _ = one(say)
    streamed, asked = one(say, stream=True)
    assert asked.body["stream"] is True
    assert asked.body["stream_options"] == {"include_usage": True}
    assert streamed.ttft_s is not None
    assert 0 < streamed.ttft_s <= streamed.latency_s
    assert replace(streamed, ttft_s=None, latency_s=0.0) == replace(whole, latency_s=0.0)


def test_the_first_token_of_a_streamed_call_is_a_token_too() -> None:
    found, _ = one(Say(calls=TWO_CALLS), stream=True)
    assert found.ttft_s is not None


def test_a_stream_that_says_nothing_has_no_first_token() -> None:
    found, _ = one(Say(""), stream=True)
    assert (found.text, found.finish_reason, found.ttft_s) == ("", "stop", None)


@pytest.mark.parametrize("stream", [False, True])
def test_a_round_trip_of_parallel_tool_calls(stream: bool) -> None:
    with ModelServer(Say(calls=TWO_CALLS), Say("Both are on their way.")) as server:
        provider = OpenAI(base_url=server.openai_url)
        first = request("gpt-4o", tools=(LOOK_UP,), tool_choice="required", stream=stream)
        calls = ask(provider, first).calls
        told = (
            *HELLO,
            Message("assistant", "", calls),
            Message("tool", "shipped", call_id="call_a"),
            Message("tool", "packed", call_id="call_b"),
        )
        last = ask(provider, replace(first, messages=told, tool_choice="auto"))
        asked, answered = server.bodies
    assert calls == (
        RequestedCall("call_a", "look_up", '{"id": "A1"}'),
        RequestedCall("call_b", "look_up", '{"id": "B2"}'),
    )
    assert last.text == "Both are on their way."
    assert asked["tools"][0]["function"]["parameters"] == LOOK_UP.parameters
    assert asked["tool_choice"] == "required"
    assert answered["messages"][2:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": c.id, "type": "function",
                 "function": {"name": c.name, "arguments": c.arguments}}
                for c in calls
            ],
        },
        {"role": "tool", "content": "shipped", "tool_call_id": "call_a"},
        {"role": "tool", "content": "packed", "tool_call_id": "call_b"},
    ]  # fmt: skip


def test_arguments_are_the_models_own_text_valid_or_not() -> None:
    for stream in (False, True):
        found, _ = one(Say(calls=[Call("look_up", '{"id": ')]), tools=(LOOK_UP,), stream=stream)
        assert found.calls[0].arguments == '{"id": '


def test_structured_output_on_the_wire() -> None:
    _, asked = one(Say('{"answer": "x"}'), schema=SCHEMA)
    assert asked.body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "output", "schema": SCHEMA, "strict": True},
    }


@pytest.mark.parametrize("stream", [False, True])
def test_usage_tells_caches_and_reasoning_apart(stream: bool) -> None:
    usage = {
        "prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 25},
    }  # fmt: skip
    found, _ = one(Say("x", usage=usage), stream=stream)
    assert found.usage == Usage(100, 60, 40, 30, 25)


@pytest.mark.parametrize("stream", [False, True])
def test_usage_that_is_not_told_or_is_nonsense_is_unknown(stream: bool) -> None:
    assert one(Say("x", without_usage=True), stream=stream)[0].usage == Usage()
    nonsense = {"prompt_tokens": -1, "completion_tokens": 10**30, "prompt_tokens_details": "none"}
    assert one(Say("x", usage=nonsense), stream=stream)[0].usage == Usage()


@pytest.mark.parametrize("stream", [False, True])
def test_confidence_is_the_mean_probability_of_the_tokens(stream: bool) -> None:
    say = Say("yes", logprobs=[("y", -0.6931471805599453), ("es", 0.0)])
    found, _ = one(say, params={"logprobs": True}, stream=stream)
    assert found.confidence == pytest.approx(0.75)


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_told(stream: bool) -> None:
    found, _ = one(Say(refusal="I cannot help with that."), stream=stream)
    assert (found.finish_reason, found.text) == ("refusal", "I cannot help with that.")


@pytest.mark.parametrize(
    ("told", "expected"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"),
     ("content_filter", "refusal"), ("eos", "unknown")],
)  # fmt: skip
def test_finish_reasons(told: str, expected: str) -> None:
    assert one(Say("x", finish=told))[0].finish_reason == expected


def test_calls_are_the_reason_whatever_the_server_says() -> None:
    found, _ = one(Say(calls=TWO_CALLS, finish="stop"))
    assert found.finish_reason == "tool_calls"


def test_half_a_surrogate_pair_is_replaced() -> None:
    body = '{"choices": [{"message": {"content": "a\\ud800b"}, "finish_reason": "stop"}]}'
    assert one(broken(body))[0].text == "a\ufffdb"


def test_a_connection_is_kept_after_a_stream() -> None:
    with ModelServer(Say("a"), Say("b")) as server:
        provider = OpenAI(base_url=server.openai_url)
        ask(provider, request(stream=True), request(stream=True))
        assert len({asked.peer for asked in server.requests}) == 1


def test_no_environment_variable_leads_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer(Say("here")) as server, ModelServer(Say("there")) as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.openai_url)
        assert ask(OpenAI(base_url=server.openai_url), request()).text == "here"


def test_identity_names_the_sdk_and_the_address() -> None:
    identity = OpenAI(base_url="https://gateway.example:8443/team/v1").identity
    assert str(identity["sdk"]).startswith("openai ")
    assert identity["base_url"] == "https://gateway.example:8443/team/v1"
    assert OpenAI().identity["base_url"] == "https://api.openai.com/v1"
    same = OpenAI(base_url="HTTPS://API.OpenAI.com:443/v1/")
    assert same.identity == OpenAI().identity
    assert Http(base_url="http://h:8000/v1/").identity["base_url"] == "http://h:8000/v1"
    assert Http(base_url="http://h:80/a").identity["base_url"] == "http://h/a"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["choices", "message", "delta", "content", "tool_calls", "function", "name", "index",
             "arguments", "id", "usage", "logprobs", "logprob", "finish_reason", "refusal",
             "prompt_tokens", "model", "provider_specific_fields"]
        ),
        inner, max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip


@given(json_values)
def test_any_json_is_an_answer_or_malformed(value: Any) -> None:
    for answer in (value, {"choices": [value]}, {"choices": [{"message": value}]}):
        assert kind_of(lambda given=answer: read_answer(given, 1.0)) in {None, "malformed"}


@given(st.lists(json_values, max_size=4))
def test_any_chunks_are_an_answer_or_malformed(values: list[Any]) -> None:
    def join() -> Completion:
        joiner = ChunkJoiner()
        for value in values:
            joiner.add(value)
            joiner.add({"choices": [{"delta": value}]})
            joiner.add({"choices": [{"delta": {"tool_calls": [value]}, "finish_reason": "stop"}]})
        return joiner.completion(1.0, None)

    assert kind_of(join) in {None, "malformed"}


@given(st.text(), st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=3), st.data())
def test_however_a_stream_is_cut_its_parts_make_the_whole(
    text: str, calls: list[tuple[str, str]], data: st.DataObject
) -> None:
    joiner = ChunkJoiner()
    for piece in cut(text, data):
        joiner.add({"choices": [{"delta": {"content": piece}}]})
    for index, (name, arguments) in enumerate(calls):
        start = {"index": index, "id": f"c{index}", "function": {"name": name}}
        joiner.add({"choices": [{"delta": {"tool_calls": [start]}}]})
        for piece in cut(arguments, data):
            more = {"index": index, "function": {"arguments": piece}}
            joiner.add({"choices": [{"delta": {"tool_calls": [more]}}]})
    joiner.add({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    found = joiner.completion(1.0, 0.5)
    assert found.text == text
    assert [(call.name, call.arguments) for call in found.calls] == calls


def cut(text: str, data: st.DataObject) -> list[str]:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
