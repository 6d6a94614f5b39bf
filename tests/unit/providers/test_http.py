"""The http provider against a server that speaks the real wire format."""

import asyncio
import json
import math
from typing import Any

import pytest
from model_server import CUT, HANG, Call, ModelServer, Reply, Say, Scripted, broken, error, partial
from pydantic import ValidationError

from harness.core.chat import (
    Completion,
    Message,
    ModelRequest,
    RequestedCall,
    ServiceError,
    ToolSpec,
)
from harness.core.record import Usage
from harness.plugins.providers.http import Http

KEY = "key-that-nobody-may-see"
ASK = (Message("system", "Be brief."), Message("user", "Say né."))
EVENTS = "text/event-stream"


def request(**more: Any) -> ModelRequest:
    return ModelRequest(**{"model": "m", "messages": ASK, "timeout_s": 30.0} | more)


def ask(server: ModelServer, asked: ModelRequest | None = None, **options: Any) -> Completion:
    async def run() -> Completion:
        provider = Http(base_url=server.openai_url, **options)
        try:
            return await provider.complete(asked or request())
        finally:
            await provider.close()

    return asyncio.run(run())


def answer(reply: Scripted, **more: Any) -> Completion:
    with ModelServer(reply) as server:
        return ask(server, request(**more))


def failure(reply: Scripted, **more: Any) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        answer(reply, **more)
    assert raised.value.latency_s is not None
    return raised.value


def events(*lines: Any, end: bytes = b"data: [DONE]\n\n", then: Any = "end") -> Reply:
    chunks = [f"data: {json.dumps(line)}\n\n".encode() for line in lines]
    return Reply([*chunks, end], then=then, content_type=EVENTS)


def chunk(delta: Any, finish: str | None = None, **more: Any) -> Any:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}]}


def whole(message: Any, finish: str | None = "stop", **more: Any) -> Reply:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return broken(json.dumps({"choices": [choice], **more}))


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_and_what_it_took(stream: bool) -> None:
    say = Say(
        "Né, that is all.", prompt_tokens=100, cached_tokens=80, completion_tokens=9,
        reasoning_tokens=4, model="m-2026-11", logprobs=[("Né", -0.1), (", that is all.", -0.7)],
    )  # fmt: skip
    told = answer(say, stream=stream)
    assert told.text == "Né, that is all."
    assert told.calls == ()
    assert told.finish_reason == "stop"
    assert told.usage == Usage(100, 80, 9, None, 4)
    assert told.served_model == "m-2026-11"
    assert told.confidence == pytest.approx((math.exp(-0.1) + math.exp(-0.7)) / 2)
    assert told.latency_s > 0
    if stream:
        assert told.ttft_s is not None
        assert 0 < told.ttft_s <= told.latency_s
    else:
        assert told.ttft_s is None


def first_token(token: Any, logprob: Any, *others: Any) -> Any:
    told = [{"token": name, "logprob": number} for name, number in others]
    return {"content": [
        {"token": "\n", "logprob": -0.1, "top_logprobs": [{"token": "x", "logprob": -3.0}]},
        {"token": token, "logprob": logprob, "top_logprobs": told},
    ]}  # fmt: skip


@pytest.mark.parametrize(
    ("logprobs", "expected"),
    [
        (None, None),
        ({"content": []}, None),
        ({"content": "A"}, None),
        (first_token("A", -0.5), None),
        (first_token("A", -0.5, ("A", -0.5), ("B", -1)), {"A": -0.5, "B": -1.0}),
        (first_token("A", -0.5, (" B", -1)), {"A": -0.5, " B": -1.0}),
        (first_token("A", 0.5, (7, -1), ("B", None), ("C", True), ("D", "x")), {"A": 0.0}),
        (first_token("A" * 999, -1, ("B", -2)), {"A" * 100: -1.0, "B": -2.0}),
    ],
)
def test_the_likeliest_first_tokens(logprobs: Any, expected: Any) -> None:
    choice = {"index": 0, "message": {"content": "A"}, "finish_reason": "stop"}
    told = answer(broken(json.dumps({"choices": [choice | {"logprobs": logprobs}]})))
    assert told.first_logprobs == expected


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls(stream: bool) -> None:
    calls = [Call("look_up", '{"id": "A1"}', "c1"), Call("send", "no JSON", "c2")]
    told = answer(Say(calls=calls), stream=stream)
    assert told.calls == (
        RequestedCall("c1", "look_up", '{"id": "A1"}'),
        RequestedCall("c2", "send", "no JSON"),
    )
    assert (told.finish_reason, told.text) == ("tool_calls", "")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("say", "reason", "text"),
    [
        (Say("a", finish="length"), "length", "a"),
        (Say("a", finish="content_filter"), "refusal", "a"),
        (Say(refusal="I will not."), "refusal", "I will not."),
        (Say("a", finish="weird"), "unknown", "a"),
        (Say("a", calls=[Call("f")], finish="stop"), "tool_calls", "a"),
        (Say(""), "stop", ""),
    ],
)
def test_why_a_model_stopped(say: Say, reason: str, text: str, stream: bool) -> None:
    told = answer(say, stream=stream)
    assert (told.finish_reason, told.text) == (reason, text)


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_server_does_not_tell_is_unknown(stream: bool) -> None:
    told = answer(Say("a", without_usage=True, model=""), stream=stream)
    assert told.usage == Usage()
    assert told.confidence is None
    told = answer(Say("a", usage={"prompt_tokens": 3, "completion_tokens": -1}), stream=stream)
    assert told.usage == Usage(prompt_tokens=3)


