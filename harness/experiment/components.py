"""The plugins that an experiment's live variants use: built once each, checked, and closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any, cast
from urllib.parse import urlsplit

from harness.config.suggest import listed
from harness.core.chat import ServiceError
from harness.core.values import JsonValue
from harness.core.variant import Component, LiveVariant, ModelChoice, Retrieval
from harness.errors import InputError, Problem
from harness.ports import Provider, Reranker, Retriever, Toolbox
from harness.registry import Kind, build, load_function


@dataclass(frozen=True, slots=True)
class Components:
    """Every plugin by `Component.key`, retrievers by `Retrieval.key`, functions by their name."""

    providers: dict[str, Provider] = field(default_factory=dict)
    retrievers: dict[str, Retriever] = field(default_factory=dict)
    retrievals: dict[str, Retrieval] = field(default_factory=dict)
    rerankers: dict[str, Reranker] = field(default_factory=dict)
    toolboxes: dict[str, Toolbox] = field(default_factory=dict)
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def identity(self, variant: LiveVariant) -> dict[str, JsonValue]:
        """What tells apart two routes to the model of `variant`: factors `sdk.*` and `base_url`."""
        provider = self.providers.get(variant.model.provider.key)
        known = dict(provider.identity) if provider else {}
        named = {"base_url": known.pop("base_url", None), **_prefixed(known)}
        return {name: value for name, value in named.items() if value is not None}

    def facts(self, variant: LiveVariant) -> dict[str, JsonValue]:
        """The identity of every plugin that `variant` itself uses, for the manifest."""
        found: dict[str, JsonValue] = {}
        for name, task in variant.subtasks():
            found[name] = dict(self.providers[task.model.provider.key].identity)
        if variant.retrieval:
            found["retrieval"] = dict(self.retrievers[variant.retrieval.key].identity)
        if variant.rerank:
            found["rerank"] = dict(self.rerankers[variant.rerank.reranker.key].identity)
        if variant.tools:
            found["tools"] = [
                dict(self.toolboxes[use.component.key].identity) for use in variant.tools.use
            ]
        return found

    async def close(self) -> None:
        """Let go of every connection and end every process."""
        plugins = (self.providers, self.retrievers, self.rerankers, self.toolboxes)
        for plugin in [plugin for table in plugins for plugin in table.values()]:
            with suppress(ServiceError):
                await plugin.close()


def build_components(
    variants: Iterable[LiveVariant], allowed_hosts: Sequence[str] | None, problems: list[Problem]
) -> Components:
    """All plugins of `variants` and of those they lead to; adds what is wrong to `problems`.

    Args:
        variants: the live variants.
        allowed_hosts: patterns of hosts that may be asked (data residency); None allows all.
        problems: gets unknown plugins, wrong options and hosts that are not allowed.
    """
    found = Components()
    broken: set[str] = set()
    for variant in (inner for outer in variants for inner in outer.variants()):
        for kind, key, component, table in _uses(variant, found):
            if key in table or f"{kind} {key}" in broken:
                continue
            try:
                table[key] = build(kind, component)
            except InputError as error:
                problems += error.problems
                broken.add(f"{kind} {key}")
                continue
            problems += _residency(component, table[key].identity, allowed_hosts)
        if variant.retrieval and variant.retrieval.key in found.retrievers:
            found.retrievals[variant.retrieval.key] = variant.retrieval
            problems += _corpus_problems(variant.retrieval, found)
        _add_functions(variant, found, problems)
    return found


def _uses(
    variant: LiveVariant, found: Components
) -> Iterator[tuple[Kind, str, Component, dict[str, Any]]]:
    """Every component of a variant: its kind, key and the table that holds its instance."""
    for _, task in variant.subtasks():
        provider = task.model.provider
        yield "provider", provider.key, provider, cast("dict[str, Any]", found.providers)
    if variant.retrieval:
        retrieval = variant.retrieval
        yield "retriever", retrieval.key, retrieval.retriever, found.retrievers
    if variant.rerank:
        reranker = variant.rerank.reranker
        yield "reranker", reranker.key, reranker, found.rerankers
    for use in variant.tools.use if variant.tools else ():
        yield "tool", use.component.key, use.component, found.toolboxes


def _corpus_problems(retrieval: Retrieval, found: Components) -> list[Problem]:
    retriever, name = found.retrievers[retrieval.key], retrieval.retriever.use
    if retriever.needs_corpus and retrieval.corpus is None:
        return [Problem(retrieval.retriever.where(), f"{name} needs a corpus", "corpus: FOLDER")]
    return []


def _add_functions(variant: LiveVariant, found: Components, problems: list[Problem]) -> None:
    for rule in variant.output.rules:
        if rule.function is None or rule.function in found.functions:
            continue
        try:
            found.functions[rule.function] = load_function(rule.function)
        except ValueError as error:
            problems.append(Problem("", f"{variant.id}: the rule '{rule.name}': {error}"))


def _residency(
    component: Component, identity: Mapping[str, JsonValue], allowed: Sequence[str] | None
) -> list[Problem]:
    """A problem if the plugin would send data to a host that is not allowed."""
    address = identity.get("base_url")
    if allowed is None or not isinstance(address, str):
        return []
    host = urlsplit(address if "//" in address else f"//{address}").hostname or address
    if any(fnmatch(host, pattern) for pattern in allowed):
        return []
    what = f"{component.use} would send data to {host}, which is not among allowed_hosts"
    return [Problem(component.where(), what, f"allowed are: {listed(allowed)}")]


def _prefixed(identity: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        "sdk.client" if name == "sdk" else f"sdk.{name}": value for name, value in identity.items()
    }


def model_choices(variants: Iterable[LiveVariant]) -> dict[str, ModelChoice]:
    """Every model that is asked, by `provider/model`."""
    return {
        task.model.id: task.model
        for variant in variants
        for inner in variant.variants()
        for _, task in inner.subtasks()
    }
