"""The chat-completions format: a request as its body, an answer or a stream of chunks back.

Pure: nothing is sent here. The format is OpenAI's (platform.openai.com/docs/api-reference/chat);
other servers and litellm speak it too, with gaps and additions, which reading allows for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.chat import (
    Completion,
    FinishReason,
    Message,
    ModelRequest,
    RequestedCall,
    ServiceError,
    ToolSpec,
)
from harness.core.record import Usage
from harness.core.values import JsonValue, encodable

SAME_NAME = (
    "temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty", "logprobs",
    "top_logprobs", "reasoning_effort", "service_tier",
)  # fmt: skip
"""Parameters that the format calls as we do."""

MAX_CHARS = 10_000_000
"""A streamed answer that is longer is none."""

MAX_TOKENS = 10**12
"""A count beyond this is no count."""

MAX_OTHERS = 100
MAX_TOKEN_CHARS = 100
"""Of the tokens that an answer might have begun with, so many and so much are kept."""

_FINISH: dict[str, FinishReason] = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls",
    "content_filter": "refusal", "refusal": "refusal",
}  # fmt: skip


def chat_body(request: ModelRequest, limit_key: str = "max_completion_tokens") -> dict[str, Any]:
    """The body of a request; without `extra` and `top_k`, which the format does not know.

    Args:
        request: what is asked.
        limit_key: what the server calls `max_output_tokens`.
    """
    params = request.params
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
    }
    body |= {name: params[name] for name in SAME_NAME if params.get(name) is not None}
    if params.get("max_output_tokens") is not None:
        body[limit_key] = params["max_output_tokens"]
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body["tool_choice"] = request.tool_choice
    if request.schema is not None:
        named = {"name": "output", "schema": dict(request.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def read_answer(answer: JsonValue, latency_s: float, ttft_s: float | None = None) -> Completion:
    """A whole answer.

    Raises:
        ServiceError: `malformed`, if it has not the format's shape.
    """
    choice = _first_choice(answer)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise malformed("the answer's choice has no message")
    calls = _calls(message.get("tool_calls"))
    text, refusal = _text(message.get("content")), _refusal(message)
    model = answer.get("model")
    return Completion(
        text=encodable(text or refusal),
        calls=calls,
        finish_reason="refusal" if refusal else _finish(choice.get("finish_reason"), calls),
        usage=read_usage(answer.get("usage")),
        latency_s=latency_s,
        ttft_s=ttft_s,
        served_model=encodable(model) if isinstance(model, str) and model else None,
        confidence=_confidence(choice.get("logprobs")),
        first_logprobs=_first_logprobs(choice.get("logprobs")),
    )


def read_usage(usage: JsonValue) -> Usage:
    """The counts of tokens; what is not told stays None."""
    if not isinstance(usage, Mapping):
        return Usage()
    of_prompt = _mapping(usage.get("prompt_tokens_details"))
    of_completion = _mapping(usage.get("completion_tokens_details"))
    return Usage(
        prompt_tokens=count(usage.get("prompt_tokens")),
        cached_prompt_tokens=count(of_prompt.get("cached_tokens")),
        completion_tokens=count(usage.get("completion_tokens")),
        cache_write_tokens=count(of_prompt.get("cache_write_tokens")),
        reasoning_tokens=count(of_completion.get("reasoning_tokens")),
    )


def count(value: JsonValue) -> int | None:
    """A count of tokens, if it is one."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TOKENS:
        return None
    return value


def malformed(what: str) -> ServiceError:
    """An answer that is none."""
    return ServiceError("malformed", what)


@dataclass(slots=True)
class _CallParts:
    """What chunks told of one tool call so far."""

    id: JsonValue = None
    name: JsonValue = None
    arguments: list[str] = field(default_factory=list)

    def whole(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.id, "function": function}


