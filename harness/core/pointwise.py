"""A rubric by which a model judges answers one at a time, and what it says of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from harness.core.pairwise import JudgeSpec

Ruling: TypeAlias = Literal["true", "false", "not_applicable"]
"""Whether an answer meets a criterion; or that the criterion says nothing about it."""

TrialKey: TypeAlias = tuple[str, str, int]
"""Whose trial: the variant, the example, the repeat."""


@dataclass(frozen=True, slots=True)
class CriterionVerdict:
    """What a judge says of an answer by one criterion.

    `ruling` is None where there is no verdict; `why` is then the reason, else what decided.
    """

    ruling: Ruling | None
    why: str = ""


Verdicts: TypeAlias = Mapping[TrialKey, Mapping[str, CriterionVerdict]]
"""By trial, and by the criterion's name. A trial that nobody was asked about has none."""


@dataclass(frozen=True, slots=True)
class RubricSpec:
    """A scorer whose verdicts a model gives, resolved: the judge, and what it is asked.

    `criteria` are what each means by its name. `show` are paths in an example, and `passages`.
    `where` is the `file:line:column` of `show`.
    """

    id: str
    judge: JudgeSpec
    criteria: Mapping[str, str]
    show: tuple[str, ...]
    repeats: int = 1
    where: str = field(default="", compare=False, repr=False)

    @property
    def judges(self) -> tuple[JudgeSpec, ...]:
        """The one judge, as a judged comparison has several."""
        return (self.judge,)
