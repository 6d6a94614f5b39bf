"""A thin router: which rule applies to an input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.record import Stage
from harness.core.variant import LiveVariant, Route, RouteRule
from harness.ports import Pacer
from harness.system.asking import Asker, Question
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.text import bounded
from harness.templating.template import Expression

FIXED = "answer"
"""What a trace names where a route gave a fixed answer."""


class Router:
    """A variant's route."""

    def __init__(self, variant: LiveVariant, route: Route, parts: Parts, pacer: Pacer) -> None:
        self._own_id = variant.id
        self._rules = [(rule, Expression(rule.when) if rule.when else None) for rule in route.rules]
        self._router = Asker(route.router, parts, pacer) if route.router else None

    async def choose(self, log: TrialLog, variables: Mapping[str, Any]) -> RouteRule | None:
        """The first rule that applies; None if none does. The router is asked once, before.

        Raises:
            TemplateError: if a condition does not fit the input.
            GaveUpError: if the router's model failed.
        """
        label = await self._label(log, variables)
        start_s = log.now_s()
        rule = self._first(label, variables)
        to = self._destination(rule)
        log.routed(to)
        name = rule.name if rule else None
        log.note(Stage.ROUTE, start_s, {"rule": name, "label": label, "to": to})
        return rule

    async def _label(self, log: TrialLog, variables: Mapping[str, Any]) -> str | None:
        if self._router is None:
            return None
        question = Question(self._router.messages(variables))
        answer = await self._router.ask(log, Stage.ROUTE, question)
        return bounded(answer.text.strip(), 200)

    def _first(self, label: str | None, variables: Mapping[str, Any]) -> RouteRule | None:
        for rule, condition in self._rules:
            if condition is not None and condition.holds(variables):
                return rule
            if rule.label is not None and label is not None and _same(rule.label, label):
                return rule
        return None

    def _destination(self, rule: RouteRule | None) -> str | None:
        if rule is None:
            return None
        if rule.variant is not None:
            return rule.variant.id
        return self._own_id if rule.answer is None else FIXED


def _same(wanted: str, label: str) -> bool:
    return wanted.strip().casefold() == label.casefold()
