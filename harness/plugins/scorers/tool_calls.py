"""Tool calls against the gold calls, as multisets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field

from harness.core.example import Example
from harness.core.record import Answer, Record
from harness.core.score import Aggregate, Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import ToolCall, tool_call
from harness.plugins.base import TargetScorer, Unreadable
from harness.plugins.json_text import json_key
from harness.plugins.text import quote

_NO_GOLD = Unscored("the example has no gold tool calls", applicable=False)
_NO_CALLS = Unscored("the recording does not say which tools were called")
_UNREADABLE = ToolCall("", {})
"""A call that names no tool: it matches nothing, but it was made."""


@dataclass(frozen=True, slots=True)
class _Gold:
    names: Counter[str]
    calls: Counter[Hashable]


class ToolCalls(TargetScorer):
    """The system makes the gold tool calls, in any order, and no others."""

    names: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None, description="Only calls of these tools are looked at, on both sides."
    )
    ignore_arguments: tuple[str, ...] = Field(
        default=(), description="Arguments that are not compared, such as a free-text comment."
    )

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The exact set, then precision and recall: micro over all calls, and per example."""
        exact = Metric(f"{self.id}.exact", binary=True, description="Exactly the gold calls")
        shares = (
            Metric(
                f"{self.id}.{prefix}{what}_{share}",
                aggregate=aggregate,
                description=f"{_SHARES[share]} {_MATCHED[what]}{level}",
            )
            for prefix, aggregate, level in (
                ("", Aggregate.RATIO, ""),
                ("example_", Aggregate.MEAN, ", by example"),
            )
            for what in _MATCHED
            for share in _SHARES
        )
        return (exact, *shares)

    def gold(self, example: Example) -> _Gold | Unscored:
        """The gold calls, counted by name and by name and arguments."""
        found: Any = example.tool_calls
        if self.target_field is not None:
            found = self.target_of(example)
            if isinstance(found, Unscored):
                return found
        if not isinstance(found, list | tuple):
            return _NO_GOLD
        calls = self._kept(found)
        return _Gold(Counter(call.name for call in calls), Counter(map(self._key, calls)))

    def read(self, answer: Answer) -> list[ToolCall] | Unreadable | Unscored:
        """The calls that the system made."""
        if self.output_field is None:
            return _NO_CALLS if answer.tool_calls is None else self._kept(answer.tool_calls)
        found = super().read(answer)
        if isinstance(found, Unreadable):
            return found
        if not isinstance(found, list):
            return Unreadable(f"{self.output_field!r} is no list of calls: {quote(found)}")
        return self._kept(found)

    def judge(
        self, gold: _Gold, output: list[ToolCall], record: Record
    ) -> Mapping[str, ScoreOutcome]:
        """Calls are matched as multisets: one gold call is matched by one call at most."""
        names = Counter(call.name for call in output)
        calls = Counter(map(self._key, output))
        n_gold, n_called = gold.calls.total(), len(output)
        matched = {
            "invocation": (names & gold.names).total(),
            "arguments": (calls & gold.calls).total(),
        }
        exact = matched["arguments"] == n_gold == n_called
        why = "" if exact else f"called {_listed(names)}, expected {_listed(gold.names)}"
        if why and names == gold.names:
            why = f"called {_listed(names)} with other arguments than expected"
        outcomes: dict[str, ScoreOutcome] = {
            f"{self.id}.exact": Scored(float(exact), explanation=why)
        }
        for what, n_matched in matched.items():
            precision = n_matched / n_called if n_called else float(not n_gold)
            recall = n_matched / n_gold if n_gold else 1.0
            outcomes |= {
                f"{self.id}.{what}_precision": Scored(precision, float(n_called)),
                f"{self.id}.{what}_recall": Scored(recall, float(n_gold)),
                f"{self.id}.example_{what}_precision": Scored(precision),
                f"{self.id}.example_{what}_recall": Scored(recall),
            }
        return outcomes

    def fail(self, gold: _Gold, why: str) -> dict[str, ScoreOutcome]:
        """A failure misses every gold call; it made none that could weigh in the precision."""
        outcomes = super().fail(gold, why)
        for what in _MATCHED:
            outcomes[f"{self.id}.{what}_recall"] = Scored(0.0, float(gold.calls.total()))
        return outcomes

    def _kept(self, calls: Iterable[Any]) -> list[ToolCall]:
        read = (call if isinstance(call, ToolCall) else tool_call(call) for call in calls)
        made = (call or _UNREADABLE for call in read)
        return [call for call in made if self.names is None or call.name in self.names]

    def _key(self, call: ToolCall) -> Hashable:
        arguments = {
            name: value for name, value in call.arguments.items() if name not in self._ignored
        }
        return (call.name, json_key(arguments))

    @cached_property
    def _ignored(self) -> frozenset[str]:
        return frozenset(self.ignore_arguments)


_MATCHED = {"invocation": "by name", "arguments": "by name and arguments"}
_SHARES = {
    "precision": "Of the calls made, those in the gold calls",
    "recall": "Of the gold calls, those made",
}


def _listed(names: Counter[str]) -> str:
    if not names:
        return "nothing"
    return quote(
        ", ".join(
            (name or "(unreadable)") + (f" x{count}" if count > 1 else "")
            for name, count in sorted(names.items())
        )
    )
