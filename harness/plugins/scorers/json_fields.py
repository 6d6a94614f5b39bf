"""Whether the fields of a structured output are the target's, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness.core.example import Example
from harness.core.options import Number
from harness.core.record import Record
from harness.core.score import Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import ABSENT, Absent, JsonValue, look_up
from harness.plugins.base import RIGHT, TargetScorer
from harness.plugins.texts.json_text import is_number, parse_output, same_json
from harness.plugins.texts.numbers import as_number
from harness.plugins.texts.text import Normalisation, got_expected, normalise, quote


class FieldRule(BaseModel):
    """How one field is found and compared."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    path: str | None = Field(
        default=None, description="A dotted path inside the output; the field's name by default."
    )
    target: str | None = Field(
        default=None, description="A dotted path inside the target; the field's name by default."
    )
    normalise: tuple[Normalisation, ...] = Field(
        default=(), description="What is done to texts before they are compared."
    )
    tolerance: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="Largest difference of numbers that still counts as equal."
    )

    def equal(self, found: JsonValue, expected: JsonValue) -> bool:
        """Whether an output's value is the target's."""
        if isinstance(found, str) and isinstance(expected, str):
            return normalise(found, self.normalise) == normalise(expected, self.normalise)
        if is_number(found) and is_number(expected) and self.tolerance:
            return abs(as_number(found) - as_number(expected)) <= self.tolerance
        return same_json(found, expected)


def _by_name(fields: Any) -> Any:
    """A list of names stands for those fields with default rules."""
    if isinstance(fields, list | tuple) and all(isinstance(name, str) for name in fields):
        if len(set(fields)) < len(fields):
            raise ValueError("a field is listed twice")
        return {name: {} for name in fields}
    if isinstance(fields, dict):
        return {name: {} if rule is None else rule for name, rule in fields.items()}
    return fields


class JsonFields(TargetScorer):
    """The output's fields are the target's."""

    fields: Annotated[
        dict[Annotated[str, Field(pattern=r"^[\w.-]+$")], FieldRule],
        Field(min_length=1),
        BeforeValidator(_by_name, json_schema_input_type=dict[str, FieldRule | None] | list[str]),
    ] = Field(description="The fields to compare: a list of names, or a map from name to rule.")
    allow_fence: bool = Field(
        default=False, description="Accept a text that is one Markdown code block around JSON."
    )

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Whether all fields are right, then each field."""
        return (
            Metric(self.id, binary=True, description="All fields that the target has are right"),
            *(
                Metric(f"{self.id}.{name}", binary=True, description=f"The field {name} is right")
                for name in self.fields
            ),
        )

    def gold(self, example: Example) -> dict[str, JsonValue] | Unscored:
        """The target's value by field, for the fields that it has. A null is a value here."""
        target = self.target_of(example)
        if isinstance(target, Unscored):
            return target
        found = {name: look_up(target, rule.target or name) for name, rule in self.fields.items()}
        present = {name: value for name, value in found.items() if value is not ABSENT}
        return present or Unscored("the target has none of the fields", applicable=False)

    def judge(
        self, gold: dict[str, JsonValue], output: JsonValue, record: Record
    ) -> Mapping[str, ScoreOutcome]:
        """A field that the output lacks is wrong."""
        if isinstance(output, str):
            try:
                output = parse_output(output, allow_fence=self.allow_fence)
            except ValueError as error:
                return self.fail(gold, f"not JSON: {error}")
        wrong = {}
        for name, expected in gold.items():
            rule = self.fields[name]
            found = look_up(output, rule.path or name)
            if isinstance(found, Absent):
                wrong[name] = f"absent, expected {quote(expected)}"
            elif not rule.equal(found, expected):
                wrong[name] = got_expected(found, expected)
        return self._outcomes(gold, wrong)

    def fail(self, gold: dict[str, JsonValue], why: str) -> dict[str, ScoreOutcome]:
        """Every field that the target has is wrong."""
        outcomes = self._outcomes(gold, dict.fromkeys(gold, ""))
        return {**outcomes, self.id: Scored(0.0, explanation=why)}

    def _outcomes(
        self, gold: dict[str, JsonValue], wrong: dict[str, str]
    ) -> dict[str, ScoreOutcome]:
        """The outcomes, given why each wrong field is wrong."""
        because = ", ".join(f"{name}: {why}" for name, why in wrong.items())
        outcomes: dict[str, ScoreOutcome] = {
            self.id: Scored(0.0, explanation=because) if wrong else RIGHT
        }
        for name in self.fields:
            outcome: ScoreOutcome = RIGHT
            if name not in gold:
                outcome = Unscored(f"the target has no field {name!r}", applicable=False)
            elif name in wrong:
                outcome = Scored(0.0, explanation=wrong[name])
            outcomes[f"{self.id}.{name}"] = outcome
        return outcomes
