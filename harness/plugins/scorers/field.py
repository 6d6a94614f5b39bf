"""A number that the recording already carries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from pydantic import Field as Option
from pydantic import model_validator

from harness.core.options import Number
from harness.core.record import Answer, Record
from harness.core.score import Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import Absent, JsonValue, look_up
from harness.plugins.base import LARGEST, ScorerModel, right_or_wrong
from harness.plugins.texts.json_text import is_number
from harness.plugins.texts.numbers import as_number
from harness.plugins.texts.text import quote


class Field(ScorerModel):
    """A number that was recorded with the output."""

    path: str | None = Option(
        default=None,
        min_length=1,
        description="A dotted path among the recording's further fields: `reward`, "
        "`published_scores.faithfulness`. To read the output itself, give output_field.",
    )
    lower: Number | None = Option(
        default=None, description="The least possible value: a failure's score."
    )
    upper: Number | None = Option(
        default=None,
        description="The greatest possible value: a failure's score where lower is better.",
    )
    higher_is_better: bool = Option(default=True, description="Which way is up.")
    at_least: Number | None = Option(
        default=None, description="Score 1 if the number is at least this, else 0."
    )
    at_most: Number | None = Option(
        default=None, description="Score 1 if the number is at most this, else 0."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Field:
        if (self.path is None) == (self.output_field is None):
            raise ValueError("give either path or output_field")
        if self._threshold and not (self.lower is None and self.upper is None):
            raise ValueError("at_least and at_most score 0 or 1; lower and upper do not apply")
        if self._threshold and not self.higher_is_better:
            raise ValueError("with at_least or at_most, 1 is always the better score")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError("lower must be less than upper")
        return self

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The mean of the number, or the share within the limits."""
        where = self.path or self.output_field
        if self._threshold:
            return (Metric(self.id, binary=True, description=f"{where} is within its limits"),)
        return (
            Metric(
                self.id,
                higher_is_better=self.higher_is_better,
                lower=self.lower,
                upper=self.upper,
                description=f"{where}, as recorded",
            ),
        )

    def read(self, answer: Answer) -> JsonValue:
        """The output's field; a path among the recording's fields is read in `judge`."""
        return super().read(answer) if self.path is None else None

    def judge(self, gold: object, output: JsonValue, record: Record) -> Mapping[str, ScoreOutcome]:
        """True and false are 1 and 0; anything else that is no number is missing."""
        value = output if self.path is None else look_up(record.metadata, self.path)
        if isinstance(value, Absent) or value is None:
            return {self.id: Unscored(f"the recording has no {self.path or self.output_field!r}")}
        if not isinstance(value, bool) and not is_number(value):
            return {self.id: Unscored(f"not a number: {quote(value)}")}
        number = as_number(value)
        if not abs(number) <= LARGEST:
            return {self.id: Unscored(f"a number beyond {LARGEST:g}")}
        if not self._threshold:
            return {self.id: Scored(number)}
        within = (self.at_least is None or number >= self.at_least) and (
            self.at_most is None or number <= self.at_most
        )
        return right_or_wrong(self.id, None if within else f"recorded {number:.6g}")

    @property
    def _threshold(self) -> bool:
        return self.at_least is not None or self.at_most is not None
