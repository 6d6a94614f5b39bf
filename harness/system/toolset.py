"""A variant's tools: which are offered, and calling them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.chat import Message, RequestedCall, ServiceError, ToolChoice, ToolSpec
from harness.core.record import Stage, Step
from harness.core.tools import ToolResult
from harness.core.values import JsonValue
from harness.core.variant import ToolCheck, Tools
from harness.ports import Toolbox
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.rejection import Reason, RejectedError
from harness.system.text import bounded, read_json
from harness.templating.template import Expression, render_value

SHOWN_CHARS = 100_000
"""How much of a tool's result a model is shown."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools that a model is offered for one input, and whether it must call one."""

    specs: tuple[ToolSpec, ...] = ()
    choice: ToolChoice = "none"


@dataclass(frozen=True, slots=True)
class _Tool:
    spec: ToolSpec
    toolbox: Toolbox
    when: Expression | None


class Toolset:
    """The tools of a variant; with two of one name, the first one counts."""

    def __init__(self, tools: Tools, parts: Parts) -> None:
        self._policy = tools
        self._when = Expression(tools.when) if tools.when else None
        self._before = [
            (check, Expression(check.when) if check.when else None) for check in tools.before
        ]
        self._tools: dict[str, _Tool] = {}
        for use in tools.use:
            when = Expression(use.when) if use.when else None
            for spec in parts.tools[use.component.key]:
                tool = _Tool(spec, parts.toolboxes[use.component.key], when)
                self._tools.setdefault(spec.name, tool)

    @property
    def max_calls(self) -> int:
        """How many calls a model may make in one trial."""
        return self._policy.max_calls

    def offer(self, variables: Mapping[str, Any]) -> Offer:
        """What the model is offered.

        Raises:
            TemplateError: if a condition does not fit the variables.
            RejectedError: if a tool is required and none is eligible.
        """
        applies = self._when is None or self._when.holds(variables)
        policy = self._policy.policy if applies else self._policy.otherwise
        if policy == "none":
            return Offer()
        specs = tuple(
            tool.spec
            for tool in self._tools.values()
            if tool.when is None or tool.when.holds(variables)
        )
        if specs:
            return Offer(specs, policy)
        if policy == "required":
            raise RejectedError(Reason("tool_required", "none of the tools is eligible"))
        return Offer()

    async def checks(self, log: TrialLog, variables: Mapping[str, Any]) -> dict[str, JsonValue]:
        """What the tools say that are asked before the model, by name.

        A check whose condition does not hold is not made: its result and its error are null.

        Raises:
            TemplateError: if a condition or an argument does not fit the variables.
        """
        return {
            check.name: await self._check(log, check, when, variables)
            for check, when in self._before
        }

    async def _check(
        self,
        log: TrialLog,
        check: ToolCheck,
        when: Expression | None,
        variables: Mapping[str, Any],
    ) -> dict[str, JsonValue]:
        if when is not None and not when.holds(variables):
            return {"result": None, "error": None}
        arguments = render_value(dict(check.arguments), variables, f"tools.before.{check.name}")
        start_s = log.now_s()
        result = await self._called(check.name, arguments, self._tools)
        detail = {"name": check.name, "arguments": arguments, "before": True}
        _note(log, start_s, detail, result)
        return {"result": _value(bounded(result.text)), "error": result.error}

    async def answer(
        self, log: TrialLog, calls: Sequence[RequestedCall], offer: Offer, left: int
    ) -> tuple[Message, ...]:
        """Make the first `left` calls of an answer, one after the other.

        Returns:
            The messages that answer them.

        Raises:
            RejectedError: if there are more; those are not made.
        """
        offered = {spec.name: self._tools[spec.name] for spec in offer.specs}
        messages = []
        for call in calls[:left]:
            start_s = log.now_s()
            arguments, wrong = parsed_arguments(call.arguments)
            result = wrong or await self._called(call.name, arguments, offered)
            shown: JsonValue = bounded(call.arguments) if wrong else arguments
            detail = {"name": bounded(call.name, 200), "arguments": shown, "call_id": call.id}
            _note(log, start_s, detail, result)
            messages.append(Message("tool", _shown(result), call_id=call.id))
        if len(calls) > left:
            most = self.max_calls
            more = f"the model asked for more than {most} call{'s' if most != 1 else ''} of tools"
            raise RejectedError(Reason("tool_loop", more))
        return tuple(messages)

    async def _called(
        self, name: str, arguments: Mapping[str, JsonValue], among: Mapping[str, _Tool]
    ) -> ToolResult:
        tool = among.get(name)
        if tool is None:
            there = ", ".join(among) or "none"
            what = f"there is no tool {bounded(name, 200)!r}; there are: {there}"
            return ToolResult(what, "unknown")
        try:
            return await tool.toolbox.call(name, arguments)
        except ServiceError as error:
            return ToolResult(error.message, error.kind, cost_usd=None)


def parsed_arguments(text: str) -> tuple[dict[str, JsonValue], ToolResult | None]:
    """The arguments that a model wrote, or the result that tells it what is wrong with them.

    Blank text stands for no arguments.
    """
    if not text.strip():
        return {}, None
    try:
        value = read_json(text)
    except ValueError as error:
        return {}, ToolResult(f"the arguments are no JSON: {error}", "arguments")
    if not isinstance(value, dict):
        return {}, ToolResult("the arguments must be a JSON object", "arguments")
    return value, None


def _note(log: TrialLog, start_s: float, detail: dict[str, JsonValue], result: ToolResult) -> None:
    detail["result"] = bounded(result.text)
    if result.error is not None:
        detail["error"] = result.error
    took_s = log.now_s() - start_s
    queue_s = min(max(0.0, result.queue_s), took_s)
    log.add(
        Step(
            Stage.TOOL,
            start_s,
            took_s - queue_s,
            cost_usd=result.cost_usd,
            queue_s=queue_s,
            detail=detail,
        )
    )


def _shown(result: ToolResult) -> str:
    text = bounded(result.text, SHOWN_CHARS)
    return text if result.error is None else f"error ({result.error}): {text}"


def _value(text: str) -> JsonValue:
    try:
        return read_json(text)
    except ValueError:
        return text
