"""Asks a model with a prompt, and keeps exactly what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.core.chat import (
    Completion,
    Message,
    ModelRequest,
    RequestedCall,
    ServiceError,
    ToolChoice,
    ToolSpec,
)
from harness.core.record import Stage, Step, Usage
from harness.core.values import JsonValue, encodable, fields_of, fingerprint
from harness.core.variant import ModelChoice, Prompt, Subtask
from harness.ports import Budget, Pacer
from harness.system.calls import Call, made, service
from harness.system.log import Ended, TrialLog
from harness.system.parts import Parts
from harness.system.redaction import Redactor
from harness.system.text import bounded
from harness.templating.template import PromptTemplate


@dataclass(frozen=True, slots=True)
class Question:
    """What is put to a model: a conversation, of which messages from `new` on are new to it."""

    messages: tuple[Message, ...]
    new: int = 0
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    schema: Mapping[str, JsonValue] | None = None


def model_request(choice: ModelChoice, question: Question, repeat: int = 0) -> ModelRequest:
    """The request to a model; its seed, where one is set, is that of the repeat."""
    params = dict(choice.params)
    if params.get("seed") is not None:
        params["seed"] += repeat
    return ModelRequest(
        model=choice.name,
        messages=question.messages,
        params=params,
        tools=question.tools,
        tool_choice=question.tool_choice if question.tools else "auto",
        schema=question.schema,
        stream=choice.stream,
        timeout_s=choice.timeout_s,
    )


class PromptMessages:
    """A prompt's templates, compiled."""

    def __init__(self, prompt: Prompt) -> None:
        self._system = PromptTemplate(prompt.system) if prompt.system else None
        self._user = PromptTemplate(prompt.user)

    def render(self, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        """The messages.

        Raises:
            TemplateError: if a template does not fit the variables.
        """
        user = Message("user", encodable(self._user.render(variables)))
        if self._system is None:
            return (user,)
        return Message("system", encodable(self._system.render(variables))), user


class Asker:
    """One model with one prompt."""

    def __init__(self, subtask: Subtask, parts: Parts, pacer: Pacer) -> None:
        self._choice = subtask.model
        self._provider = parts.providers[subtask.model.provider.key]
        self._prompt = PromptMessages(subtask.prompt)
        self._route = service(subtask.model.provider, subtask.model.name)
        self._parts = parts
        self._pacer = pacer
        in_process = getattr(self._provider, "in_process", False)
        self._cache = None if in_process else parts.cache
        self._redactor = Redactor(parts.secrets)

    def messages(self, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        """The prompt's messages.

        Raises:
            TemplateError: if a template does not fit the variables.
        """
        return self._prompt.render(variables)

    async def ask(self, log: TrialLog, stage: Stage, question: Question) -> Completion:
        """Ask, and add the call to the log.

        Raises:
            GaveUpError: if there is no answer.
        """
        return log.take(await self.call(log, stage, question))

    async def call(self, log: TrialLog, stage: Stage, question: Question) -> Ended[Completion]:
        """Ask; the call is not in the log yet."""
        request = model_request(self._choice, question, log.repeat)
        asked = self._asked(question)

        async def attempt() -> Completion:
            if self._parts.budget is not None:
                return await self._within(self._parts.budget, request)
            return _sendable(await self._provider.complete(request))

        key = self._key(request, log.repeat)
        kept = self._cache.get(key) if self._cache else None

        def described(step: Step, answer: Completion) -> tuple[Step, ...]:
            cost_usd = self._parts.cost_usd(self._choice, answer.usage)
            detail = {**asked, **_answered(answer)}
            return (replace(step, cost_usd=cost_usd, usage=answer.usage, detail=detail),)

        if kept is not None:
            log.cached = True
            step = Step(stage, log.now_s(), 0.0, attempts=0)
            (step,) = described(step, kept)
            return Ended((replace(step, detail={**step.detail, "cached": True}),), kept)
        call = Call(
            stage, self._route, attempt, described, asked, Usage(), _own_s, _n_tokens(request)
        )
        ended = await made(call, self._pacer, log)
        if self._cache and ended.value is not None:
            self._cache.put(key, self._redactor.completion(ended.value))
        return ended

    async def _within(self, budget: Budget, request: ModelRequest) -> Completion:
        """Make an attempt within the budget; one that fails may have been billed like an answer."""
        most_usd = self._most_usd(request)
        await budget.reserve(most_usd)
        cost_usd = most_usd
        try:
            answer = _sendable(await self._provider.complete(request))
            known_usd = self._parts.cost_usd(self._choice, answer.usage)
            cost_usd = most_usd if known_usd is None else known_usd
        except ServiceError as error:
            cost_usd = 0.0 if error.kind in NOT_BILLED else most_usd
            raise
        finally:
            await budget.settle(most_usd, cost_usd)
        return answer

    def _most_usd(self, request: ModelRequest) -> float:
        """What a call can cost at most: a prompt has no more tokens than bytes.

        The budget is only there where prices and lengths of answers are known.
        """
        texts = [message.content for message in request.messages]
        texts += [call.arguments for message in request.messages for call in message.calls]
        texts += [f"{tool.description}{tool.parameters}" for tool in request.tools]
        n_prompt = sum(len(text.encode(errors="replace")) + _FRAME_BYTES for text in texts)
        n_answer: Any = request.params["max_output_tokens"]
        costs = [
            self._parts.cost_usd(self._choice, Usage(n_prompt, 0, n_answer, n_written, 0))
            for n_written in (0, n_prompt)
        ]
        return max(cost or 0.0 for cost in costs)

    def _key(self, request: ModelRequest, repeat: int) -> str:
        """The hash of all that an answer depends on."""
        if self._cache is None:
            return ""
        asked = {
            "provider": self._choice.provider.key,
            "identity": dict(self._provider.identity),
            "model": request.model,
            "messages": [
                {**fields_of(message), "calls": list(map(fields_of, message.calls))}
                for message in request.messages
            ],
            "params": dict(request.params),
            "tools": list(map(fields_of, request.tools)),
            "tool_choice": request.tool_choice,
            "schema": request.schema,
            "stream": request.stream,
            "repeat": repeat,
        }
        return fingerprint(asked)

    def _asked(self, question: Question) -> dict[str, JsonValue]:
        new = [_message_json(message) for message in question.messages[question.new :]]
        asked: dict[str, JsonValue] = {"model": self._choice.id, "route": self._route}
        asked["messages"] = new
        if question.tools:
            asked["tools"] = [tool.name for tool in question.tools]
            asked["tool_choice"] = question.tool_choice
        return asked


NOT_BILLED = frozenset(
    {"connection", "rate_limited", "overloaded", "authentication", "not_found", "bad_request"}
)
"""An attempt that fails so costs nothing."""
_FRAME_BYTES = 64
"""For what a provider puts around each text: roles, names, marks."""


def _n_tokens(request: ModelRequest) -> int:
    """What providers count beforehand: the prompt, by its length, and the longest answer."""
    n_characters = sum(len(message.content) for message in request.messages)
    n_answer: Any = request.params.get("max_output_tokens") or 0
    return n_characters // 4 + int(n_answer)


def _own_s(answer: Completion) -> float:
    return answer.latency_s


def _sendable(answer: Completion) -> Completion:
    """The answer without halves of surrogate pairs, which no request and no file can hold."""
    if not answer.calls and answer.text.isascii():
        return answer
    calls = tuple(
        RequestedCall(encodable(call.id), encodable(call.name), encodable(call.arguments))
        for call in answer.calls
    )
    return replace(answer, text=encodable(answer.text), calls=calls)


def _message_json(message: Message) -> dict[str, JsonValue]:
    shown: dict[str, JsonValue] = {"role": message.role, "content": bounded(message.content)}
    if message.calls:
        shown["calls"] = _calls_json(message.calls)
    if message.call_id is not None:
        shown["call_id"] = message.call_id
    return shown


def _calls_json(calls: tuple[RequestedCall, ...]) -> list[JsonValue]:
    return [
        {"id": call.id, "name": bounded(call.name, 200), "arguments": bounded(call.arguments)}
        for call in calls
    ]


def _answered(answer: Completion) -> dict[str, JsonValue]:
    shown: dict[str, JsonValue] = {
        "text": bounded(answer.text),
        "finish_reason": answer.finish_reason,
        "served_model": answer.served_model,
    }
    if answer.calls:
        shown["calls"] = _calls_json(answer.calls)
    if answer.ttft_s is not None:
        shown["ttft_s"] = answer.ttft_s
    if answer.connect_s is not None:
        shown["connect_s"] = round(answer.connect_s, 6)
    if answer.confidence is not None:
        shown["confidence"] = answer.confidence
    return shown
