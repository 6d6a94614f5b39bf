"""What a system is put together from: the plugins, and a few functions, as the root made them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.chat import ToolSpec
from harness.core.record import Usage
from harness.core.variant import ModelChoice
from harness.ports import AnswerCache, Budget, Provider, Reranker, Retriever, Toolbox


def _no_price(choice: ModelChoice, usage: Usage) -> float | None:
    return None


def _quarter_of_characters(text: str) -> int:
    return -(-len(text) // 4)


def _first(texts: Sequence[str], query: str, k: int) -> Sequence[int]:
    return range(min(k, len(texts)))


@dataclass(frozen=True)
class Parts:
    """The plugins of a run, shared by all its systems.

    `providers`, `rerankers`, `toolboxes` and `tools` are by `Component.key`, `retrievers` by
    `Retrieval.key`, `functions` (the rules in Python) by their name `module:function`. `tools` are
    what each toolbox told when it was opened. `cost_usd` prices a model's call (None: unknown),
    `count_tokens` measures a text for the context's budget, `nearest` gives the positions of the
    `k` texts nearest to a query, nearest first. `cache` keeps answers between runs, if any does;
    `budget` bounds what is spent on calls, if anything does. `secrets` are in nothing that a trial
    leaves.
    """

    providers: Mapping[str, Provider]
    retrievers: Mapping[str, Retriever] = field(default_factory=dict)
    rerankers: Mapping[str, Reranker] = field(default_factory=dict)
    toolboxes: Mapping[str, Toolbox] = field(default_factory=dict)
    tools: Mapping[str, tuple[ToolSpec, ...]] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    cost_usd: Callable[[ModelChoice, Usage], float | None] = _no_price
    count_tokens: Callable[[str], int] = _quarter_of_characters
    nearest: Callable[[Sequence[str], str, int], Sequence[int]] = _first
    cache: AnswerCache | None = None
    budget: Budget | None = None
    secrets: tuple[str, ...] = ()
