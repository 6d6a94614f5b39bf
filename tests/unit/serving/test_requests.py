"""Bodies of requests: what they become, and what is told of those that are wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.chat import Message, ModelRequest, RequestedCall, ToolSpec
from harness.plugins.wire.openai_chat import chat_body
from harness.serving.chat_request import Asked, read_request
from harness.serving.refusals import RefusedError

HELLO = [{"role": "user", "content": "Hello?"}]
LOOK_UP = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
CANCEL = {"type": "function", "function": {"name": "cancel"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}


def read(body: Any = None, **more: Any) -> Asked:
    whole = {"model": "desk-base", "messages": HELLO} | more if body is None else body
    return read_request(json.dumps(whole).encode(), 60.0)


def refused(body: Any = None, **more: Any) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        read(body, **more)
    assert raised.value.status == 400
    return raised.value


def test_the_least() -> None:
    asked = read()
    assert asked.request == ModelRequest("desk-base", (Message("user", "Hello?"),), timeout_s=60.0)
    assert [asked.with_usage, asked.with_logprobs, asked.one_call] == [False] * 3


def test_every_parameter() -> None:
    asked = read(
        temperature=0.5, top_p=1, top_k=3, max_completion_tokens=9, seed=7, stop="END",
        presence_penalty=1, frequency_penalty=-1.5, logprobs=True, reasoning_effort="low",
        service_tier="flex", stream=True, stream_options={"include_usage": True},
        parallel_tool_calls=False,
    )  # fmt: skip
    assert asked.request.params == {
        "temperature": 0.5, "top_p": 1, "top_k": 3, "max_output_tokens": 9, "seed": 7,
        "stop": ["END"], "presence_penalty": 1, "frequency_penalty": -1.5, "logprobs": True,
        "reasoning_effort": "low", "service_tier": "flex",
    }  # fmt: skip
    assert asked.request.stream
    assert asked.with_usage
    assert asked.with_logprobs
    assert asked.one_call


def test_what_changes_nothing_is_not_passed_on() -> None:
    asked = read(
        n=1, user="u1", store=True, metadata={"a": "b"}, safety_identifier="x", logit_bias={},
        prompt_cache_key="k", prompt_cache_retention="24h", top_logprobs=0, logprobs=False,
        presence_penalty=0, frequency_penalty=0.0, service_tier="auto", modalities=["text"],
        response_format={"type": "text"}, tools=[], tool_choice="none", stop=[], stream=False,
        stream_options={"include_usage": False, "include_obfuscation": False},
        parallel_tool_calls=True, max_tokens=None, temperature=None, seed=None,
    )  # fmt: skip
    assert asked.request == ModelRequest(
        "desk-base", (Message("user", "Hello?"),), tool_choice="none", timeout_s=60.0
    )


def test_messages_of_every_role() -> None:
    turn = {
        "role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None, "audio": None,
        "function_call": None, "annotations": [],
    }  # fmt: skip
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        turn,
        {"role": "tool", "tool_call_id": "c1", "content": "shipped"},
        {"role": "assistant", "content": None, "refusal": "I must not."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "user", "content": "lone \ud800 half", "name": "ann"},
    ]
    assert read(messages=messages).request.messages == (
        Message("system", "Be brief."),
        Message("system", "Be kind."),
        Message("user", "a\nb"),
        Message("assistant", "", (RequestedCall("c1", "look_up", "{}"),)),
        Message("tool", "shipped", call_id="c1"),
        Message("assistant", "I must not."),
        Message("assistant", "No."),
        Message("user", "lone \ufffd half"),
    )


def test_tools_and_which_may_be_called() -> None:
    tools = [LOOK_UP, CANCEL]
    specs = (
        ToolSpec("look_up", "", {"type": "object"}),
        ToolSpec("cancel", "", {"type": "object", "properties": {}}),
    )
    for word in ("none", "auto", "required"):
        request = read(tools=tools, tool_choice=word).request
        assert (request.tools, request.tool_choice) == (specs, word)
    assert read(tools=tools).request.tool_choice == "auto"
    named = {"type": "function", "function": {"name": "cancel"}}
    request = read(tools=tools, tool_choice=named).request
    assert (request.tools, request.tool_choice) == (specs[1:], "required")


def test_a_schema_is_passed_on_for_the_provider_to_judge() -> None:
    wanted = {"name": "a", "schema": {"type": "object"}, "strict": True}
    request = read(response_format={"type": "json_schema", "json_schema": wanted}).request
    assert request.schema == {"type": "object"}


ANSWERED: list[Mapping[str, Any]] = [
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "x"},
]


@pytest.mark.parametrize(
    ("more", "param", "says"),
    [
        ({"frequency": 1}, "frequency", "is no parameter of this server"),
        ({"functions": []}, "functions", "is no parameter of this server"),
        ({"audio": {}}, "audio", "is no parameter of this server"),
        ({"model": 5}, "model", "must be a valid string"),
        ({"model": ""}, "model", "at least 1 character"),
        ({"messages": []}, "messages", "at least 1 item"),
        ({"messages": "Hello?"}, "messages", "must be a valid list"),
        ({"messages": ["Hello?"]}, "messages[0]", "must be an object"),
        ({"messages": [{"content": "x"}]}, "messages[0]", "has no `role`"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages[0]", "assistant or tool"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "must be given"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content",
         "must be a text"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "must be a text"),
        ({"messages": [{"role": "user", "content": "x", "mood": 1}]}, "messages[0].mood",
         "is no parameter"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content", "of the form"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content",
         "of the form"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
         "messages[0].content", "the models here read text only"),
        ({"messages": [{"role": "assistant", "function_call": {"name": "f"}}]},
         "messages[0].function_call", "must be left out"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id",
         "must be given"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c1"}]},
         "messages[0].tool_call_id", "answers no open call"),
        ({"messages": [*ANSWERED, ANSWERED[1]]}, "messages[2].tool_call_id", "no open call"),
        ({"messages": [ANSWERED[0], *HELLO]}, "messages[1]", "answers the call c1"),
        ({"messages": ANSWERED[:1]}, "messages[1]", "answers the call c1"),
        ({"temperature": "0"}, "temperature", "must be a valid number"),
        ({"temperature": 2.1}, "temperature", "less than or equal to 2"),
        ({"temperature": True}, "temperature", "must be a valid number"),
        ({"top_p": -1}, "top_p", "greater than or equal to 0"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"max_tokens": 1.5}, "max_tokens", "must be a valid integer"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "the old name"),
        ({"seed": 2**63}, "seed", "less than"),
        ({"stop": [""]}, "stop[0]", "at least 1 character"),
        ({"stop": ["x"] * 17}, "stop", "at most 16 items"),
        ({"n": 2}, "n", "must be 1"),
        ({"logit_bias": {"5": 1}}, "logit_bias", "at most 0 items"),
        ({"top_logprobs": 2}, "top_logprobs", "must be 0"),
        ({"modalities": ["text", "audio"]}, "modalities[1]", "must be 'text'"),
        ({"stream": "yes"}, "stream", "must be a valid boolean"),
        ({"stream_options": {"usage": True}}, "stream_options.usage", "is no parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format.type", "json_schema"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema",
         "must be given"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type", "must be 'function'"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name",
         "pattern"),
        ({"tools": [{"type": "function", "function": {"name": "a", "strict": True}}]},
         "tools[0].function.strict", "must be False"),
        ({"tool_choice": "any", "tools": [LOOK_UP]}, "tool_choice", "'auto'"),
        ({"tool_choice": 5, "tools": [LOOK_UP]}, "tool_choice", "must be an object"),
        ({"tool_choice": "required"}, "tool_choice", "there are no tools"),
        ({"tool_choice": {"type": "function", "function": {"name": "b"}}, "tools": [LOOK_UP]},
         "tool_choice", "'b', which is none of tools"),
        ({"tool_choice": {"type": "function"}, "tools": [LOOK_UP]}, "tool_choice.function",
         "must be given"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(more: dict[str, Any], param: str, says: str) -> None:
    error = refused(**more)
    assert error.param == param
    assert says in error.message
    assert error.body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[]", "must be an object"),
        (b"5", "must be an object"),
        (b'{"a": NaN}', "is not JSON"),
        (b'{"model": "a", "model": "b"}', "duplicate key"),
        (b"\xff", "not UTF-8"),
        (b'{"a":' * 100_000, "nests too deep"),
        (b"{}", "model: must be given"),
    ],
)
def test_bodies_that_are_none(raw: bytes, says: str) -> None:
    with pytest.raises(RefusedError) as raised:
        read_request(raw, 60.0)
    assert raised.value.status == 400
    assert says in raised.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
KEYS = (
    "model", "messages", "temperature", "stop", "tools", "tool_choice", "response_format", "stream",
    "stream_options", "logit_bias", "n", "seed", "user", "role", "content", "type", "function",
    "name", "tool_calls", "tool_call_id", "id", "arguments",
)  # fmt: skip
NEAR = st.recursive(
    JSON | st.sampled_from(["user", "assistant", "tool", "function", "text", "auto", "c1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), NEAR, max_size=8))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    raw = json.dumps({"model": "desk-base", "messages": HELLO} | body).encode()
    try:
        told = [message.content for message in read_request(raw, 60.0).request.messages]
    except RefusedError as error:
        told = [str(error.status), error.message, error.param or ""]
    assert "".join(told).encode("utf-8")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(RefusedError) as raised:
        read_request(raw, 60.0)
    assert raised.value.status == 400


TEXT = st.text(max_size=20).filter(lambda text: text.isprintable())
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2), "top_p": st.floats(0, 1), "seed": st.integers(0, 2**40),
        "max_output_tokens": st.integers(1, 5000), "logprobs": st.just(True),
        "stop": st.lists(TEXT.filter(bool), min_size=1, max_size=4),
        "presence_penalty": st.floats(0.1, 2),
    },
)  # fmt: skip
CALLED = st.builds(
    lambda text, arguments: (
        Message("assistant", text, (RequestedCall("c1", "look_up", arguments),)),
        Message("tool", "found", call_id="c1"),
    ),
    TEXT,
    TEXT,
)


@settings(deadline=None)
@given(TEXT, TEXT, PARAMS, st.lists(CALLED, max_size=3), st.booleans(), st.booleans())
def test_what_our_clients_send_is_read_back(
    system: str, user: str, params: dict[str, Any], called: Any, tools: bool, stream: bool
) -> None:
    request = ModelRequest(
        "desk-tuned",
        (Message("system", system), Message("user", user), *(m for pair in called for m in pair)),
        params,
        (ToolSpec("look_up", "Looks.", {"type": "object"}),) if tools else (),
        "required" if tools else "auto",
        {"type": "object"} if stream else None,
        stream,
        60.0,
    )
    for limit in ("max_tokens", "max_completion_tokens"):
        asked = read_request(json.dumps(chat_body(request, limit)).encode(), 60.0)
        assert asked.request == request
        assert asked.with_usage == stream
