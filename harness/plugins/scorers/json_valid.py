"""Whether the output is JSON."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from harness.core.record import Record
from harness.core.score import ScoreOutcome
from harness.core.values import JsonValue
from harness.plugins.base import ScorerModel, right_or_wrong
from harness.plugins.texts.json_text import parse_output


class JsonValid(ScorerModel):
    """The output is valid JSON."""

    allow_fence: bool = Field(
        default=False, description="Accept a text that is one Markdown code block around JSON."
    )

    def judge(self, gold: object, output: JsonValue, record: Record) -> Mapping[str, ScoreOutcome]:
        """An output that was recorded as a JSON value other than a text is valid."""
        if isinstance(output, str):
            try:
                parse_output(output, allow_fence=self.allow_fence)
            except ValueError as error:
                return right_or_wrong(self.id, f"not JSON: {error}")
        return right_or_wrong(self.id, None)
