"""The walk of one variant through one trial; a route or a fallback leads to another walk."""

from __future__ import annotations

from harness.core.record import Stage
from harness.core.values import JsonValue, as_text
from harness.core.variant import Fallback, LiveVariant, RouteRule
from harness.ports import Pacer
from harness.system.accepting import Acceptance, Accepted
from harness.system.inputs import input_variables, normalised
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.preparing import Preparation
from harness.system.rejection import RejectedError, own_failures
from harness.system.routing import Router
from harness.system.text import bounded
from harness.system.toolset import Toolset
from harness.system.writing import Writer
from harness.templating.template import Expression

HUMAN = "human"
"""What a trace names where a fixed answer stands in for the system's own."""

TRIGGER_CHARS = 2_000
"""How much of a doubtful output the trace keeps beside the fallback."""


class Walk:
    """One variant, compiled: its own parts, and the walks that it may hand a trial on to.

    `label` is the name under which its steps stand in the trace; empty for the trial's own.
    """

    def __init__(self, variant: LiveVariant, parts: Parts, pacer: Pacer, label: str = "") -> None:
        """Compile.

        Raises:
            TemplateError: if a template is no good.
            InputError: if a schema or a pattern is no good.
        """
        toolset = Toolset(variant.tools, parts) if variant.tools else None
        self._label = label
        self._normalise = variant.normalise
        self._router = Router(variant, variant.route, parts, pacer) if variant.route else None
        self._branches = _branches(variant, parts, pacer)
        self._preparation = Preparation(variant, toolset, parts, pacer)
        self._writer = Writer(variant, toolset, parts, pacer)
        self._acceptance = Acceptance(variant, parts)
        self._fallback = FallbackWalk(variant.fallback, parts, pacer) if variant.fallback else None

    async def answer(self, log: TrialLog, given: JsonValue) -> JsonValue:
        """The output for an input, the fallback's where it answers.

        A failure of the infrastructure does not lead to the fallback: that would hide an outage.

        Raises:
            RejectedError: if the system has no output.
            GaveUpError: if a service that it needs failed.
        """
        log.enter(self._label)
        try:
            with own_failures():
                result = await self._own(log, given)
                doubt = self._doubt(result)
        except RejectedError as rejected:
            log.reject(rejected.reasons)
            if self._fallback is None:
                raise
            return await self._fallback.answer(log, given, _rejection(rejected))
        if isinstance(result, RouteRule):
            return await self._handed_on(log, given, result)
        if self._fallback is not None and doubt is not None:
            return await self._fallback.answer(log, given, doubt)
        return result.output

    async def _own(self, log: TrialLog, given: JsonValue) -> Accepted | RouteRule:
        """This variant's own output, or the rule that leads elsewhere."""
        start_s = log.now_s()
        prepared = normalised(given, self._normalise)
        if self._normalise:
            log.note(Stage.NORMALISE, start_s, {"steps": list(self._normalise)})
        variables = input_variables(prepared)
        if self._router is not None:
            rule = await self._router.choose(log, variables)
            if rule is not None and (rule.variant is not None or rule.answer is not None):
                return rule
        scene = await self._preparation.scene(log, variables)
        written = await self._writer.write(log, scene.variables)
        return await self._acceptance.accepted(log, self._writer, written, scene)

    def _doubt(self, result: Accepted | RouteRule) -> dict[str, JsonValue] | None:
        """What the fallback is told if its condition holds for an accepted output."""
        if self._fallback is None or isinstance(result, RouteRule):
            return None
        return self._fallback.doubt(result)

    async def _handed_on(self, log: TrialLog, given: JsonValue, rule: RouteRule) -> JsonValue:
        """What a route leads to: another variant, with the input as it came, or a fixed answer."""
        if rule.variant is None:
            return rule.answer
        return await self._branches[rule.variant.id].answer(log, given)


class FallbackWalk:
    """A fallback, compiled."""

    def __init__(self, fallback: Fallback, parts: Parts, pacer: Pacer) -> None:
        other = fallback.variant
        self._walk = Walk(other, parts, pacer, other.id) if other else None
        self._to = other.id if other else HUMAN
        self._fixed = fallback.answer
        self._condition = fallback.when
        self._when = Expression(fallback.when) if fallback.when else None

    def doubt(self, accepted: Accepted) -> dict[str, JsonValue] | None:
        """What triggers the fallback although the output was accepted; None if nothing does.

        Raises:
            TemplateError: if the condition does not fit the output.
        """
        if self._condition is None or self._when is None:
            return None
        output, confidence = accepted.output, accepted.confidence
        variables = {**accepted.scene.variables, "output": output, "confidence": confidence}
        if not self._when.holds(variables):
            return None
        return {
            "reason": "condition",
            "when": self._condition.text,
            "confidence": confidence,
            "output": bounded(as_text(output), TRIGGER_CHARS),
        }

    async def answer(
        self, log: TrialLog, given: JsonValue, trigger: dict[str, JsonValue]
    ) -> JsonValue:
        """What answers instead; `trigger` says why, for the trace."""
        log.note(Stage.FALLBACK, log.now_s(), {**trigger, "to": self._to})
        log.fallback_used = self._to
        if self._walk is not None:
            return await self._walk.answer(log, given)
        log.wrote(None)
        return self._fixed


def _branches(variant: LiveVariant, parts: Parts, pacer: Pacer) -> dict[str, Walk]:
    """The walks that the rules of a route lead to, by the variant's id."""
    rules = variant.route.rules if variant.route else ()
    others = {rule.variant.id: rule.variant for rule in rules if rule.variant is not None}
    return {name: Walk(other, parts, pacer, name) for name, other in others.items()}


def _rejection(rejected: RejectedError) -> dict[str, JsonValue]:
    reasons = [str(reason) for reason in rejected.reasons]
    return {"reason": "rejected", "kind": rejected.kind, "reasons": reasons}
