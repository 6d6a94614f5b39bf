"""Live variants by their factors, as the plugins that they use see them.

An option that is given as its plugin has it anyway is left out, and an address has one spelling:
two variants differ only where what they do may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from harness.core.factors import content_of, named_hash
from harness.core.values import JsonValue, fingerprint
from harness.core.variant import LiveVariant, Subtask
from harness.experiment.components import Components
from harness.planning.factors import Arm

_PREFIXES = {
    "generate": "",
    "rewrite": "retrieval.rewrite.",
    "compress": "context.compress.",
    "route": "route.router.",
    "draft": "draft.",
}
"""Where the factors of a model call stand, by its name."""


def live_arm(variant: LiveVariant, components: Components) -> Arm:
    """The factors of a variant, the route to its model among them, and its templates."""
    identity = components.identity(variant)
    # what a file among the options holds is a factor of the options already
    route = {name: value for name, value in identity.items() if not name.endswith("_sha256")}
    told = {f"provider.{name.removeprefix('sdk.')}" for name in route}
    factors = {n: v for n, v in _factors(variant, components).items() if n not in told}
    return Arm(variant.id, {**factors, **route}, texts=dict(_texts(variant)))


def hashed(factors: Mapping[str, JsonValue]) -> str:
    """A hash of factors; files count by their content."""
    return fingerprint({name: content_of(value) for name, value in factors.items()})


def _factors(variant: LiveVariant, components: Components) -> dict[str, JsonValue]:
    """The definition without defaults of plugins, here and in the variants that it leads to."""
    left_out = set(_defaults(variant, components))
    found = {
        name: value
        for name, value in variant.definition.items()
        if not any(name == one or name.startswith(f"{one}.") for one in left_out)
    }
    for name, task in variant.subtasks():
        provider = components.providers.get(task.model.provider.key)
        address = provider.identity.get("base_url") if provider else None
        if address is not None:
            found[f"{_PREFIXES[name]}base_url"] = address
    for name, other in _others(variant):
        found[name] = named_hash(other.id, hashed(_factors(other, components)))
    return found


def _others(variant: LiveVariant) -> Iterator[tuple[str, LiveVariant]]:
    if variant.fallback and variant.fallback.variant:
        yield "fallback.to", variant.fallback.variant
    for index, rule in enumerate(variant.route.rules if variant.route else ()):
        if rule.variant:
            yield f"route.rules.{index}.to", rule.variant


def _defaults(variant: LiveVariant, components: Components) -> Iterator[str]:
    """The names of factors that say no more than the plugin does."""
    for name, task in variant.subtasks():
        provider, prefix = task.model.provider, f"{_PREFIXES[name]}provider."
        plugin = components.providers.get(provider.key)
        yield from (prefix + option for option in _idle(plugin, provider.options))
    if variant.retrieval:
        chosen = variant.retrieval.retriever
        retriever = components.retrievers.get(variant.retrieval.key)
        yield from (f"retrieval.{option}" for option in _idle(retriever, chosen.options))
    if variant.rerank:
        chosen = variant.rerank.reranker
        reranker = components.rerankers.get(chosen.key)
        yield from (f"rerank.{option}" for option in _idle(reranker, chosen.options))
    for index, use in enumerate(variant.tools.use if variant.tools else ()):
        toolbox = components.toolboxes.get(use.component.key)
        prefix = f"tools.use.{index}."
        yield from (prefix + option for option in _idle(toolbox, use.component.options))


def _idle(plugin: Any, options: Mapping[str, JsonValue]) -> Iterator[str]:
    """The options that are given as they are anyway, by dotted path; a `kind` always counts."""
    for name, field in type(plugin).model_fields.items() if isinstance(plugin, BaseModel) else ():
        option = field.alias or name
        if option not in options or option == "kind":
            continue
        value, given = getattr(plugin, name), options[option]
        if not field.is_required() and value == field.get_default(call_default_factory=True):
            yield option
        elif isinstance(given, Mapping):
            yield from (f"{option}.{inner}" for inner in _idle(value, given))


def _texts(variant: LiveVariant) -> Iterator[tuple[str, str]]:
    """Every template by the name of its factor."""
    if variant.retrieval and variant.retrieval.query:
        yield "retrieval.query", variant.retrieval.query.text
    for name, task in variant.subtasks():
        yield from _templates(_PREFIXES[name], task)


def _templates(prefix: str, task: Subtask) -> Iterator[tuple[str, str]]:
    yield f"{prefix}user_template", task.prompt.user.text
    if task.prompt.system:
        yield f"{prefix}system_template", task.prompt.system.text
