"""What the built-in scorers share: common options, and the order in which questions are asked.

1. Does the scorer's `where` select this example, and does the example say what is right? If not,
   no metric applies, whatever the record.
2. Did the system fail, or leave out the field that is read? Every metric takes its worst value.
3. Otherwise the scorer judges the output.

A plugin of a third party need not use this module: `harness.ports.Scorer` is all that is asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.core.example import Example
from harness.core.record import Answer, Failure, Record
from harness.core.score import Aggregate, Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import ABSENT, JsonValue, as_text, look_up
from harness.plugins.texts.json_text import parse_output, same_json

RIGHT = Scored(1.0)
LARGEST = 1e100
"""Figures beyond this are missing: their squares would leave the range of a double."""

_NOT_SELECTED = Unscored("not selected by `where`", applicable=False)
_NO_TARGET = Unscored("the example has no target", applicable=False)
_WHOLE_EXAMPLE = ("target.", "input.", "metadata.", "slices.")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An output that lacks what the scorer reads: the system's fault, and so wrong."""

    why: str


class ScorerModel(BaseModel, ABC):
    """Base of the built-in scorers; its fields are the options in a config."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: Annotated[str, Field(pattern=r"^[\w-]+$")] = Field(
        description="The metric's name in every table; parts are named `id.part`."
    )
    where: dict[str, JsonValue] = Field(
        default={},
        description="Score only examples whose value at each dotted path (`slices.scenario`, "
        "`target.kind`) equals the given value or one of the given list.",
    )
    output_field: str | None = Field(
        default=None,
        min_length=1,
        description="A dotted path inside the output; an output that is text is read as JSON.",
    )

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics in the order they are reported; by default, the share that is right."""
        return (Metric(self.id, binary=True, description=summary(type(self))),)

    def score(self, example: Example, record: Record) -> Mapping[str, ScoreOutcome]:
        """An outcome for every metric (see `harness.ports.Scorer`)."""
        gold = self.gold(example) if self._selects(example) else _NOT_SELECTED
        if isinstance(gold, Unscored):
            return {metric.id: gold for metric in self.metrics}
        match record.outcome:
            case Failure(error_kind=kind):
                return self.fail(gold, f"no answer ({kind})" if kind else "no answer")
            case Answer() as answer:
                return self._score_answer(gold, answer, record)

    def gold(self, example: Example) -> Any:
        """What the example says is right, in any form; `Unscored` where it does not say."""
        return example

    def read(self, answer: Answer) -> Any:
        """What is judged: a JSON value, `Unreadable`, or `Unscored` if the value is missing."""
        return read_field(answer.output, self.output_field)

    @abstractmethod
    def judge(self, gold: Any, output: Any, record: Record) -> Mapping[str, ScoreOutcome]:
        """The outcomes of an answer, given what `gold` and `read` returned.

        May raise TimeoutError: then the metrics that apply to the example are missing.
        """

    def fail(self, gold: Any, why: str) -> dict[str, ScoreOutcome]:
        """The outcomes of a system that gave no answer: every metric at its worst."""
        first, *others = self.metrics
        return {first.id: worst(first, why), **{other.id: worst(other) for other in others}}

    def _score_answer(
        self, gold: Any, answer: Answer, record: Record
    ) -> Mapping[str, ScoreOutcome]:
        try:
            output = self.read(answer)
            if isinstance(output, Unreadable):
                return self.fail(gold, output.why)
            if isinstance(output, Unscored):
                return self._missing(gold, output)
            return self.judge(gold, output, record)
        except TimeoutError:
            return self._missing(gold, Unscored("timed out"))
        except RecursionError:
            return self.fail(gold, "the output is nested too deeply")

    def _missing(self, gold: Any, missing: Unscored) -> dict[str, ScoreOutcome]:
        """`missing` for every metric that applies to the example."""
        return {
            metric_id: missing if isinstance(outcome, Scored) or outcome.applicable else outcome
            for metric_id, outcome in self.fail(gold, "").items()
        }

    def _selects(self, example: Example) -> bool:
        return not self.where or all(
            is_one_of(example.look_up(path), wanted) for path, wanted in self.where.items()
        )


class TargetScorer(ScorerModel):
    """A scorer that compares with the example's target."""

    target_field: str | None = Field(
        default=None,
        min_length=1,
        description="A dotted path inside the target. One that starts with `metadata.`, `input.` "
        "or `slices.` and is not found there is looked up in the whole example.",
    )

    def target_of(self, example: Example) -> Any:
        """The target, or `Unscored` where the example has none. A null is none."""
        found = ABSENT
        if example.target is not None:
            found = look_up(example.target, self.target_field)
        if found is ABSENT and self.target_field and self.target_field.startswith(_WHOLE_EXAMPLE):
            found = example.look_up(self.target_field)
        return _NO_TARGET if found is ABSENT or found is None else found


class LiteralTargetScorer(TargetScorer):
    """A scorer whose target can also stand in the config."""

    target: JsonValue = Field(
        default=None, description="The target of every example, in place of the example's own."
    )

    @model_validator(mode="after")
    def _one_target(self) -> LiteralTargetScorer:
        if self.target is not None and self.target_field is not None:
            raise ValueError("give target or target_field, not both")
        return self

    def targets_of(self, example: Example) -> Any:
        """All acceptable targets as a list, or `Unscored`. An empty list is no target."""
        found = self.target if self.target is not None else self.target_of(example)
        if isinstance(found, Unscored):
            return found
        return (found or _NO_TARGET) if isinstance(found, list) else [found]


def read_field(output: JsonValue, path: str | None) -> Any:
    """The value at `path` in an output, or `Unreadable`; with a path, text is read as JSON."""
    if path is None:
        return output
    if isinstance(output, str):
        try:
            output = parse_output(output)
        except ValueError as error:
            return Unreadable(f"the output is not JSON ({error}), so it has no field {path!r}")
    found = look_up(output, path)
    return Unreadable(f"the output has no field {path!r}") if found is ABSENT else found


def worst(metric: Metric, why: str = "") -> ScoreOutcome:
    """A failure's outcome. A ratio weighs 0: what it divides by comes from the output."""
    if metric.worst is None:
        return Unscored("the system failed, and the metric has no worst value")
    weight = 0.0 if metric.aggregate is Aggregate.RATIO else 1.0
    return Scored(metric.worst, weight, explanation=why)


def is_one_of(value: JsonValue, wanted: JsonValue) -> bool:
    """Whether `value` is `wanted` or in the list `wanted`; `2` in a config also means `"2"`."""
    if value is ABSENT:
        return False
    for candidate in wanted if isinstance(wanted, list) else [wanted]:
        if same_json(value, candidate):
            return True
        if isinstance(value, str) and as_text(candidate) == value:
            return True
    return False


def right_or_wrong(metric_id: str, wrong: str | None) -> dict[str, ScoreOutcome]:
    """The outcome of a binary metric: right if `wrong` is None, else wrong for that reason."""
    return {metric_id: RIGHT if wrong is None else Scored(0.0, explanation=wrong)}


def summary(scorer: type) -> str:
    """The first line of a scorer's docstring."""
    return (scorer.__doc__ or "").partition("\n")[0]
