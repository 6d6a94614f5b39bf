"""Whether a regular expression matches the output."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from harness.core.example import Example
from harness.core.options import Number, Whole
from harness.core.record import Record
from harness.core.score import ScoreOutcome, Unscored
from harness.core.values import JsonValue, as_text
from harness.plugins.base import LiteralTargetScorer, right_or_wrong
from harness.plugins.texts.patterns import TIMEOUT_S, Flag, Pattern, compile_pattern
from harness.plugins.texts.text import Normalisation, got_expected, normalise, quote


class Regex(LiteralTargetScorer):
    """The pattern matches the output; with `group`, what the group caught is the target."""

    pattern: Pattern = Field(description="A regular expression (Python syntax, `regex` package).")
    flags: tuple[Flag, ...] = Field(default=(), description="Flags for the pattern.")
    full: bool = Field(default=False, description="The pattern must match the whole output.")
    group: Whole | str | None = Field(
        default=None, description="Compare this group of the first match with the target."
    )
    normalise: tuple[Normalisation, ...] = Field(
        default=(), description="What is done to the group and the target before comparison."
    )
    timeout_s: Number = Field(
        default=TIMEOUT_S, gt=0, le=60, description="Give up on an output after this time."
    )

    @model_validator(mode="after")
    def _group_exists(self) -> Regex:
        if self.group is None:
            if self.target is not None or self.target_field is not None or self.normalise:
                raise ValueError("target, target_field and normalise need a group to compare")
            return self
        known = self._compiled.groupindex
        if isinstance(self.group, str) and self.group not in known:
            raise ValueError(f"the pattern has no group {self.group!r}")
        if isinstance(self.group, int) and not 0 <= self.group <= self._compiled.groups:
            raise ValueError(f"the pattern has no group {self.group}")
        return self

    def gold(self, example: Example) -> list[JsonValue] | Unscored:
        """The targets that the group is compared with; none without a group."""
        if self.group is None:
            return []
        targets: list[JsonValue] | Unscored = self.targets_of(example)
        return targets

    def judge(
        self, gold: list[JsonValue], output: JsonValue, record: Record
    ) -> Mapping[str, ScoreOutcome]:
        """An output that is no text is matched as its JSON."""
        find = self._compiled.fullmatch if self.full else self._compiled.search
        match = find(as_text(output), timeout=self.timeout_s)
        wrong = None
        if match is None:
            wrong = f"no match in {quote(output)}"
        elif self.group is not None:
            caught = match[self.group] or ""
            texts = [normalise(as_text(target), self.normalise) for target in gold]
            if normalise(caught, self.normalise) not in texts:
                wrong = got_expected(caught, gold[0])
        return right_or_wrong(self.id, wrong)

    @cached_property
    def _compiled(self) -> Any:
        return compile_pattern(self.pattern, self.flags)