def test_the_request_on_the_wire() -> None:
    tool = ToolSpec("look_up", "Looks it up.", {"type": "object"})
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    messages = (
        *ASK,
        Message("assistant", "", calls=(RequestedCall("c1", "look_up", '{"id": 1}'),)),
        Message("tool", "found", call_id="c1"),
    )
    params = {
        "temperature": 0.0, "top_p": 0.9, "top_k": 40, "max_output_tokens": 256, "seed": 7,
        "stop": ["END"], "presence_penalty": 0.1, "frequency_penalty": 0.2, "logprobs": True,
        "top_logprobs": 2, "reasoning_effort": "low", "service_tier": "flex",
        "extra": {"min_p": 0.1, "chat_template_kwargs": {"enable_thinking": False}},
    }  # fmt: skip
    asked = request(
        messages=messages, params=params, tools=(tool,), tool_choice="required", schema=schema,
        stream=True,
    )  # fmt: skip
    with ModelServer(Say("a")) as server:
        ask(server, asked)
        (sent,) = server.requests
    assert sent.path == "/v1/chat/completions"
    assert "Authorization" not in sent.headers
    assert sent.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Say né."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "look_up", "arguments": '{"id": 1}'},
                    }
                ],
            },
            {"role": "tool", "content": "found", "tool_call_id": "c1"},
        ],
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 40,
        "max_tokens": 256,
        "seed": 7,
        "stop": ["END"],
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "logprobs": True,
        "top_logprobs": 2,
        "reasoning_effort": "low",
        "service_tier": "flex",
        "min_p": 0.1,
        "chat_template_kwargs": {"enable_thinking": False},
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look_up",
                    "description": "Looks it up.",
                    "parameters": {"type": "object"},
                },
            }
        ],
        "tool_choice": "required",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "output", "schema": schema, "strict": True},
        },
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_plain_request_holds_nothing_else() -> None:
    with ModelServer(Say("a")) as server:
        ask(server, request(messages=(Message("user", "hi"),)))
        assert server.bodies == [{"model": "m", "messages": [{"role": "user", "content": "hi"}]}]


def test_the_key_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", KEY)
    with ModelServer(
        Say("a"),
        error(401, f"Incorrect key: {KEY}"),
        broken(json.dumps({"error": {"message": f"bad {KEY}"}})),
        events({"error": {"message": f"bad {KEY}"}}),
    ) as server:
        ask(server, api_key_env="MODEL_KEY")
        assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
        for stream in (False, False, True):
            with pytest.raises(ServiceError) as raised:
                ask(server, request(stream=stream), api_key_env="MODEL_KEY")
            assert "***" in raised.value.message
            assert KEY not in f"{raised.value!r} {raised.value} {vars(raised.value)}"


def test_a_key_that_is_not_there_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_KEY", raising=False)
    with ModelServer() as server, pytest.raises(ServiceError, match="MODEL_KEY") as raised:
        ask(server, api_key_env="MODEL_KEY")
    assert raised.value.kind == "authentication"
    provider = Http(base_url="http://127.0.0.1:1", api_key_env="MODEL_KEY")
    assert provider.problems(request()) == ["the environment variable MODEL_KEY is not set"]
    monkeypatch.setenv("MODEL_KEY", KEY)
    assert provider.problems(request()) == []


