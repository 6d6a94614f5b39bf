"""Calls of tools: how many, how many failed and of what, and how long they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from harness.comparison.subject import Subject
from harness.core.operations import ToolEstimate
from harness.core.score import ToolCalls

OTHERS = "(others)"
_MAX_TOOLS = 30
"""A variant's most called tools; the rest, which a model may have made up, are one entry."""
_MAX_WARNINGS = 5
_MADE_UP = "unknown"


def tool_estimates(subject: Subject) -> list[ToolEstimate]:
    """An entry per variant and tool, the most called first.

    Every call counts, whatever became of its trial: what a tool did it has done.
    """
    table = subject.trials.operations
    if table is None:
        return []
    return [
        estimate
        for variant in range(len(subject.variants))
        for estimate in _of_variant(subject, [t for t in table.tools if t.variant == variant])
    ]


def failing_tools(tools: Sequence[ToolEstimate]) -> Iterator[str]:
    """A warning for every tool of which at least half of the calls failed.

    Names that a model made up are not repeated: one warning says how often it did.
    """
    made_up = Counter[str]()
    for tool in tools:
        made_up[tool.variant] += tool.error_kinds.get(_MADE_UP, 0)
    for variant, n_calls in made_up.items():
        if n_calls:
            many = "1 call" if n_calls == 1 else f"{n_calls} calls"
            yield f"{variant}: {many} of tools that were not offered"
    failing = [tool for tool in tools if 2 * _n_failed(tool) >= tool.n_calls and _n_failed(tool)]
    for tool in failing[:_MAX_WARNINGS]:
        kinds = sorted(
            tool.error_kinds.keys() - {_MADE_UP}, key=lambda kind: (-tool.error_kinds[kind], kind)
        )
        yield (
            f"{tool.variant}: {_n_failed(tool)} of {tool.n_calls} calls of the tool {tool.tool} "
            f"failed ({', '.join(kinds)})"
        )
    if len(failing) > _MAX_WARNINGS:
        yield f"at least half of the calls failed of {len(failing) - _MAX_WARNINGS} more tools"


def _n_failed(tool: ToolEstimate) -> int:
    return tool.n_errors - tool.error_kinds.get(_MADE_UP, 0)


def _of_variant(subject: Subject, tools: Sequence[ToolCalls]) -> Iterator[ToolEstimate]:
    ordered = sorted(tools, key=lambda tool: (-len(tool.latency_s), tool.tool))
    for tool in ordered[:_MAX_TOOLS]:
        yield _estimate(subject, tool.tool, [tool])
    if len(ordered) > _MAX_TOOLS:
        yield _estimate(subject, OTHERS, ordered[_MAX_TOOLS:])


def _estimate(subject: Subject, name: str, tools: Sequence[ToolCalls]) -> ToolEstimate:
    times = np.concatenate([tool.latency_s for tool in tools])
    errors: Counter[str] = Counter()
    for tool in tools:
        errors.update(tool.errors)
    p50, p95 = np.quantile(times, (0.5, 0.95))
    return ToolEstimate(
        variant=subject.variants[tools[0].variant].id,
        tool=name,
        n_calls=len(times),
        n_errors=errors.total(),
        error_kinds=dict(errors),
        p50_s=float(p50),
        p95_s=float(p95),
    )
