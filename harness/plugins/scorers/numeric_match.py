"""Whether the number in the output is the target's."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from harness.core.example import Example
from harness.core.options import Number
from harness.core.record import Record
from harness.core.score import ScoreOutcome, Unscored
from harness.core.values import JsonValue
from harness.plugins.base import LiteralTargetScorer, right_or_wrong
from harness.plugins.texts.json_text import is_number
from harness.plugins.texts.numbers import Percent, as_number, numbers_in
from harness.plugins.texts.text import quote

_NOT_A_NUMBER = Unscored("the target holds no number", applicable=False)


class NumericMatch(LiteralTargetScorer):
    """The number in the output equals the target's."""

    marker: str | None = Field(
        default=None,
        min_length=1,
        description="Read the first number behind the last line that starts with this text (or, "
        "if no line does, behind its last occurrence). Without it, the last number is read.",
    )
    percent: Percent = Field(
        default="as_is", description="`45%` is 45 (`as_is`) or 0.45 (`fraction`)."
    )
    abs_tolerance: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="Largest difference that still counts as equal."
    )
    rel_tolerance: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="The same as a share of the target."
    )

    def gold(self, example: Example) -> list[float] | Unscored:
        """The targets that are, or end in, a finite number."""
        targets = self.targets_of(example)
        if isinstance(targets, Unscored):
            return targets
        found = [self._number(target) for target in targets]
        finite = [number for number in found if number is not None and math.isfinite(number)]
        return finite or _NOT_A_NUMBER

    def judge(
        self, gold: list[float], output: JsonValue, record: Record
    ) -> Mapping[str, ScoreOutcome]:
        """Right if within either tolerance of one of the targets."""
        read = output
        if isinstance(output, str) and self.marker:
            read = _behind(output, self.marker)
            if read is None:
                return right_or_wrong(self.id, f"no {quote(self.marker)} in {quote(output)}")
        number = self._number(read, first=self.marker is not None)
        if number is None:
            return right_or_wrong(self.id, f"no number in {quote(read)}")
        if any(self._equal(number, target) for target in gold):
            return right_or_wrong(self.id, None)
        return right_or_wrong(self.id, f"got {number:.15g}, expected {gold[0]:.15g}")

    def _number(self, value: JsonValue, *, first: bool = False) -> float | None:
        if is_number(value):
            return as_number(value)
        if not isinstance(value, str):
            return None
        numbers = numbers_in(value, self.percent)
        if first:
            return next(numbers, None)
        last = deque(numbers, maxlen=1)
        return last[0] if last else None

    def _equal(self, number: float, target: float) -> bool:
        if not math.isfinite(number):
            return False
        tolerance = max(self.abs_tolerance, self.rel_tolerance * abs(target))
        return abs(number - target) <= tolerance


def _behind(text: str, marker: str) -> str | None:
    """The line behind the marker, or the next one with text; None if there is no marker."""
    start = None
    position = 0
    for line in text.splitlines(keepends=True):
        lead = len(line) - len(line.lstrip())
        if line.startswith(marker, lead):
            start = position + lead
        position += len(line)
    if start is None:
        start = text.rfind(marker)
    if start < 0:
        return None
    rest = text[start + len(marker) :].lstrip()
    return rest.splitlines()[0] if rest else ""