ERRORS = [
    (error(400, "bad temperature"), "bad_request"),
    (error(400, "This model's maximum context length is 8192 tokens."), "context_too_long"),
    (error(400, "x", code="context_length_exceeded"), "context_too_long"),
    (error(400, "the request exceeds the available context size"), "context_too_long"),
    (error(400, "x", type="exceed_context_size_error"), "context_too_long"),
    (error(413, "payload too large"), "context_too_long"),
    (error(400, "x", code="content_filter"), "refused"),
    (error(400, "Your request was rejected by our safety system."), "refused"),
    (error(401, "no key"), "authentication"),
    (error(403, "no access"), "authentication"),
    (error(404, "no such model"), "not_found"),
    (error(429, "slow down: too many tokens a minute"), "rate_limited"),
    (error(500, "oops"), "server_error"),
    (error(503, "overloaded"), "overloaded"),
    (CUT, "connection"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("reply", "kind"), ERRORS)
def test_errors_have_kinds(reply: Scripted, kind: str, stream: bool) -> None:
    assert failure(reply, stream=stream).kind == kind


def test_an_error_says_what_the_server_says_and_when_to_come_again() -> None:
    told = failure(error(429, "slow down", retry_after="3"))
    assert told.message == "the server answers 429: slow down"
    assert told.retry_after_s == 3.0


TOLD_LATE = [
    ({"message": "it broke", "code": 500}, "server_error"),
    ({"message": "it broke"}, "server_error"),
    ("it broke", "server_error"),
    ({"message": "wait", "code": 429}, "rate_limited"),
    ({"message": "maximum context length is 8", "code": 400}, "context_too_long"),
    ({"message": "no", "code": "content_filter"}, "refused"),
    ({"message": ["x"], "code": {"a": 1}}, "server_error"),
]


@pytest.mark.parametrize(("told", "kind"), TOLD_LATE)
def test_an_error_under_the_status_200(told: Any, kind: str) -> None:
    assert failure(broken(json.dumps({"error": told}))).kind == kind
    late = failure(events(chunk({"content": "a"}), {"error": told}), stream=True)
    assert late.kind == kind


BROKEN = [
    broken(""), broken("<html>"), broken("null"), broken("[]"), broken("{}"), broken("1"),
    broken('{"choices": []}'), broken('{"choices": {}}'), broken('{"choices": [1]}'),
    broken('{"choices": [{}]}'), broken(b'{"choices": "\xff"}'),
    broken('{"choices": [{"message": {"content": 1}}]}'),
    broken('{"choices": [{"message": {"tool_calls": 1}}]}'),
    broken('{"choices": [{"message": {"tool_calls": [{}]}}]}'),
    broken('{"choices": ' + "[" * 5000 + "]" * 5000 + "}"),
    broken('{"choices": [{"message": {"content": "a", "content": "b"}}]}'),
    Reply([b'{"choices": [{"message"'], then="cut"),
    Reply([b" " * 2**20], then="repeat"),
]  # fmt: skip


@pytest.mark.parametrize("reply", BROKEN)
def test_an_answer_that_is_none_is_malformed(reply: Reply) -> None:
    assert failure(reply).kind == "malformed"


BROKEN_STREAMS = [
    partial(Say("a long answer"), "openai", 3, "cut"),
    partial(Say("a long answer"), "openai", 3, "end"),
    Reply(content_type=EVENTS),
    events(),
    events(1),
    events(chunk("x"), end=b"data: {\n\n"),
    events(chunk({"content": "a"}), end=b"data: \xff\n\n"),
    Reply([b"data: " + json.dumps(chunk({"content": "same " * 9999})).encode() + b"\n\n"],
          then="repeat", content_type=EVENTS),
    Reply([b"data: x" * 9999], then="repeat", content_type=EVENTS),
    broken("<html>", content_type="text/html"),
]  # fmt: skip


@pytest.mark.parametrize("reply", BROKEN_STREAMS)
def test_a_stream_that_is_no_answer_is_malformed(reply: Reply) -> None:
    assert failure(reply, stream=True).kind == "malformed"


@pytest.mark.parametrize("stream", [False, True])
def test_the_deadline_is_of_the_whole_attempt(stream: bool) -> None:
    assert failure(HANG, stream=stream, timeout_s=0.2).kind == "timeout"
    endless = partial(Say("a long answer"), "openai", 3, "hang")
    if stream:
        assert failure(endless, stream=True, timeout_s=0.2).kind == "timeout"


USAGE = {"prompt_tokens": 7, "completion_tokens": 2}


def test_streams_as_other_servers_send_them() -> None:
    lines = [
        b": OPENROUTER PROCESSING\r\n\r\n",
        b"event: message\r\nid: 1\r\ndata:" + json.dumps(chunk({"role": "assistant"})).encode(),
        b"\r\n\r",
        b"\ndata: " + json.dumps(chunk({"content": "He"}, logprobs=None)).encode()[:20],
        json.dumps(chunk({"content": "He"}, logprobs=None)).encode()[20:] + b"\n",
        b"\ndata: " + json.dumps(chunk({"content": "llo", "tool_calls": None}, "stop")).encode(),
        b"\n\ndata: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n",
    ]  # without [DONE]
    told = answer(Reply(lines, content_type=EVENTS), stream=True)
    assert (told.text, told.finish_reason) == ("Hello", "stop")
    assert told.usage == Usage(prompt_tokens=7, completion_tokens=2)


def test_tool_calls_in_a_stream_without_numbers() -> None:
    def call(arguments: str, **more: Any) -> Any:
        return chunk(
            {"tool_calls": [{"function": {"arguments": arguments} | more.pop("f", {}), **more}]}
        )

    told = answer(
        events(
            call('{"a"', id="x", f={"name": "f"}), call(": 1}"),
            call("{}", id="y", f={"name": "g"}), chunk({}, "tool_calls"),
        ),
        stream=True,
    )  # fmt: skip
    assert told.calls == (RequestedCall("x", "f", '{"a": 1}'), RequestedCall("y", "g", "{}"))


def test_usage_that_is_told_all_along_is_the_last_one() -> None:
    first, last = {"prompt_tokens": 7, "completion_tokens": 1}, USAGE
    told = answer(
        events(chunk({"content": "a"}) | {"usage": first}, chunk({}, "stop") | {"usage": last}),
        stream=True,
    )
    assert told.usage == Usage(prompt_tokens=7, completion_tokens=2)


def test_a_server_that_ignores_the_wish_for_a_stream() -> None:
    told = answer(whole({"content": "a"}), stream=True)
    assert (told.text, told.ttft_s) == ("a", None)


def test_calls_as_other_servers_send_them() -> None:
    calls = [{"function": {"name": "f", "arguments": {"a": 1}}}, {"function": {"name": "g"}}]
    told = answer(whole({"content": None, "tool_calls": calls}, None))
    assert told.calls == (
        RequestedCall("call_0", "f", '{"a": 1}'),
        RequestedCall("call_1", "g", ""),
    )
    assert told.finish_reason == "tool_calls"


def test_halves_of_surrogate_pairs_do_not_get_through() -> None:
    told = answer(broken('{"choices": [{"message": {"content": "a\\ud800"}}]}'))
    assert told.text == "a\ufffd"


def test_forty_calls_at_once_are_an_answer() -> None:
    calls = [Call("f", "{}", f"c{index}") for index in range(40)]
    for stream in (False, True):
        assert len(answer(Say(calls=calls), stream=stream).calls) == 40


def test_what_defines_the_route() -> None:
    provider = Http(base_url="http://127.0.0.1:8000/v1/")
    assert provider.identity == {
        "sdk": "http", "api_version": None, "base_url": "http://127.0.0.1:8000/v1",
    }  # fmt: skip


def test_extra_may_not_replace_what_harness_sets() -> None:
    provider = Http(base_url="http://127.0.0.1:8000/v1")
    extra = {"stream": True, "seed": 1, "temperature": 1, "min_p": 0.1, "n": 2}
    assert provider.problems(request(params={"temperature": 0, "extra": extra})) == [
        "extra: 'stream' is set by harness; take it out",
        "extra: 'temperature' is set by harness; take it out",
        "extra: 'n' is set by harness; take it out",
    ]
    assert provider.problems(request(params={"top_k": 1, "service_tier": "flex"})) == []


def test_options_are_checked() -> None:
    for options in ({}, {"base_url": "x"}, {"base_url": "http://h", "api_key": "k"}):
        with pytest.raises(ValidationError):
            Http.model_validate(options)


def test_closing_what_was_never_used_is_fine() -> None:
    asyncio.run(Http(base_url="http://127.0.0.1:1").close())
