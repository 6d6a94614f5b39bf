"""The plugins that an experiment's live variants use: built once each, checked, and closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, cast

from harness.core.pairwise import PairwiseSpec
from harness.core.pointwise import RubricSpec
from harness.core.values import JsonValue
from harness.core.variant import Component, LiveVariant, ModelChoice, Retrieval
from harness.errors import InputError, Problem
from harness.experiment.residency import residency_problems
from harness.files import sha256
from harness.ports import Provider, Reranker, Retriever, Toolbox
from harness.registry import Kind, build, load_function


@dataclass(frozen=True, slots=True)
class Components:
    """Every plugin by `Component.key`, retrievers by `Retrieval.key`, functions by their name.

    `retrievals` says what the retriever of a key was built for.
    """

    providers: dict[str, Provider] = field(default_factory=dict)
    retrievers: dict[str, Retriever] = field(default_factory=dict)
    retrievals: dict[str, Retrieval] = field(default_factory=dict)
    rerankers: dict[str, Reranker] = field(default_factory=dict)
    toolboxes: dict[str, Toolbox] = field(default_factory=dict)
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def of(self, variants: Iterable[LiveVariant]) -> Components:
        """Those alone that `variants` and the variants within them use."""
        found = Components(functions=self.functions)
        for use in (use for variant in variants for use in uses(variant)):
            own, every = found.table(use.kind), self.table(use.kind)
            own[use.key] = every[use.key]
            found.note(use)
        return found

    def table(self, kind: Kind) -> dict[str, Any]:
        """The instances of a kind of plugin."""
        tables = {
            "provider": self.providers,
            "retriever": self.retrievers,
            "reranker": self.rerankers,
            "tool": self.toolboxes,
        }
        return cast("dict[str, Any]", tables[kind])

    def note(self, use: Use) -> None:
        """Keep what a plugin was built for."""
        if use.retrieval is not None:
            self.retrievals[use.key] = use.retrieval

    def identity(self, variant: LiveVariant) -> dict[str, JsonValue]:
        """What tells apart two routes to the model of `variant`: factors `sdk.*` and `base_url`."""
        provider = self.providers.get(variant.model.provider.key)
        known = dict(provider.identity) if provider else {}
        named = {"base_url": known.pop("base_url", None)}
        named |= {"sdk.client" if n == "sdk" else f"sdk.{n}": value for n, value in known.items()}
        return {name: value for name, value in named.items() if value is not None}

    def facts(self, variant: LiveVariant) -> dict[str, JsonValue]:
        """The identity of every plugin that `variant` itself uses, for the manifest.

        Of rules in Python it is the hash of their module's source.
        """
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
        rules = [rule.function for rule in variant.output.rules if rule.function]
        if rules:
            found["rules"] = {name: _source_sha256(name) for name in rules}
        return found

    async def close(self) -> None:
        """Let go of every connection and end every process, whatever goes wrong on the way.

        Raises:
            Exception: what a plugin raised, once all of them have been closed.
        """
        tables = (self.providers, self.retrievers, self.rerankers, self.toolboxes)
        async with AsyncExitStack() as stack:
            for plugin in [plugin for table in tables for plugin in table.values()]:
                stack.push_async_callback(plugin.close)


@dataclass(frozen=True, slots=True)
class Use:
    """A plugin that a variant uses, and the key that its instance is shared by."""

    variant: str
    kind: Kind
    key: str
    component: Component
    retrieval: Retrieval | None = None


def build_components(
    variants: Iterable[LiveVariant], allowed_hosts: Sequence[str] | None, problems: list[Problem]
) -> Components:
    """All plugins of `variants` and of those they lead to; adds what is wrong to `problems`.

    Nothing is opened, loaded or sent.

    Args:
        variants: the live variants.
        allowed_hosts: patterns of hosts that data may be sent to; None allows all.
        problems: gets unknown plugins, wrong options and hosts that are not allowed.
    """
    found = Components()
    seen: set[tuple[Kind, str]] = set()
    for variant in variants:
        for use in uses(variant):
            if (use.kind, use.key) not in seen:
                seen.add((use.kind, use.key))
                _add(use, found, allowed_hosts, problems)
        _add_functions(variant, found, problems)
    return found


def build_judges(
    specs: Iterable[PairwiseSpec | RubricSpec],
    allowed_hosts: Sequence[str] | None,
    problems: list[Problem],
) -> Components:
    """The providers of all judges, as `build_components` makes those of variants.

    Judges have providers of their own, also where a variant asks through an equal one.
    """
    found = Components()
    for provider in (judge.model.provider for spec in specs for judge in spec.judges):
        if provider.key not in found.providers:
            _add(Use("", "provider", provider.key, provider), found, allowed_hosts, problems)
    return found


def _add(
    use: Use, found: Components, allowed_hosts: Sequence[str] | None, problems: list[Problem]
) -> None:
    """Build one plugin; what is wrong with it is added to `problems`."""
    try:
        plugin = build(use.kind, use.component)
        identity = plugin.identity
    except InputError as error:
        problems += error.problems
    except ValueError as error:  # a local model, for one, that cannot be read
        problems.append(Problem(use.component.where(), f"{use.component.use}: {error}"))
    else:
        found.table(use.kind)[use.key] = plugin
        found.note(use)
        problems += residency_problems(use.component, identity, allowed_hosts)
        problems += _corpus_problems(use, plugin)


def model_choices(variants: Iterable[LiveVariant]) -> dict[str, ModelChoice]:
    """Every model that is asked, by `provider/model`."""
    return {
        task.model.id: task.model
        for variant in variants
        for inner in variant.variants()
        for _, task in inner.subtasks()
    }


def uses(variant: LiveVariant) -> Iterator[Use]:
    """Every plugin of a variant and of those that it leads to, as often as it is used."""
    for inner in variant.variants():
        name = inner.id
        for _, task in inner.subtasks():
            yield Use(name, "provider", task.model.provider.key, task.model.provider)
        if inner.retrieval:
            retrieval = inner.retrieval
            yield Use(name, "retriever", retrieval.key, retrieval.retriever, retrieval)
        if inner.rerank:
            yield Use(name, "reranker", inner.rerank.reranker.key, inner.rerank.reranker)
        for use in inner.tools.use if inner.tools else ():
            yield Use(name, "tool", use.component.key, use.component)


def _corpus_problems(use: Use, plugin: Any) -> list[Problem]:
    if use.retrieval is None or use.retrieval.corpus is not None or not plugin.needs_corpus:
        return []
    what = f"{use.component.use} needs a corpus"
    return [Problem(use.component.where(), what, "add corpus: FOLDER")]


def _add_functions(variant: LiveVariant, found: Components, problems: list[Problem]) -> None:
    """Import the rules in Python."""
    for inner in variant.variants():
        for rule in inner.output.rules:
            if rule.function is None or rule.function in found.functions:
                continue
            try:
                found.functions[rule.function] = load_function(rule.function)
            except ValueError as error:
                problems.append(Problem(rule.where, f"the rule '{rule.name}': {error}"))


def _source_sha256(function: str) -> str | None:
    """The hash of the source of a function's module; None where there is no source."""
    from harness.plugins.tooling.signature import source_of

    try:
        return sha256(source_of(function.partition(":")[0]))
    except (ValueError, OSError):
        return None
