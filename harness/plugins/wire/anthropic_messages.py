"""The messages format of Anthropic: a request as its body, an answer or a stream of events back.

Pure: nothing is sent here. The format: platform.claude.com/docs/en/api/messages. Its
`input_tokens` leave out what was read from or written to the cache; ours are all prompt tokens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.core.chat import Completion, FinishReason, Message, ModelRequest, RequestedCall
from harness.core.record import Usage
from harness.core.values import JsonValue, encodable, tool_call
from harness.plugins.wire.openai_chat import count, malformed

_FINISH: dict[JsonValue, FinishReason] = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length",
    "model_context_window_exceeded": "length", "tool_use": "tool_calls", "refusal": "refusal",
}  # fmt: skip
_CHOICE = {"auto": "auto", "required": "any", "none": "none"}


def messages_body(request: ModelRequest) -> dict[str, Any]:
    """The body of a request, without `extra`; of the parameters, those that the format has."""
    params = request.params
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": params.get("max_output_tokens"),
        "messages": _messages(request.messages),
    }
    system = "\n\n".join(m.content for m in request.messages if m.role == "system")
    if system:
        body["system"] = system
    if params.get("stop") is not None:
        stop = params["stop"]
        body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if params.get("service_tier") is not None:
        body["service_tier"] = params["service_tier"]
    if request.tools:
        body["tools"] = [
            {"name": t.name, "description": t.description, "input_schema": dict(t.parameters)}
            for t in request.tools
        ]
        body["tool_choice"] = {"type": _CHOICE[request.tool_choice]}
    config = _output_config(request)
    if config:
        body["output_config"] = config
    if request.stream:
        body["stream"] = True
    return body


def read_message(answer: JsonValue, latency_s: float, ttft_s: float | None = None) -> Completion:
    """A whole answer.

    Raises:
        ServiceError: `malformed`, if it has not the format's shape.
    """
    content = answer.get("content") if isinstance(answer, Mapping) else None
    if not isinstance(content, list) or not all(isinstance(block, Mapping) for block in content):
        raise malformed("the answer has no content")
    texts = [block.get("text") for block in content if block.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise malformed("the answer's content is no text")
    model = answer.get("model")
    return Completion(
        text=encodable("".join(texts)),
        calls=tuple(_call(block) for block in content if block.get("type") == "tool_use"),
        finish_reason=_finish(answer.get("stop_reason")),
        usage=_usage(answer.get("usage")),
        latency_s=latency_s,
        ttft_s=ttft_s,
        served_model=encodable(model) if isinstance(model, str) and model else None,
    )


def is_last(event: JsonValue) -> bool:
    """Whether an event ends the stream."""
    return isinstance(event, Mapping) and event.get("type") == "message_stop"


class EventJoiner:
    """Puts the events of a streamed answer together; knows when it is whole."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._parts: dict[int, list[str]] = {}
        self._whole = False

    def add(self, event: JsonValue) -> bool:
        """Take in an event; whether it brought a part of the answer.

        Raises:
            ServiceError: `malformed`, if it has not the format's shape.
        """
        if not isinstance(event, Mapping):
            raise malformed("an event of the stream is no object")
        match event.get("type"):
            case "message_start":
                self._message |= _mapping(event.get("message"))
                self._count(self._message.get("usage"))
            case "content_block_start":
                return self._start(_index(event), _mapping(event.get("content_block")))
            case "content_block_delta":
                return self._extend(_index(event), _mapping(event.get("delta")))
            case "message_delta":
                self._message |= _mapping(event.get("delta"))
                self._count(event.get("usage"))
            case "message_stop":
                self._whole = True
            case _:  # ping, and events of later versions
                pass
        return False

    def completion(self, latency_s: float, ttft_s: float | None) -> Completion:
        """The whole answer.

        Raises:
            ServiceError: `malformed`, if the stream ended before the answer did.
        """
        if not self._whole:
            raise malformed("the stream ended before the answer did")
        content = [self._block(index) for index in sorted(self._blocks)]
        message = self._message | {"content": content, "usage": self._usage}
        return read_message(message, latency_s, ttft_s)

    def _start(self, index: int, block: Mapping[str, JsonValue]) -> bool:
        self._blocks[index] = dict(block)
        text = block.get("text")
        self._parts[index] = [text] if isinstance(text, str) else []
        return block.get("type") == "tool_use" or bool(text)

    def _extend(self, index: int, delta: Mapping[str, JsonValue]) -> bool:
        key = {"text_delta": "text", "input_json_delta": "partial_json"}.get(
            str(delta.get("type")), ""
        )
        part = delta.get(key)
        if not key or part is None:
            return False
        if not isinstance(part, str) or index not in self._parts:
            raise malformed("a piece of the stream belongs to nothing")
        self._parts[index].append(part)
        return bool(part)

    def _count(self, usage: JsonValue) -> None:
        self._usage |= {key: n for key, n in _mapping(usage).items() if n is not None}

    def _block(self, index: int) -> dict[str, Any]:
        block, joined = self._blocks[index], "".join(self._parts[index])
        if block.get("type") == "text":
            return block | {"text": joined}
        return block | {"arguments": joined}


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """All but the system's; results of tools that follow one another are one message."""
    written: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            result = {
                "type": "tool_result", "tool_use_id": message.call_id, "content": message.content,
            }  # fmt: skip
            if (
                written
                and written[-1]["role"] == "user"
                and isinstance(written[-1]["content"], list)
            ):
                written[-1]["content"].append(result)
            else:
                written.append({"role": "user", "content": [result]})
        elif message.role == "user":
            written.append({"role": "user", "content": message.content})
        elif message.role == "assistant" and (message.content or message.calls):
            written.append({"role": "assistant", "content": _blocks(message)})
    return written


