"""Classification: accuracy, macro F1, and the classes behind the confusion table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated

from pydantic import Field

from harness.core.example import Example
from harness.core.record import Record
from harness.core.score import (
    NO_ANSWER,
    OTHER,
    Aggregate,
    Metric,
    Scored,
    ScoreOutcome,
    Unscored,
)
from harness.core.values import JsonValue, as_text
from harness.plugins.base import TargetScorer
from harness.plugins.texts.text import Normalisation, class_name, got_expected, normalise


class Label(TargetScorer):
    """The output is the example's class."""

    labels: Annotated[tuple[str, ...], Field(min_length=2)] | None = Field(
        default=None,
        description="All classes there are; by default, those that any example expects. An output "
        "that is none of them counts as `(other)`.",
    )
    normalise: tuple[Normalisation, ...] = Field(
        default=("strip",), description="What is done to output, target and labels."
    )

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Accuracy, and the mean over classes of F1."""
        return (
            Metric(self.id, binary=True, description="Share of examples given their class"),
            Metric(
                f"{self.id}.macro_f1",
                aggregate=Aggregate.MACRO_F1,
                description="Mean of F1 over the classes that are expected",
            ),
        )

    @property
    def classes(self) -> frozenset[str]:
        """The classes known in advance (see `harness.ports.Scorer`)."""
        return frozenset(map(class_name, self._known))

    def gold(self, example: Example) -> str | Unscored:
        """The example's class; missing where it is none of `labels`, which is the set's mistake."""
        target = self.target_of(example)
        if isinstance(target, Unscored):
            return target
        expected = self._class(target)
        if self.labels is not None and expected not in self._known:
            return Unscored(f"the target {class_name(expected)!r} is none of the labels")
        return expected

    def judge(self, gold: str, output: JsonValue, record: Record) -> Mapping[str, ScoreOutcome]:
        """Right if both are the same class."""
        found = self._class(output)
        wrong = "" if found == gold else got_expected(output, gold)
        if self.labels is not None and found not in self._known:
            return self._outcomes(gold, OTHER, wrong)
        return self._outcomes(gold, class_name(found), wrong)

    def fail(self, gold: str, why: str) -> dict[str, ScoreOutcome]:
        """A failure counts as the class `(no answer)`."""
        return self._outcomes(gold, NO_ANSWER, why or "no answer")

    def _outcomes(self, gold: str, predicted: str, wrong: str) -> dict[str, ScoreOutcome]:
        value = 0.0 if wrong else 1.0
        expected = class_name(gold)
        return {
            self.id: Scored(value, explanation=wrong, expected=expected, predicted=predicted),
            f"{self.id}.macro_f1": Scored(value, expected=expected, predicted=predicted),
        }

    def _class(self, value: JsonValue) -> str:
        return normalise(as_text(value), self.normalise)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(normalise(label, self.normalise) for label in self.labels or ())
