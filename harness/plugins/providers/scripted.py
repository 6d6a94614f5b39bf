"""A model that answers by rules from a file: for trying a variant, and for users' own tests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from harness.core.chat import (
    Completion,
    ErrorKind,
    FinishReason,
    Message,
    ModelRequest,
    RequestedCall,
    ServiceError,
)
from harness.core.options import Number, Whole
from harness.core.record import Usage
from harness.core.values import JsonValue, as_text, fingerprint
from harness.plugins.texts.patterns import TIMEOUT_S, Pattern, compile_pattern
from harness.plugins.texts.yaml_text import YamlText, read_yaml_text

_IN_WORDS = {"extra_forbidden": "there is no such key", "tuple_type": "it must be a list"}

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[Whole, Field(ge=0)]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class When(_Options):
    """What a request must be for a rule to apply; all that is given must hold."""

    contains: Text | None = Field(default=None, description="A part of the last message's text.")
    equals: str | None = Field(default=None, description="The last message's whole text.")
    regex: Pattern | None = Field(default=None, description="Found in the last message's text.")
    system: Text | None = Field(default=None, description="A part of the system prompt.")
    model: Text | None = Field(default=None, description="The model's name.")
    tools: bool | None = Field(default=None, description="Whether tools are offered.")

    def holds(self, request: ModelRequest) -> bool:
        """Whether the rule applies; "the last message" is the last of the user or of a tool.

        Raises:
            TimeoutError: if the pattern is catastrophic on that text.
        """
        text, system = _asked(request.messages), _system(request.messages)
        return (
            (self.contains is None or self.contains in text)
            and (self.equals is None or self.equals == text)
            and (self.system is None or self.system in system)
            and (self.model is None or self.model == request.model)
            and (self.tools is None or self.tools == bool(request.tools))
            and (self.regex is None or _found(self.regex, text))
        )


class ScriptedCall(_Options):
    """A tool call that the model asks for."""

    name: Text = Field(description="The tool.")
    arguments: dict[str, JsonValue] | str = Field(
        default={}, description="A mapping; or text, which is sent as it is, JSON or not."
    )


class ScriptedUsage(_Options):
    """Tokens; those left out are counted: words. Null is unknown."""

    prompt_tokens: Count | None = None
    cached_prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class Rule(_Options):
    """An answer, or an error, and when it is given."""

    when: When | None = Field(default=None, description="Without it the rule always applies.")
    answer: JsonValue = Field(default=None, description="A text; other values are sent as JSON.")
    calls: tuple[ScriptedCall, ...] = Field(default=(), description="Tool calls.")
    usage: ScriptedUsage = Field(default=ScriptedUsage(), description="Tokens.")
    finish_reason: FinishReason | None = Field(
        default=None, description="Default: tool_calls with calls, else stop."
    )
    confidence: Annotated[Number, Field(ge=0, le=1)] | None = Field(
        default=None, description="As if log-probabilities had been asked for."
    )
    error: ErrorKind | None = Field(default=None, description="The attempt fails that way.")
    times: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None,
        description="The rule applies to the first so many requests with the same messages.",
    )

    @model_validator(mode="after")
    def _one(self) -> Rule:
        answers = self.model_fields_set & {"answer", "calls"}
        if not answers and self.error is None:
            raise ValueError("a rule needs one of `answer`, `calls` and `error`")
        beside = {"answer", "calls", "usage", "finish_reason", "confidence"}
        if self.error is not None and self.model_fields_set & beside:
            raise ValueError("a rule with an `error` gives no answer: leave out the rest")
        return self


def _some(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if not rules:
        raise ValueError("there are no rules")
    return rules


Rules = Annotated[tuple[Rule, ...], AfterValidator(_some)]
_RULES: TypeAdapter[tuple[Rule, ...]] = TypeAdapter(Rules)


def _load(rules: Any, info: ValidationInfo) -> Any:
    """A path becomes the rules in that file, so that the provider holds all it depends on."""
    if not isinstance(rules, str):
        return rules
    context = info.context or {}
    find_file = context.get("find_file", Path(context.get("folder", "")).joinpath)
    try:
        text = read_yaml_text(find_file(rules))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read the rules {rules!r}: {error}") from None
    try:
        return _RULES.validate_python(text.data)
    except ValidationError as error:
        told = "; ".join(_problems(error, text))
        raise ValueError(f"the rules {rules!r} are wrong: {told}") from None


class Scripted(BaseModel):
    """Answers by the first rule that applies; the same request always gets the same answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    in_process: ClassVar[bool] = True
    key_hints: ClassVar[Mapping[str, str]] = {"rules": "give the path of a YAML file with rules"}

    rules: Annotated[Rules, BeforeValidator(_load, json_schema_input_type=list[Rule] | str)] = (
        Field(description="The path of a YAML file that holds a list of rules, or the list itself.")
    )
    _n_used: Counter[tuple[int, str]] = PrivateAttr(default_factory=Counter)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The rules' hash: other rules are another model."""
        rules = [rule.model_dump(mode="json", exclude_unset=True) for rule in self.rules]
        return {"sdk": "scripted", "api_version": None, "rules_sha256": fingerprint(rules)}

    def problems(self, request: ModelRequest) -> Sequence[str]:
        """Takes all that a request may hold, for it is there to try variants."""
        return ()

    async def open(self) -> None:
        """Nothing is to be made ready."""

    async def complete(self, request: ModelRequest) -> Completion:
        """The answer of the first rule that applies.

        Raises:
            ServiceError: the rule's error; `not_found` if no rule applies.
        """
        started = perf_counter()
        try:
            rule = self._rule(request)
            if rule.error is not None:
                raise ServiceError(rule.error, f"scripted: {rule.error}")
            return _completion(rule, request, started)
        except ServiceError as error:
            error.latency_s = perf_counter() - started
            raise

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _rule(self, request: ModelRequest) -> Rule:
        same = fingerprint([request.model, [_plain(message) for message in request.messages]])
        for index, rule in enumerate(self.rules):
            if rule.times is not None and self._n_used[index, same] >= rule.times:
                continue
            try:
                applies = rule.when is None or rule.when.holds(request)
            except TimeoutError:
                what = f"the regex of rule {index + 1} took over {TIMEOUT_S:g} s"
                raise ServiceError("bad_request", what) from None
            if applies:
                if rule.times is not None:
                    self._n_used[index, same] += 1
                return rule
        asked = _asked(request.messages)
        raise ServiceError(
            "not_found", f"no rule applies to {asked[:80]!r}; add one without `when` to the end"
        )


