"""Whether the output contains certain texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import Field, model_validator

from harness.core.example import Example
from harness.core.record import Record
from harness.core.score import ScoreOutcome, Unscored
from harness.core.values import JsonValue, as_text
from harness.plugins.base import LiteralTargetScorer, right_or_wrong
from harness.plugins.texts.text import Normalisation, normalise, quote

Texts: TypeAlias = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class Contains(LiteralTargetScorer):
    """The output contains the texts that it must: by default, one of the targets."""

    any_of: Texts | None = Field(default=None, description="At least one of these is contained.")
    all_of: Texts | None = Field(default=None, description="Every one of these is contained.")
    normalise: tuple[Normalisation, ...] = Field(
        default=(), description="What is done to the output and to the texts before the search."
    )

    whole_words: bool = Field(
        default=False,
        description="Compare word by word, words being parted by white space: `art` is not in "
        "`party`. Best with `punctuation` among the normalisations.",
    )

    @model_validator(mode="after")
    def _texts_or_target(self) -> Contains:
        given = self.any_of is not None or self.all_of is not None
        if given and (self.target is not None or self.target_field is not None):
            raise ValueError("give any_of and all_of, or a target, not both")
        return self

    def gold(self, example: Example) -> tuple[list[str], list[str]] | Unscored:
        """The texts of which one must, and those that all must be contained, normalised."""
        any_of: JsonValue = self.any_of or ()
        all_of = self.all_of or ()
        if not any_of and not all_of:
            any_of = self.targets_of(example)
            if isinstance(any_of, Unscored):
                return any_of
        return (
            [normalise(as_text(text), self.normalise) for text in any_of],
            [normalise(text, self.normalise) for text in all_of],
        )

    def judge(
        self, gold: tuple[list[str], list[str]], output: JsonValue, record: Record
    ) -> Mapping[str, ScoreOutcome]:
        """An output that is no text is searched as its JSON."""
        any_of, all_of = gold
        text = normalise(as_text(output), self.normalise)
        wrong = None
        if any_of and not any(self._holds(text, wanted) for wanted in any_of):
            wrong = f"{quote(output)} does not contain {quote(any_of[0])}"
            wrong += f" or {len(any_of) - 1} others" if len(any_of) > 1 else ""
        for wanted in all_of:
            if wrong is None and not self._holds(text, wanted):
                wrong = f"{quote(output)} does not contain {quote(wanted)}"
        return right_or_wrong(self.id, wrong)

    def _holds(self, text: str, wanted: str) -> bool:
        if not wanted:  # normalisation emptied it: it is in everything, which says nothing
            return not text
        if self.whole_words:
            return f" {' '.join(wanted.split())} " in f" {' '.join(text.split())} "
        return wanted in text
