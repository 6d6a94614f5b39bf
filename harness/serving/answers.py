"""A `Completion` in OpenAI's shape: whole, or as the events of a stream.

The port gives whole answers, so a stream's pieces are cut afterwards and come all at once. It gives
the mean probability of an answer's tokens, not one for each: `logprobs` holds one entry, the whole
text, whose log-probability is that mean's logarithm.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.core.chat import Completion, RequestedCall
from harness.core.record import Usage
from harness.core.values import JsonValue
from harness.serving.chat_request import Asked

DONE = b"data: [DONE]\n\n"
_PIECE = re.compile(r"\S+\s*|\s+")
_LEAST = 1e-300
"""A probability of 0 has no logarithm that JSON can hold."""


@dataclass(frozen=True, slots=True)
class Head:
    """What every part of one answer says of it: its id, when it was made (Unix time), by what."""

    id: str
    created_s: int
    model: str
    system_fingerprint: str

    def body(self, kind: str) -> dict[str, Any]:
        """The fields that begin each object."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created_s,
            "model": self.model,
            "system_fingerprint": self.system_fingerprint,
        }


def whole(head: Head, asked: Asked, completion: Completion) -> JsonValue:
    """The answer as one object."""
    text, refusal = _texts(completion)
    calls = _calls(asked, completion)
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": refusal}
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    elif refusal is None:
        message["content"] = text
    choice = {
        "index": 0,
        "message": message,
        "logprobs": _logprobs(asked, completion),
        "finish_reason": _finish(completion),
    }
    body = head.body("chat.completion") | {"choices": [choice]}
    usage = usage_body(completion.usage)
    return body if usage is None else body | {"usage": usage}


def events(head: Head, asked: Asked, completion: Completion) -> Iterator[bytes]:
    """The answer as server-sent events, to `[DONE]`."""
    for delta, logprobs in _deltas(asked, completion):
        yield _event(_chunk(head, asked, delta, logprobs=logprobs))
    yield _event(_chunk(head, asked, {}, _finish(completion)))
    if asked.with_usage:
        ending = head.body("chat.completion.chunk") | {"choices": []}
        yield _event(ending | {"usage": usage_body(completion.usage)})
    yield DONE


def usage_body(usage: Usage) -> JsonValue:
    """The counts of tokens; None if the two that a client counts on are not known."""
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    of_prompt = {
        "cached_tokens": usage.cached_prompt_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }
    of_completion = {"reasoning_tokens": usage.reasoning_tokens}
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": _known(of_prompt),
        "completion_tokens_details": _known(of_completion),
    }


def _deltas(asked: Asked, completion: Completion) -> Iterator[tuple[dict[str, Any], JsonValue]]:
    """What each event adds to the message, and the log-probabilities that go with it."""
    text, refusal = _texts(completion)
    yield {"role": "assistant", "content": "", "refusal": None}, None
    logprobs = _logprobs(asked, completion)
    for piece in _PIECE.findall(text):
        yield {"content": piece}, logprobs
        logprobs = None
    if refusal is not None:
        yield {"refusal": refusal}, None
    for index, call in enumerate(_calls(asked, completion)):
        begun = RequestedCall(call.id, call.name, "")
        yield {"tool_calls": [{"index": index} | _call(begun)]}, None
        yield {"tool_calls": [{"index": index, "function": {"arguments": call.arguments}}]}, None


def _chunk(
    head: Head,
    asked: Asked,
    delta: dict[str, Any],
    finish: str | None = None,
    *,
    logprobs: JsonValue = None,
) -> JsonValue:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    body = head.body("chat.completion.chunk") | {"choices": [choice]}
    return body | {"usage": None} if asked.with_usage else body


def _event(body: JsonValue) -> bytes:
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def _texts(completion: Completion) -> tuple[str, str | None]:
    """The text, and what was said in its place when the model refused."""
    if completion.finish_reason == "refusal" and completion.text:
        return "", completion.text
    return completion.text, None


def _calls(asked: Asked, completion: Completion) -> tuple[RequestedCall, ...]:
    return completion.calls[:1] if asked.one_call else completion.calls


def _call(call: RequestedCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _finish(completion: Completion) -> str:
    """The format has no word for what is not known."""
    match completion.finish_reason:
        case "refusal":
            return "stop" if completion.text else "content_filter"
        case "unknown":
            return "tool_calls" if completion.calls else "stop"
        case reason:
            return reason


def _logprobs(asked: Asked, completion: Completion) -> JsonValue:
    text, _ = _texts(completion)
    if not asked.with_logprobs or completion.confidence is None or not text:
        return None
    entry = {
        "token": text,
        "logprob": math.log(max(completion.confidence, _LEAST)),
        "bytes": list(text.encode("utf-8", "replace")),
        "top_logprobs": [],
    }
    return {"content": [entry], "refusal": None}


def _known(counts: dict[str, int | None]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count is not None}
