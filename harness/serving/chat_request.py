"""The body of `POST /v1/chat/completions` to a `ModelRequest`, or what is wrong with it.

The format is OpenAI's (platform.openai.com/docs/api-reference/chat). Nothing that would change an
answer is passed over in silence: what no provider can be asked for is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError

from harness.core.chat import ModelRequest, ToolChoice
from harness.core.options import Number, Whole
from harness.core.values import JsonValue, encodable, parse_json
from harness.serving.messages import (
    AnyMessage,
    Part,
    Short,
    Tool,
    ToolName,
    messages_of,
    specs_of,
)
from harness.serving.refusals import RefusedError

MAX_MESSAGES = 10_000
MAX_TOOLS = 128

_IN_WORDS = {
    "missing": "must be given",
    "extra_forbidden": "is no parameter of this server",
    "union_tag_not_found": "has no `role`",
    "union_tag_invalid": "must have the `role` system, developer, user, assistant or tool",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "none_required": "must be left out",
}
_CODES = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}

Penalty: TypeAlias = Annotated[Number, Field(ge=-2, le=2)]
Limit: TypeAlias = Annotated[Whole, Field(ge=1, le=10**9)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]


class _Named(Part):
    """A schema that the answer is held to."""

    name: str
    json_schema: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: Flag | None = None


class _Format(Part):
    """What the answer is to be."""

    type: Literal["text", "json_schema"]
    json_schema: _Named | None = None


class _StreamOptions(Part):
    """What a stream ends with."""

    include_usage: Flag | None = None
    include_obfuscation: Flag | None = None


class _Chosen(Part):
    """The one tool that is to be called."""

    name: ToolName


class _Choice(Part):
    """As a client names the one tool."""

    type: Literal["function"]
    function: _Chosen


_ToolChoice: TypeAlias = Annotated[
    Annotated[ToolChoice, Tag("_word")] | Annotated[_Choice, Tag("_named")],
    Discriminator(lambda given: "_word" if isinstance(given, str) else "_named"),
]


def _stops(given: JsonValue) -> JsonValue:
    return [given] if isinstance(given, str) else given


class ChatBody(Part):
    """All that a request may hold. Null is the same as left out."""

    model: Short
    messages: Annotated[list[AnyMessage], Field(min_length=1, max_length=MAX_MESSAGES)]

    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_k: Annotated[Whole, Field(ge=1)] | None = None  # not OpenAI's; vLLM and llama.cpp have it
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    seed: Annotated[Whole, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Annotated[
        Annotated[list[Short], Field(max_length=16)] | None, BeforeValidator(_stops)
    ] = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logprobs: Flag | None = None
    reasoning_effort: Short | None = None
    service_tier: Short | None = None

    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: _ToolChoice | None = None
    parallel_tool_calls: Flag | None = None
    response_format: _Format | None = None
    stream: Flag | None = None
    stream_options: _StreamOptions | None = None

    # Of these only what changes nothing.
    n: Literal[1] | None = None
    top_logprobs: Literal[0] | None = None
    logit_bias: Annotated[dict[str, Any], Field(max_length=0)] | None = None
    modalities: list[Literal["text"]] | None = None

    # For the vendor's own accounts, caches and statistics.
    user: JsonValue = None
    safety_identifier: JsonValue = None
    prompt_cache_key: JsonValue = None
    prompt_cache_retention: JsonValue = None
    store: JsonValue = None
    metadata: JsonValue = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and how its answer is to be sent."""

    request: ModelRequest
    with_usage: bool
    with_logprobs: bool
    one_call: bool


def read_request(raw: bytes, timeout_s: float) -> Asked:
    """What a client asks.

    Args:
        raw: the body as it came.
        timeout_s: how long the provider may take.

    Raises:
        RefusedError: 400, saying what is wrong with the body.
    """
    try:
        body = ChatBody.model_validate(_mapping(raw))
    except ValidationError as error:
        raise _refused(error) from None
    schema = _schema(body)
    choice, tools = _tools(body)
    options = body.stream_options or _StreamOptions()
    request = ModelRequest(
        model=body.model,
        messages=messages_of(body.messages),
        params=_params(body),
        tools=specs_of(tools),
        tool_choice=choice,
        schema=schema,
        stream=bool(body.stream),
        timeout_s=timeout_s,
    )
    return Asked(
        request, bool(options.include_usage), bool(body.logprobs), body.parallel_tool_calls is False
    )


def _mapping(raw: bytes) -> Mapping[str, JsonValue]:
    try:
        found = parse_json(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise _wrong("the body is not UTF-8", code="invalid_json") from None
    except ValueError as error:
        what = encodable(f"the body is not JSON: {error}")
        raise _wrong(what, code="invalid_json") from None
    if not isinstance(found, Mapping):
        raise _wrong("the body must be an object", code="invalid_json")
    return found


def _params(body: ChatBody) -> dict[str, JsonValue]:
    """The parameters that are set; those at OpenAI's default change nothing and are left out."""
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        what = "max_tokens is the old name of max_completion_tokens; give one of them"
        raise _wrong(what, "max_tokens")
    given: dict[str, JsonValue] = {
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "max_output_tokens": body.max_completion_tokens or body.max_tokens,
        "seed": body.seed,
        "stop": body.stop or None,
        "presence_penalty": body.presence_penalty or None,
        "frequency_penalty": body.frequency_penalty or None,
        "logprobs": body.logprobs or None,
        "reasoning_effort": body.reasoning_effort,
        "service_tier": None if body.service_tier in {"auto", "default"} else body.service_tier,
    }
    return {name: value for name, value in given.items() if value is not None}


def _tools(body: ChatBody) -> tuple[ToolChoice, Sequence[Tool]]:
    """Whether tools may be called, and which are offered: of a named one, no other."""
    tools = body.tools or []
    choice = body.tool_choice
    if isinstance(choice, _Choice):
        name = choice.function.name
        named = [tool for tool in tools if tool.function.name == name]
        if not named:
            raise _wrong(f"tool_choice names '{name}', which is none of tools", "tool_choice")
        return "required", named
    if choice == "required" and not tools:
        raise _wrong("tool_choice asks for a call, and there are no tools", "tool_choice")
    return choice or "auto", tools


def _schema(body: ChatBody) -> Mapping[str, JsonValue] | None:
    wanted = body.response_format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.json_schema is None:
        raise _wrong("response_format.json_schema must be given", "response_format.json_schema")
    return wanted.json_schema.json_schema


def _refused(error: ValidationError) -> RefusedError:
    """The first thing that is wrong with a body."""
    detail = error.errors(include_url=False, include_input=False)[0]
    param = _place(detail["loc"])
    what = _IN_WORDS.get(detail["type"], detail["msg"])
    what = what.removeprefix("Value error, ").replace("Input should be", "must be")
    code = _CODES.get(detail["type"], "invalid_value")
    return _wrong(encodable(f"{param}: {what}"), param, code)


def _place(loc: Sequence[int | str]) -> str:
    """`messages[0].content`; without what pydantic adds to tell the forms of a value apart."""
    found = ""
    for index, part in enumerate(loc):
        if isinstance(part, int):
            found += f"[{part}]"
        elif not (index == 2 and loc[0] == "messages") and not part.startswith("_"):
            found += f".{part[:100]}" if found else part[:100]
    return found


def _wrong(what: str, param: str | None = None, code: str = "invalid_value") -> RefusedError:
    return RefusedError(400, what, param=encodable(param) if param else None, code=code)