def _completion(rule: Rule, request: ModelRequest, started: float) -> Completion:
    text = "" if rule.answer is None else as_text(rule.answer)
    n_before = sum(len(message.calls) for message in request.messages)
    calls = tuple(
        RequestedCall(f"call_{n_before + index}", call.name, _arguments(call))
        for index, call in enumerate(rule.calls, 1)
    )
    usage = _usage(rule, request, text, calls)
    latency_s = perf_counter() - started
    return Completion(
        text=text,
        calls=calls,
        finish_reason=rule.finish_reason or ("tool_calls" if calls else "stop"),
        usage=usage,
        latency_s=latency_s,
        ttft_s=latency_s if request.stream else None,
        served_model=request.model,
        confidence=rule.confidence,
    )


def _usage(rule: Rule, request: ModelRequest, text: str, calls: Sequence[RequestedCall]) -> Usage:
    """The rule's numbers, and for those left out: words of the prompt and of the answer."""
    written = [message.content for message in request.messages]
    written += [call.arguments for message in request.messages for call in message.calls]
    counted: dict[str, int | None] = {
        "prompt_tokens": _n_words(written),
        "cached_prompt_tokens": 0,
        "completion_tokens": _n_words([text, *(call.arguments for call in calls)]),
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
    }
    return Usage(**(counted | rule.usage.model_dump(exclude_unset=True)))


def _n_words(texts: Sequence[str]) -> int:
    return sum(len(text.split()) for text in texts)


def _arguments(call: ScriptedCall) -> str:
    given = call.arguments
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _asked(messages: Sequence[Message]) -> str:
    """The text of the last message of the user or of a tool."""
    found = (m.content for m in reversed(messages) if m.role in {"user", "tool"})
    return next(found, "")


def _system(messages: Sequence[Message]) -> str:
    return "\n".join(message.content for message in messages if message.role == "system")


def _plain(message: Message) -> JsonValue:
    calls = [[call.name, call.arguments] for call in message.calls]
    return [message.role, message.content, calls]


def _found(pattern: str, text: str) -> bool:
    return compile_pattern(pattern).search(text, timeout=TIMEOUT_S) is not None


def _problems(error: ValidationError, text: YamlText) -> Iterator[str]:
    """The first few things that are wrong with the rules in a file, each with its line."""
    details = error.errors(include_url=False, include_input=False)
    for detail in details[:5]:
        loc = tuple(part for part in detail["loc"] if part not in {"str", "dict[str,any]"})
        what = detail["msg"].removeprefix("Value error, ")
        what = _IN_WORDS.get(detail["type"], what)
        place = ".".join(str(part + 1) if isinstance(part, int) else part for part in loc)
        yield f"line {text.line(loc)}: " + (f"rule {place}: {what}" if loc else what)
    if len(details) > 5:
        yield f"and {len(details) - 5} more"
