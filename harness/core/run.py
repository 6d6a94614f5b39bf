"""A finished run, whole: what the run folder holds and every later command starts from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from harness.core.comparison import Comparison
from harness.core.example import Example
from harness.core.judging import JudgmentTable
from harness.core.record import Record
from harness.core.score import ScoreTable
from harness.core.values import JsonValue
from harness.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class RunData:
    """One run's pinned facts, examples, records, scores and comparison.

    `records` are in the order (example, variant, repeat); they may be read from a file each time
    they are gone through. `verdict` is None until a gate has run. `judgments` are the verdicts of
    judges by the id of their entry in `pairwise:`.
    """

    manifest: Mapping[str, JsonValue]
    examples: tuple[Example, ...]
    records: Collection[Record]
    scores: ScoreTable
    comparison: Comparison
    verdict: Verdict | None = None
    judgments: Mapping[str, JudgmentTable] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The run's name within its folder."""
        return self.comparison.run_id
