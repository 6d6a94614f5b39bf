"""Tool calls against the gold calls, as multisets.

A live system that failed may have called tools before: they weigh in the shares of all calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from harness.core.example import Example
from harness.core.record import Answer, Failure, Record, Stage
from harness.core.score import NO_ANSWER, Aggregate, Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import ToolCall, tool_call
from harness.plugins.base import TargetScorer, Unreadable
from harness.plugins.texts.json_text import json_key
from harness.plugins.texts.text import quote

_NO_GOLD = Unscored("the example has no gold tool calls", applicable=False)
_NO_CALLS = Unscored("the recording does not say which tools were called")
_NO_RESULTS = Unscored("the recording does not say how the calls went")
_UNREADABLE = ToolCall("", {})
"""A call that names no tool: it matches nothing, but it was made."""

Measure: TypeAlias = Literal["exact", "invocation", "arguments", "decision", "success"]
_DEFAULT: tuple[Measure, ...] = ("exact", "invocation", "arguments")
_TOOL, _NO_TOOL = "tool", "no tool"


def _is_default(value: object) -> bool:
    """A newer option that is not given stays out of the scorer's fingerprint."""
    return value == _DEFAULT


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
    measures: Annotated[tuple[Measure, ...], Field(min_length=1)] = Field(
        default=_DEFAULT,
        exclude_if=_is_default,
        description="What is measured: `exact`; `invocation` and `arguments`, four shares each; "
        "`decision`, whether a tool was called exactly when one was wanted; `success` (live "
        "variants), the share of calls that gave no error.",
    )

    @property
    def classes(self) -> frozenset[str]:
        """The classes of `decision`."""
        return frozenset({_TOOL, _NO_TOOL})

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The exact set, precision and recall over all calls and per example, then the others."""
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
            for what in self._matched
            for share in _SHARES
        )
        exact = Metric(f"{self.id}.exact", binary=True, description="Exactly the gold calls")
        decision = Metric(
            f"{self.id}.decision",
            binary=True,
            description="A tool is called exactly when one is wanted",
        )
        success = Metric(
            f"{self.id}.success",
            aggregate=Aggregate.RATIO,
            description="Of the calls made, those that gave no error",
        )
        return (
            *((exact,) if "exact" in self.measures else ()),
            *shares,
            *((decision,) if "decision" in self.measures else ()),
            *((success,) if "success" in self.measures else ()),
        )

    def score(self, example: Example, record: Record) -> Mapping[str, ScoreOutcome]:
        """As every scorer; but calls made before a failure weigh in the shares of all calls."""
        outcomes = dict(super().score(example, record))
        known = record.tool_calls is not None and self.output_field is None
        if isinstance(record.outcome, Failure) and known:
            told = super().score(
                example, replace(record, outcome=Answer("", tool_calls=record.tool_calls))
            )
            ratios = [one.id for one in self.metrics if one.aggregate is Aggregate.RATIO]
            outcomes |= {metric_id: told[metric_id] for metric_id in ratios}
        return outcomes

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
        outcomes: dict[str, ScoreOutcome] = {}
        for what in self._matched:
            n_matched = matched[what]
            precision = n_matched / n_called if n_called else float(not n_gold)
            recall = n_matched / n_gold if n_gold else 1.0
            outcomes |= {
                f"{self.id}.{what}_precision": Scored(precision, float(n_called)),
                f"{self.id}.{what}_recall": Scored(recall, float(n_gold)),
                f"{self.id}.example_{what}_precision": Scored(precision),
                f"{self.id}.example_{what}_recall": Scored(recall),
            }
        if "exact" in self.measures:
            exact = matched["arguments"] == n_gold == n_called
            why = "" if exact else _difference(names, gold.names)
            outcomes[f"{self.id}.exact"] = Scored(float(exact), explanation=why)
        if "decision" in self.measures:
            outcomes[f"{self.id}.decision"] = _decision(names, gold.names)
        if "success" in self.measures:
            outcomes[f"{self.id}.success"] = self._success(record)
        return outcomes

    def fail(self, gold: _Gold, why: str) -> dict[str, ScoreOutcome]:
        """A failure misses every gold call; it made none that could weigh in the precision."""
        outcomes = super().fail(gold, why)
        for what in self._matched:
            outcomes[f"{self.id}.{what}_recall"] = Scored(0.0, float(gold.calls.total()))
        if "decision" in self.measures:
            wanted = _TOOL if gold.names else _NO_TOOL
            outcomes[f"{self.id}.decision"] = Scored(
                0.0, explanation=why or "no answer", expected=wanted, predicted=NO_ANSWER
            )
        return outcomes

    def _success(self, record: Record) -> ScoreOutcome:
        """Of the calls in a live trial's trace, the share without an error; weighs as many."""
        if record.trace is None:
            return _NO_RESULTS
        errors = [
            bool(step.detail.get("error"))
            for step in record.trace.steps
            if step.stage is Stage.TOOL
            and (self.names is None or step.detail.get("name") in self.names)
        ]
        share = 1 - sum(errors) / len(errors) if errors else 0.0
        return Scored(share, float(len(errors)))

    @cached_property
    def _matched(self) -> tuple[str, ...]:
        return tuple(what for what in _MATCHED if what in self.measures)

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


def _difference(called: Counter[str], wanted: Counter[str]) -> str:
    if called == wanted:
        return f"called {_listed(called)} with other arguments than expected"
    return f"called {_listed(called)}, expected {_listed(wanted)}"


def _decision(called: Counter[str], wanted: Counter[str]) -> Scored:
    expected, predicted = (_TOOL if names else _NO_TOOL for names in (wanted, called))
    right = expected == predicted
    why = "" if right else _difference(called, wanted)
    return Scored(float(right), explanation=why, expected=expected, predicted=predicted)


def _listed(names: Counter[str]) -> str:
    if not names:
        return "nothing"
    return quote(
        ", ".join(
            (name or "(unreadable)") + (f" x{count}" if count > 1 else "")
            for name, count in sorted(names.items())
        )
    )
