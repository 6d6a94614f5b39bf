"""The requests that a variant would send, for checks before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.chat import ModelRequest, ToolChoice, ToolSpec
from harness.core.variant import LiveVariant, ModelChoice
from harness.system.asking import Question, model_request
from harness.system.parts import Parts


def requests(variant: LiveVariant, parts: Parts) -> list[tuple[str, ModelChoice, ModelRequest]]:
    """Every request of a variant and of those that it leads to, without its messages.

    Returns:
        For each: what it is for (`prompt_rag: generate`), the model, the request.
    """
    return [
        (f"{inner.id}: {name}", choice, model_request(choice, question))
        for inner in variant.variants()
        for name, choice, question in _questions(inner, parts)
    ]


def _questions(variant: LiveVariant, parts: Parts) -> Iterator[tuple[str, ModelChoice, Question]]:
    schema = variant.output.schema if variant.output.structured else None
    for name, task in variant.subtasks():
        writes = name == ("draft" if variant.draft else "generate")
        specs, choice = _offered(variant, parts) if name == "generate" else ((), "auto")
        question = Question((), 0, specs, choice, schema if writes else None)
        yield name, task.model, question


def _offered(variant: LiveVariant, parts: Parts) -> tuple[tuple[ToolSpec, ...], ToolChoice]:
    """The most that a model may be offered, and the strictest choice."""
    tools = variant.tools
    if tools is None:
        return (), "auto"
    policies = {tools.policy, tools.otherwise if tools.when else tools.policy}
    if policies == {"none"}:
        return (), "auto"
    specs = {
        spec.name: spec
        for use in reversed(tools.use)
        for spec in reversed(parts.tools.get(use.component.key, ()))
    }
    return tuple(reversed(specs.values())), "required" if "required" in policies else "auto"
