"""How many words output and target share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from pydantic import Field

from harness.core.example import Example
from harness.core.record import Record
from harness.core.score import Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import JsonValue, as_text
from harness.plugins.base import LiteralTargetScorer
from harness.plugins.texts.text import got_expected, squad_tokens


class TokenF1(LiteralTargetScorer):
    """F1 of the words that output and target share, after SQuAD's normalisation."""

    overlap: Literal["multiset", "distinct"] = Field(
        default="multiset",
        description="A word counts as often as both have it (`multiset`, as SQuAD does), or once "
        "(`distinct`). The lengths count repeats in both cases.",
    )

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The mean of F1."""
        return (Metric(self.id, description="F1 of the words shared with the target"),)

    def gold(self, example: Example) -> list[JsonValue] | Unscored:
        """All acceptable targets; the best one counts."""
        targets: list[JsonValue] | Unscored = self.targets_of(example)
        return targets

    def judge(
        self, gold: list[JsonValue], output: JsonValue, record: Record
    ) -> Mapping[str, ScoreOutcome]:
        """The best F1 over the targets."""
        words = squad_tokens(as_text(output))
        value = max(self._f1(words, squad_tokens(as_text(target))) for target in gold)
        wrong = got_expected(output, gold[0]) if value < 1 else ""
        return {self.id: Scored(value, explanation=wrong)}

    def _f1(self, words: list[str], wanted: list[str]) -> float:
        if not words or not wanted:
            return float(words == wanted)
        if self.overlap == "distinct":
            n_shared = len(set(words) & set(wanted))
        else:
            n_shared = (Counter(wanted) & Counter(words)).total()  # it walks the left, shorter one
        return 2 * n_shared / (len(words) + len(wanted))