class ChunkJoiner:
    """Puts the chunks of a streamed answer together; knows when it is whole."""

    def __init__(self) -> None:
        self._n_chars = 0
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._calls: dict[int, _CallParts] = {}
        self._logprobs: list[JsonValue] = []
        self._finish: JsonValue = None
        self._model: JsonValue = None
        self._usage: JsonValue = None

    def add(self, chunk: JsonValue) -> bool:
        """Take in a chunk; whether it brought a part of the answer.

        Raises:
            ServiceError: `malformed`, if it has not the format's shape.
        """
        if not isinstance(chunk, Mapping):
            raise malformed("a chunk of the stream is no object")
        self._model = self._model or chunk.get("model")
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices")
        if not choices:  # the chunk with the usage, or one that only says that it is at work
            return False
        choice = _first_choice(chunk)
        self._finish = choice.get("finish_reason") or self._finish
        logprobs = _mapping(choice.get("logprobs")).get("content")
        if isinstance(logprobs, list):
            self._logprobs.extend(logprobs)
        return self._take(_mapping(choice.get("delta")))

    @property
    def whole(self) -> bool:
        """Whether the model has said why it stopped."""
        return self._finish is not None

    def completion(self, latency_s: float, ttft_s: float | None) -> Completion:
        """The whole answer.

        Raises:
            ServiceError: `malformed`, if the stream ended before the answer did.
        """
        if not self.whole:
            raise malformed("the stream ended before the answer did")
        message = {
            "content": "".join(self._texts),
            "refusal": "".join(self._refusals),
            "tool_calls": [self._calls[index].whole() for index in sorted(self._calls)],
        }
        logprobs = {"content": self._logprobs} if self._logprobs else None
        choice = {"message": message, "finish_reason": self._finish, "logprobs": logprobs}
        answer = {"choices": [choice], "model": self._model, "usage": self._usage}
        return read_answer(answer, latency_s, ttft_s)

    def _take(self, delta: Mapping[str, JsonValue]) -> bool:
        text, refusal = _text(delta.get("content")), _refusal(delta)
        self._bound(len(text) + len(refusal))
        if text:
            self._texts.append(text)
        if refusal:
            self._refusals.append(refusal)
        calls = delta.get("tool_calls") or []
        if not isinstance(calls, list):
            raise malformed("the tool calls of a chunk are no list")
        for position, call in enumerate(calls):
            self._take_call(position, _mapping(call))
        return bool(text or refusal or calls)

    def _take_call(self, position: int, call: Mapping[str, JsonValue]) -> None:
        index = count(call.get("index"))
        if index is None:  # some servers send each call whole and leave the index out
            index = len(self._calls) if call.get("id") else max(position, len(self._calls) - 1)
        function = _mapping(call.get("function"))
        so_far = self._calls.setdefault(index, _CallParts())
        so_far.id = so_far.id or call.get("id")
        so_far.name = so_far.name or function.get("name")
        arguments = _argument_text(function.get("arguments"))
        self._bound(len(arguments))
        so_far.arguments.append(arguments)

    def _bound(self, n_more: int) -> None:
        self._n_chars += n_more
        if self._n_chars > MAX_CHARS:
            raise malformed(f"the answer is longer than {MAX_CHARS} characters")


def _message(message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        written["content"] = message.content or None
        written["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.calls
        ]
    if message.call_id is not None:
        written["tool_call_id"] = message.call_id
    return written


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {
        "name": tool.name, "description": tool.description, "parameters": dict(tool.parameters),
    }  # fmt: skip
    return {"type": "function", "function": function}


def _first_choice(answer: JsonValue) -> Mapping[str, JsonValue]:
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise malformed("the answer has no choices")
    return choices[0]


def _text(content: JsonValue) -> str:
    """The text of a message; a few servers send a list of parts."""
    if content is None:
        return ""
    if isinstance(content, list):
        parts = (_mapping(part).get("text") for part in content)
        return "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str):
        raise malformed("the answer's content is no text")
    return content


def _refusal(message: Mapping[str, JsonValue]) -> str:
    """What a model said when it refused; litellm keeps it one level deeper."""
    for where in (message, _mapping(message.get("provider_specific_fields"))):
        refusal = where.get("refusal")
        if isinstance(refusal, str) and refusal:
            return refusal
    return ""


def _calls(given: JsonValue) -> tuple[RequestedCall, ...]:
    if not given:
        return ()
    if not isinstance(given, list):
        raise malformed("the answer's tool calls are no list")
    return tuple(_call(index, _mapping(call)) for index, call in enumerate(given))


def _call(index: int, call: Mapping[str, JsonValue]) -> RequestedCall:
    function = _mapping(call.get("function"))
    name, identifier = function.get("name"), call.get("id")
    if not isinstance(name, str) or not name:
        raise malformed("a tool call has no name")
    arguments = _argument_text(function.get("arguments"))
    known = isinstance(identifier, str) and identifier
    return RequestedCall(
        id=encodable(str(identifier)) if known else f"call_{index}",
        name=encodable(name),
        arguments=encodable(arguments),
    )


def _argument_text(arguments: JsonValue) -> str:
    """A call's arguments as text; a few servers send the object itself."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _finish(given: JsonValue, calls: Sequence[RequestedCall]) -> FinishReason:
    reason = _FINISH.get(given, "unknown") if isinstance(given, str) else "unknown"
    return "tool_calls" if calls and reason in {"stop", "unknown"} else reason


def _confidence(logprobs: JsonValue) -> float | None:
    """The mean probability of the answer's tokens."""
    content = _mapping(logprobs).get("content")
    if not isinstance(content, list):
        return None
    found = [_mapping(token).get("logprob") for token in content]
    numbers = [n for n in found if isinstance(n, int | float) and not isinstance(n, bool)]
    chances = [math.exp(min(0.0, n)) for n in numbers if not math.isnan(n)]
    return sum(chances) / len(chances) if chances else None


def _first_logprobs(logprobs: JsonValue) -> dict[str, float] | None:
    """The likeliest tokens in the place of the first that is not blank, the one taken included."""
    content = _mapping(logprobs).get("content")
    for given in content if isinstance(content, list) else ():
        taken = _mapping(given)
        if not str(taken.get("token") or "").strip():
            continue
        others = taken.get("top_logprobs")
        if not isinstance(others, list) or not others:
            return None
        found = {}
        for one in (taken, *map(_mapping, others[:MAX_OTHERS])):
            token, number = one.get("token"), one.get("logprob")
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            if isinstance(token, str) and math.isfinite(number):
                found[encodable(token[:MAX_TOKEN_CHARS])] = min(0.0, float(number))
        return found
    return None


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, Mapping) else {}
