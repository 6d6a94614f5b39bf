"""Makes everything ready for the first trial, so that no trial's time holds what is done once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.core.chat import ServiceError, ToolSpec
from harness.core.prices import PriceBook
from harness.core.variant import LiveVariant
from harness.errors import InputError, Problem
from harness.experiment.components import Components
from harness.experiment.indexes import open_retrievers
from harness.experiment.pricing import pricer
from harness.system.parts import Parts


async def opened_parts(
    variants: Sequence[LiveVariant], used: Components, prices: PriceBook
) -> Parts:
    """What the systems of a run are put together from, opened. The caller closes `used`.

    Args:
        variants: the variants to run.
        used: the plugins that they use.
        prices: what calls of models cost.

    Raises:
        InputError: naming every index and tool that cannot be had.
    """
    from harness.corpus.tokens import count_tokens
    from harness.plugins.nearest import nearest

    problems: list[Problem] = []
    await open_retrievers(used, problems)
    await _load(used, problems)
    tools = await _open_tools(used, problems)
    problems += _wrong_tools(variants, tools)
    if problems:
        raise InputError(dict.fromkeys(problems))
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
    )


async def _load(used: Components, problems: list[Problem]) -> None:
    """Have the clients of models and rerankers imported, and local weights read."""
    for kind in ("provider", "reranker"):
        for key, plugin in used.table(kind).items():
            component = used.built[kind, key]
            try:
                await plugin.open()
            except ServiceError as error:
                what = f"{component.use} cannot be used: {error.message}"
                problems.append(Problem(component.where(), what))


async def _open_tools(used: Components, problems: list[Problem]) -> dict[str, tuple[ToolSpec, ...]]:
    """The tools of every toolbox that could be opened, by its key."""
    tools = {}
    for key, toolbox in used.toolboxes.items():
        component = used.built["tool", key]
        try:
            tools[key] = tuple(await toolbox.open())
        except ServiceError as error:
            what = f"the {component.use} tools cannot be had: {error.message}"
            problems.append(Problem(component.where(), what))
    return tools


def _wrong_tools(
    variants: Iterable[LiveVariant], tools: Mapping[str, Sequence[ToolSpec]]
) -> Iterator[Problem]:
    """Two tools of one name, and checks by tools that are not there."""
    for variant in (inner for outer in variants for inner in outer.variants()):
        uses = variant.tools.use if variant.tools else ()
        names: set[str] = set()
        for use in uses:
            for name in [spec.name for spec in tools.get(use.component.key, ())]:
                if name in names:
                    what = f"{variant.id}: two tools are called '{name}'"
                    hint = "give one of them another name, or take it away with only"
                    yield Problem(use.component.where(), what, hint)
                names.add(name)
        if any(use.component.key not in tools for use in uses):
            continue  # which tools there would be cannot be told
        for check in variant.tools.before if variant.tools else ():
            if check.name not in names:
                known = f"its tools are: {', '.join(sorted(names)) or 'none'}"
                yield Problem(check.where, f"{variant.id}: no tool is called '{check.name}'", known)
