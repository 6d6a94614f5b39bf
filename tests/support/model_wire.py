"""A model's answer in the wire formats of OpenAI and Anthropic, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
OPENAI, ANTHROPIC = "openai", "anthropic"


@dataclass(frozen=True)
class Call:
    """A tool call in an answer; `arguments` is the text that goes out."""

    name: str
    arguments: str = "{}"
    id: str = "call_1"


@dataclass(frozen=True)
class Say:
    """A model's answer, before it is put in a wire format.

    `prompt_tokens` are all tokens of the prompt; Anthropic's `input_tokens` are derived. `finish`
    is in OpenAI's words (`stop`, `length`, `tool_calls`, `content_filter`), or a word of the
    format's own, which goes out as it is. `usage` replaces the whole usage object; `None` in
    `tokens` leaves usage out. `logprobs` are pairs of token and log-probability; `top_logprobs`
    those of the likeliest tokens in the place of the first.
    """

    text: str = ""
    calls: Sequence[Call] = ()
    finish: str | None = None
    prompt_tokens: int = 12
    completion_tokens: int = 5
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    model: str | None = None
    refusal: str | None = None
    logprobs: Sequence[tuple[str, float]] = ()
    top_logprobs: Sequence[tuple[str, float]] = ()
    usage: Json | None = None
    without_usage: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fail:
    """An error answer, in the shape of the format that the request belongs to."""

    status: int
    message: str = "it failed"
    code: str | None = None
    type: str = "invalid_request_error"
    headers: Mapping[str, str] = field(default_factory=dict)


def events(say: Say, wire: str, body: Json) -> Iterator[bytes]:
    if wire == OPENAI:
        for event in _openai_events(say, body):
            yield b"data: " + dump(event) + b"\n\n"
        yield b"data: [DONE]\n\n"
    else:
        for event in _anthropic_events(say, body):
            yield f"event: {event['type']}\n".encode() + b"data: " + dump(event) + b"\n\n"


def whole(say: Say, wire: str, body: Json) -> bytes:
    """The answer's body."""
    return dump((_openai_whole if wire == OPENAI else _anthropic_whole)(say, body))


def dump(value: Json) -> bytes:
    return json.dumps(value).encode()


def _pieces(text: str, n: int = 6) -> list[str]:
    return [text[i : i + n] for i in range(0, len(text), n)]


def error_body(fail: Fail, wire: str | None) -> bytes:
    inner: Json = {"type": fail.type, "message": fail.message}
    if wire == ANTHROPIC:
        return dump({"type": "error", "error": inner, "request_id": "req_1"})
    return dump({"error": inner | {"param": None, "code": fail.code}})


# --- OpenAI: chat completions


def _openai_whole(say: Say, body: Json) -> Json:
    message: Json = {"role": "assistant", "content": say.text or None, "refusal": say.refusal}
    if say.calls:
        message["tool_calls"] = [_openai_call(call) for call in say.calls]
    choice: Json = {"index": 0, "message": message, "finish_reason": _openai_finish(say)}
    if say.logprobs:
        choice["logprobs"] = _openai_logprobs(say.logprobs)
        if say.top_logprobs:
            others = [{"token": t, "logprob": p, "bytes": None} for t, p in say.top_logprobs]
            choice["logprobs"]["content"][0]["top_logprobs"] = others
    whole: Json = _openai_head(say, body, "chat.completion") | {"choices": [choice]}
    if not say.without_usage:
        whole["usage"] = _openai_usage(say)
    return whole


def _openai_head(say: Say, body: Json, kind: str) -> Json:
    model = say.model or body.get("model")
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model}


def _openai_call(call: Call) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _openai_finish(say: Say) -> str:
    return say.finish or ("tool_calls" if say.calls else "stop")


def _openai_logprobs(pairs: Sequence[tuple[str, float]]) -> Json:
    content = [{"token": t, "logprob": p, "bytes": None, "top_logprobs": []} for t, p in pairs]
    return {"content": content, "refusal": None}


def _openai_usage(say: Say) -> Json:
    return say.usage or {
        "prompt_tokens": say.prompt_tokens,
        "completion_tokens": say.completion_tokens,
        "total_tokens": say.prompt_tokens + say.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": say.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": say.reasoning_tokens},
    }


def _openai_events(say: Say, body: Json) -> Iterator[Json]:
    head = _openai_head(say, body, "chat.completion.chunk")
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))

    def chunk(delta: Json, finish: str | None = None, logprobs: Json | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        return head | {"choices": [choice]} | ({"usage": None} if with_usage else {})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    if say.logprobs:
        for token, logprob in say.logprobs:
            yield chunk({"content": token}, logprobs=_openai_logprobs([(token, logprob)]))
    else:
        for piece in _pieces(say.text):
            yield chunk({"content": piece})
    for piece in _pieces(say.refusal or ""):
        yield chunk({"refusal": piece})
    for index, call in enumerate(say.calls):
        first = _openai_call(Call(call.name, "", call.id)) | {"index": index}
        yield chunk({"tool_calls": [first]})
        for piece in _pieces(call.arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _openai_finish(say))
    if with_usage and not say.without_usage:
        yield head | {"choices": [], "usage": _openai_usage(say)}


# --- Anthropic: messages

_STOP = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use",
         "content_filter": "refusal"}  # fmt: skip


def _anthropic_whole(say: Say, body: Json) -> Json:
    content = [{"type": "text", "text": say.text}] if say.text else []
    content += [_anthropic_call(call) for call in say.calls]
    return _anthropic_head(say, body) | {
        "content": content, "stop_reason": _anthropic_stop(say), "stop_sequence": None,
    }  # fmt: skip


def _anthropic_call(call: Call) -> Json:
    return {
        "type": "tool_use",
        "id": call.id,
        "name": call.name,
        "input": json.loads(call.arguments),
    }


def _anthropic_head(say: Say, body: Json) -> Json:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "content": [],
        "model": say.model or body.get("model"), "stop_reason": None, "stop_sequence": None,
        "usage": _anthropic_usage(say),
    }  # fmt: skip


def _anthropic_stop(say: Say) -> str:
    finish = say.finish or ("tool_calls" if say.calls else "stop")
    return _STOP.get(finish, finish)


def _anthropic_usage(say: Say) -> Json:
    usage: Json = say.usage or {
        "input_tokens": say.prompt_tokens - say.cached_tokens - say.cache_write_tokens,
        "cache_read_input_tokens": say.cached_tokens,
        "cache_creation_input_tokens": say.cache_write_tokens,
        "output_tokens": say.completion_tokens,
    }
    if say.reasoning_tokens:
        usage["output_tokens_details"] = {"thinking_tokens": say.reasoning_tokens}
    return usage


def _anthropic_events(say: Say, body: Json) -> Iterator[Json]:
    head = _anthropic_head(say, body)
    yield {
        "type": "message_start",
        "message": head | {"usage": head["usage"] | {"output_tokens": 1}},
    }
    index = 0
    if say.text:
        deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(say.text)]
        yield from _anthropic_block(index, {"type": "text", "text": ""}, deltas)
        index += 1
    for call in say.calls:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        deltas = [
            {"type": "input_json_delta", "partial_json": piece}
            for piece in ["", *_pieces(call.arguments)]
        ]
        yield from _anthropic_block(index, block, deltas)
        index += 1
    stop = {"stop_reason": _anthropic_stop(say), "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": head["usage"]}
    yield {"type": "message_stop"}


def _anthropic_block(index: int, block: Json, deltas: Sequence[Json]) -> Iterator[Json]:
    yield {"type": "content_block_start", "index": index, "content_block": block}
    yield {"type": "ping"}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
