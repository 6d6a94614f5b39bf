"""Makes everything ready for the first trial, so that no trial's time holds what is done once."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.chat import ServiceError, ToolSpec
from harness.core.prices import PriceBook
from harness.core.variant import LiveVariant
from harness.errors import InputError, Problem
from harness.experiment.components import Components
from harness.experiment.indexes import open_retrievers
from harness.experiment.pricing import pricer
from harness.experiment.readiness import not_opened, secrets_of, wrong_tools
from harness.ports import AnswerCache, Budget, Provider, Reranker
from harness.registry import Kind
from harness.system.parts import Parts


async def opened_parts(
    variants: Sequence[LiveVariant],
    used: Components,
    prices: PriceBook,
    cache: AnswerCache | None = None,
    budget: Budget | None = None,
) -> Parts:
    """What the systems of a run are put together from, opened. The caller closes `used`.

    Args:
        variants: the variants to run.
        used: the plugins that they use.
        prices: what calls of models cost.
        cache: keeps answers between runs.
        budget: bounds what is spent.

    Raises:
        InputError: naming every plugin that cannot be opened, and the variants that use it.
    """
    from harness.corpus.tokens import count_tokens
    from harness.plugins.nearest import nearest

    problems: list[Problem] = []
    await open_retrievers(variants, used, problems)
    await _open_services(variants, used, problems)
    tools = await _open_tools(variants, used, problems)
    problems += wrong_tools(
        variants, {key: [spec.name for spec in specs] for key, specs in tools.items()}
    )
    if problems:
        raise InputError(dict.fromkeys(problems))
    if any(inner.retrieval for variant in variants for inner in variant.variants()):
        count_tokens("")  # reads the vocabulary
    return Parts(
        providers=used.providers,
        retrievers=used.retrievers,
        rerankers=used.rerankers,
        toolboxes=used.toolboxes,
        tools=tools,
        functions=used.functions,
        cost_usd=pricer(prices),
        count_tokens=count_tokens,
        nearest=nearest,
        cache=cache,
        budget=budget,
        secrets=tuple(secrets_of(used)),
    )


async def _open_services(
    variants: Sequence[LiveVariant], used: Components, problems: list[Problem]
) -> None:
    """Have the clients of models and rerankers imported, and local weights read."""
    services: list[tuple[Kind, str, Provider | Reranker]] = [
        *(("provider", key, provider) for key, provider in used.providers.items()),
        *(("reranker", key, reranker) for key, reranker in used.rerankers.items()),
    ]
    for kind, key, service in services:
        try:
            await service.open()
        except ServiceError as error:
            problems.append(not_opened(variants, kind, key, error))


async def _open_tools(
    variants: Sequence[LiveVariant], used: Components, problems: list[Problem]
) -> dict[str, tuple[ToolSpec, ...]]:
    """The tools of every toolbox that could be opened, by its key."""
    tools = {}
    for key, toolbox in used.toolboxes.items():
        try:
            tools[key] = tuple(await toolbox.open())
        except ServiceError as error:
            problems.append(not_opened(variants, "tool", key, error))
    return tools
