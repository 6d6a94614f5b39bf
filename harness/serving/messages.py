"""The messages and tools of a request in OpenAI's shape, to ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from harness.core.chat import Message, RequestedCall, ToolSpec
from harness.core.values import JsonValue, encodable
from harness.serving.refusals import RefusedError

NO_ARGUMENTS: Mapping[str, JsonValue] = {"type": "object", "properties": {}}


class Part(BaseModel):
    """A piece of a request; what is in none of its fields is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _text(content: JsonValue) -> JsonValue:
    """A message's content: a text, or a list of texts, which become lines."""
    if isinstance(content, list):
        return "\n".join(_text_of(part) for part in content)
    if not isinstance(content, str):
        raise ValueError("must be a text, or a list of parts {type: text, text: ...}")
    return content


def _text_of(part: JsonValue) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    text = part.get(kind) if kind in {"text", "refusal"} else None
    if isinstance(text, str):
        return text
    if isinstance(kind, str) and kind not in {"text", "refusal"}:
        raise ValueError(f"has a part of the type '{kind[:40]}'; the models here read text only")
    raise ValueError("has a part that is not of the form {type: text, text: ...}")


Encodable: TypeAlias = Annotated[str, Field(strict=True), AfterValidator(encodable)]
Content: TypeAlias = Annotated[Encodable, BeforeValidator(_text)]
ToolName: TypeAlias = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
Short: TypeAlias = Annotated[
    str, Field(strict=True, min_length=1, max_length=1000), AfterValidator(encodable)
]


class CalledFunction(Part):
    """What a model called; `arguments` is its own text."""

    name: ToolName
    arguments: Encodable


class Called(Part):
    """A tool call in a message of the assistant."""

    id: Short
    type: Literal["function"] = "function"
    function: CalledFunction
    index: JsonValue = None  # of a stream, which some clients send back


class Prompt(Part):
    """A message of the system, the developer (the same by a newer name) or the user."""

    role: Literal["system", "developer", "user"]
    content: Content
    name: str | None = None


class Turn(Part):
    """A message of the assistant; clients send back all that they got, empty fields as well."""

    role: Literal["assistant"]
    content: Content | None = None
    refusal: Encodable | None = None
    tool_calls: list[Called] | None = None
    name: str | None = None
    annotations: JsonValue = None
    audio: None = None
    function_call: None = None
    provider_specific_fields: JsonValue = None


class Result(Part):
    """What a tool gave back."""

    role: Literal["tool"]
    content: Content
    tool_call_id: Short
    name: str | None = None


AnyMessage: TypeAlias = Annotated[Prompt | Turn | Result, Field(discriminator="role")]


class Function(Part):
    """A tool. `strict` arguments are refused: no model here is held to a schema."""

    name: ToolName
    description: Encodable | None = None
    parameters: dict[str, Any] | None = None
    strict: Literal[False] | None = None


class Tool(Part):
    """A tool that is offered."""

    type: Literal["function"]
    function: Function


def messages_of(given: Sequence[AnyMessage]) -> tuple[Message, ...]:
    """The conversation.

    Raises:
        RefusedError: if calls and their results do not belong together.
    """
    _check_results(given)
    return tuple(_message(message) for message in given)


def specs_of(tools: Sequence[Tool]) -> tuple[ToolSpec, ...]:
    """The tools that are offered."""
    return tuple(
        ToolSpec(
            tool.function.name,
            tool.function.description or "",
            NO_ARGUMENTS if tool.function.parameters is None else tool.function.parameters,
        )
        for tool in tools
    )


def _message(message: AnyMessage) -> Message:
    match message:
        case Prompt(role=role, content=content):
            return Message("user" if role == "user" else "system", content)
        case Result(content=content, tool_call_id=call_id):
            return Message("tool", content, call_id=call_id)
        case Turn(content=content, refusal=refusal, tool_calls=called):
            calls = tuple(
                RequestedCall(call.id, call.function.name, call.function.arguments)
                for call in called or ()
            )
            return Message("assistant", content or refusal or "", calls)


def _check_results(given: Sequence[AnyMessage]) -> None:
    """Every call is answered by a message right after it, and nothing else is."""
    unanswered: set[str] = set()
    for index, message in enumerate(given):
        if isinstance(message, Result):
            if message.tool_call_id not in unanswered:
                what = "answers no open call of the assistant's message before it"
                raise _wrong(f"messages[{index}].tool_call_id", what)
            unanswered.remove(message.tool_call_id)
            continue
        _check_answered(index, unanswered)
        if isinstance(message, Turn):
            unanswered = {call.id for call in message.tool_calls or ()}
    _check_answered(len(given), unanswered)


def _check_answered(index: int, unanswered: set[str]) -> None:
    if unanswered:
        named = ", ".join(sorted(unanswered))[:200]
        what = f"must be a `tool` message that answers the call {named}"
        raise _wrong(f"messages[{index}]", what)


def _wrong(param: str, what: str) -> RefusedError:
    return RefusedError(400, f"{param}: {what}", param=param, code="invalid_value")
