"""Whether the system declined to answer exactly where it should."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.core.example import Example
from harness.core.record import Record
from harness.core.score import NO_ANSWER, Aggregate, Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import ABSENT, JsonValue, as_text
from harness.plugins.base import ScorerModel, is_one_of
from harness.plugins.texts.patterns import TIMEOUT_S, Pattern, compile_pattern
from harness.plugins.texts.text import normalise, quote

Texts: TypeAlias = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]

Decision: TypeAlias = Literal["abstain", "answer"]

PHRASES = (
    "I don't know",
    "I do not know",
    "I'm not sure",
    "I am not sure",
    "I cannot answer",
    "I can't answer",
    "I'm unable to",
    "I am unable to",
    "I'm not able to",
    "I am not able to",
    "I can't help with",
    "I cannot help with",
    "unable to answer",
    "cannot be answered",
    "cannot be determined",
    "can't be determined",
    "not enough information",
    "insufficient information",
    "don't have enough information",
    "do not have enough information",
    "no information about",
    "does not provide",
    "doesn't provide",
    "does not contain",
    "doesn't contain",
)
"""What an output says that declines, unless the config gives other phrases."""

_UNKNOWN = Unscored("the example does not say whether to abstain", applicable=False)


class Should(BaseModel):
    """Where an example says that the right thing is to abstain."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    field: str = Field(min_length=1, description="A dotted path in the example: `target.kind`.")
    equals: JsonValue = Field(
        description="The value, or a list of values, that means the system should abstain."
    )


class Abstention(ScorerModel):
    """The system abstains if, and only if, it should."""

    phrases: Texts | None = Field(
        default=None,
        description="The output abstains if it contains one of these, whatever the case. A list "
        "of common English phrases by default.",
    )
    equals: Texts | None = Field(
        default=None,
        description="The output abstains if it is one of these, whatever the case, the ASCII "
        "punctuation and the spacing.",
    )
    pattern: Pattern | None = Field(
        default=None,
        description="The output abstains if this regular expression is found, whatever the case.",
    )
    should: Should | None = Field(
        default=None, description="Where the example says so; its `abstain` by default."
    )

    @model_validator(mode="after")
    def _one_way_to_tell(self) -> Abstention:
        if sum(way is not None for way in (self.phrases, self.equals, self.pattern)) > 1:
            raise ValueError("give one of phrases, equals and pattern")
        return self

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Accuracy, precision and recall of abstaining, and needless abstention."""
        return (
            Metric(self.id, binary=True, description="Abstains exactly where it should"),
            Metric(
                f"{self.id}.precision",
                aggregate=Aggregate.RATIO,
                description="Of the abstentions, the share where it should",
            ),
            Metric(
                f"{self.id}.recall",
                binary=True,
                description="Of the examples where it should abstain, the share where it does",
            ),
            Metric(
                f"{self.id}.over_abstention",
                higher_is_better=False,
                binary=True,
                description="Of the examples that it should answer, the share where it abstains",
            ),
        )

    @property
    def classes(self) -> frozenset[str]:
        """Both decisions, expected anywhere or not (see `harness.ports.Scorer`)."""
        return frozenset(get_args(Decision))

    def gold(self, example: Example) -> Decision | Unscored:
        """What the right decision is."""
        if self.should is None:
            if example.abstain is None:
                return _UNKNOWN
            return "abstain" if example.abstain else "answer"
        value = example.look_up(self.should.field)
        if value is ABSENT:
            return _UNKNOWN
        return "abstain" if is_one_of(value, self.should.equals) else "answer"

    def judge(
        self, gold: Decision, output: JsonValue, record: Record
    ) -> Mapping[str, ScoreOutcome]:
        """A boolean output is the decision itself; anything else is read as text."""
        abstained = output if isinstance(output, bool) else self._abstains(as_text(output))
        decision = "abstain" if abstained else "answer"
        wrong = "" if decision == gold else f"should {gold}, got {quote(output)}"
        return self._outcomes(gold, decision, wrong)

    def fail(self, gold: Decision, why: str) -> dict[str, ScoreOutcome]:
        """A failure is neither an abstention nor an answer: wrong either way."""
        return self._outcomes(gold, NO_ANSWER, why or "no answer")

    def _outcomes(self, gold: Decision, predicted: str, wrong: str) -> dict[str, ScoreOutcome]:
        right = float(predicted == gold)
        recall: ScoreOutcome = Scored(right)
        needless: ScoreOutcome = Scored(1.0 - right)
        if gold == "abstain":
            needless = Unscored("the system should abstain", applicable=False)
        else:
            recall = Unscored("the system should answer", applicable=False)
        return {
            self.id: Scored(right, explanation=wrong, expected=gold, predicted=predicted),
            f"{self.id}.precision": Scored(
                float(predicted == gold == "abstain"), float(predicted == "abstain")
            ),
            f"{self.id}.recall": recall,
            f"{self.id}.over_abstention": needless,
        }

    def _abstains(self, text: str) -> bool:
        if self.pattern is not None:
            return self._compiled.search(text, timeout=TIMEOUT_S) is not None
        if self.equals is not None:
            return _bare(text) in self._sentences
        text = _plain(text)
        return any(phrase in text for phrase in self._phrases)

    @cached_property
    def _phrases(self) -> tuple[str, ...]:
        return tuple(_plain(phrase) for phrase in self.phrases or PHRASES)

    @cached_property
    def _sentences(self) -> frozenset[str]:
        return frozenset(_bare(sentence) for sentence in self.equals or ())

    @cached_property
    def _compiled(self) -> Any:
        return compile_pattern(self.pattern or "", ["ignorecase"])


def _plain(text: str) -> str:
    """Lower case, straight apostrophes, single spaces."""
    return " ".join(text.replace("\u2019", "'").lower().split())


def _bare(text: str) -> str:
    return normalise(_plain(text), ("punctuation", "whitespace"))