def _blocks(message: Message) -> list[dict[str, Any]] | str:
    if not message.calls:
        return message.content
    blocks: list[dict[str, Any]] = []
    if message.content:  # the API takes no empty text
        blocks.append({"type": "text", "text": message.content})
    for call in message.calls:
        read = tool_call({"name": call.name, "arguments": call.arguments})
        arguments = dict(read.arguments) if read else {}
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return blocks


def _output_config(request: ModelRequest) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if request.params.get("reasoning_effort") is not None:
        config["effort"] = request.params["reasoning_effort"]
    if request.schema is not None:
        config["format"] = {"type": "json_schema", "schema": dict(request.schema)}
    return config


def _call(block: Mapping[str, JsonValue]) -> RequestedCall:
    name, identifier = block.get("name"), block.get("id")
    if not isinstance(name, str) or not name or not isinstance(identifier, str):
        raise malformed("a tool call has no name or no id")
    arguments = block.get("arguments")
    if not isinstance(arguments, str) or not arguments:  # not streamed: the object itself
        arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    return RequestedCall(encodable(identifier), encodable(name), encodable(arguments))


def _finish(given: JsonValue) -> FinishReason:
    return _FINISH.get(given, "unknown") if isinstance(given, str) else "unknown"


def _usage(usage: JsonValue) -> Usage:
    told = _mapping(usage)
    fresh = count(told.get("input_tokens"))
    read = count(told.get("cache_read_input_tokens"))
    written = count(told.get("cache_creation_input_tokens"))
    details = _mapping(told.get("output_tokens_details"))
    return Usage(
        prompt_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        cached_prompt_tokens=read,
        completion_tokens=count(told.get("output_tokens")),
        cache_write_tokens=written,
        reasoning_tokens=count(details.get("thinking_tokens")),
    )


def _index(event: Mapping[str, JsonValue]) -> int:
    index = count(event.get("index"))
    if index is None:
        raise malformed("an event of the stream has no index")
    return index


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, Mapping) else {}
