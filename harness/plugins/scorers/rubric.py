"""A rubric by which a model judges every answer, criterion by criterion.

The model is not asked here: once all trials have ended, `experiment` asks the judge about every
answer that `to_judge` gives, and hands the verdicts over with `given`.

A judge may find that a criterion does not apply. Whether a metric applies must be alike for all
records of an example, or one side of a pair would choose its examples. So it does not apply where
the judge says so of every answer to the example that it was asked about; where it says so of some,
these are missing, and the pair has no difference there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import Field, PrivateAttr, field_validator

from harness.core.example import Example
from harness.core.options import Whole
from harness.core.pointwise import CriterionVerdict, Verdicts
from harness.core.record import Answer, Record
from harness.core.score import Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import JsonValue, as_text
from harness.plugins.base import ScorerModel, Unreadable

CRITERIA: Mapping[str, str] = {
    "groundedness": (
        "Every factual claim of the answer is supported by the texts that you are shown beside "
        "it; it adds no fact, number, name or promise that stands in none of them."
    ),
    "tone": (
        "The answer is courteous, clear and fitting for the person who asks; it neither blames "
        "nor patronises, and does not gush."
    ),
    "policy_alignment": (
        "What the answer says, offers or does keeps to the rules and policies that the texts "
        "state; it promises nothing that they do not allow."
    ),
    "escalation": (
        "The answer hands over to a person, or says how to reach one, exactly where the request "
        "needs it: for what the texts do not settle, or reserve for people. Not applicable where "
        "nothing calls for a person and the answer offers none."
    ),
    "completeness": (
        "The answer deals with every part of the request, with all that the person needs to go on."
    ),
}
"""What a judge looks at by default."""

_CRITERION = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
_NOT_JUDGED = CriterionVerdict(None, "not judged")
_NOWHERE = Unscored("not applicable, says the judge of every answer", applicable=False)

Name = Annotated[str, Field(pattern=_CRITERION, max_length=100)]
Text = Annotated[str, Field(min_length=1)]


class Rubric(ScorerModel):
    """What a model says of the answer, by each criterion of a rubric."""

    asks_judge: ClassVar[bool] = True

    model: dict[str, JsonValue] = Field(
        alias="judge",
        description="The model that judges, and how it is asked: model, base_url, provider, "
        "params, stream, timeout_s, structured.",
    )
    criteria: Annotated[dict[Name, Text], Field(min_length=1)] = Field(
        default=dict(CRITERIA), description="A criterion's name: what it means."
    )
    show: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        default=("input", "target", "evidence"),
        description="What the judge sees beside the answer: `input`, `target`, `evidence`, dotted "
        "paths in the example; `passages`: what the trial of a live variant had found.",
    )
    repeats: Annotated[Whole, Field(ge=1, le=99)] = Field(
        default=1, description="How often the judge is asked; an odd number, the most count."
    )

    _verdicts: Verdicts = PrivateAttr(default_factory=dict)
    _nowhere: Mapping[str, frozenset[str]] = PrivateAttr(default_factory=dict)

    @field_validator("repeats")
    @classmethod
    def _odd(cls, repeats: int) -> int:
        if repeats % 2 == 0:
            raise ValueError(f"must be odd, so that most verdicts can decide, not {repeats}")
        return repeats

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """One for every criterion: the share of answers that meet it."""
        return tuple(
            Metric(f"{self.id}.{name}", binary=True, description=f"Said by a judge: {meaning}")
            for name, meaning in self.criteria.items()
        )

    def selects(self, example: Example) -> bool:
        """Whether answers to the example are judged (`where`)."""
        return self._selects(example)

    def to_judge(self, example: Example, record: Record) -> str | None:
        """The answer as the judge is to see it; None where it is settled without one."""
        if not isinstance(record.outcome, Answer) or not self._selects(example):
            return None
        try:
            output = self.read(record.outcome)
            return None if isinstance(output, Unreadable | Unscored) else as_text(output)
        except RecursionError:
            return None

    def given(self, verdicts: Verdicts) -> Rubric:
        """This scorer with what its judge said."""
        told = self.model_copy()
        told._verdicts, told._nowhere = verdicts, _inapplicable(verdicts)
        return told

    def score(self, example: Example, record: Record) -> Mapping[str, ScoreOutcome]:
        """An outcome for every criterion (see `harness.ports.Scorer`)."""
        outcomes = super().score(example, record)
        nowhere = self._nowhere.get(example.id)
        if not nowhere:
            return outcomes
        return {**outcomes, **{f"{self.id}.{name}": _NOWHERE for name in nowhere}}

    def judge(self, gold: Any, output: Any, record: Record) -> Mapping[str, ScoreOutcome]:
        """What the judge said of the record's answer."""
        trial = (record.variant, record.example_id, record.repeat)
        said = self._verdicts.get(trial, {})
        return {
            f"{self.id}.{name}": _outcome(said.get(name, _NOT_JUDGED)) for name in self.criteria
        }


def _outcome(verdict: CriterionVerdict) -> ScoreOutcome:
    match verdict.ruling:
        case "true" | "false" as ruling:
            return Scored(float(ruling == "true"), explanation=verdict.why)
        case "not_applicable":
            why = f": {verdict.why}" if verdict.why else ""
            return Unscored(f"not applicable, says the judge{why}")
        case None:
            return Unscored(verdict.why or "no verdict")


def _inapplicable(verdicts: Verdicts) -> dict[str, frozenset[str]]:
    """By example, the criteria that do not apply to any answer to it that was judged."""
    by_example: dict[str, list[Mapping[str, CriterionVerdict]]] = defaultdict(list)
    for (_, example, _), said in verdicts.items():
        by_example[example].append(said)
    found = {
        example: frozenset(
            name
            for name in every[0]
            if all(said[name].ruling == "not_applicable" for said in every)
        )
        for example, every in by_example.items()
    }
    return {example: names for example, names in found.items() if names}
