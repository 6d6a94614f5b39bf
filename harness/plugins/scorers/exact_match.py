"""Whether the output is the target, after a normalisation that the config declares."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from harness.core.example import Example
from harness.core.record import Record
from harness.core.score import ScoreOutcome
from harness.core.values import JsonValue
from harness.plugins.base import LiteralTargetScorer, right_or_wrong
from harness.plugins.texts.json_text import same_json
from harness.plugins.texts.text import Normalisation, got_expected, normalise


class ExactMatch(LiteralTargetScorer):
    """The output equals the target, or one of the targets."""

    normalise: tuple[Normalisation, ...] = Field(
        default=(), description="What is done to output and target texts before they are compared."
    )

    def gold(self, example: Example) -> list[JsonValue]:
        """All acceptable targets."""
        targets: list[JsonValue] = self.targets_of(example)
        return targets

    def judge(
        self, gold: list[JsonValue], output: JsonValue, record: Record
    ) -> Mapping[str, ScoreOutcome]:
        """Texts are compared as texts, anything else as JSON."""
        if self._equals_any(output, gold):
            return right_or_wrong(self.id, None)
        return right_or_wrong(self.id, got_expected(output, gold[0]))

    def _equals_any(self, output: JsonValue, targets: list[JsonValue]) -> bool:
        if not isinstance(output, str):
            return any(same_json(output, target) for target in [*targets, targets])
        if not self.normalise:
            return output in targets
        text = normalise(output, self.normalise)
        return any(
            text == normalise(target, self.normalise)
            for target in targets
            if isinstance(target, str)
        )
