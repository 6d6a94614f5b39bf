"""Judged comparisons as an experiment asks for them: the entries of `pairwise:`, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from harness.core.variant import ModelChoice, Template

VerdictForm: TypeAlias = Literal["json", "token"]


@dataclass(frozen=True, slots=True)
class Rubric:
    """What a judge is to look at: one question, and what each criterion means by its name."""

    question: str
    criteria: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """A model that judges.

    `prompt` is a template of one's own, None for the built-in one. `verdict` says whether it is
    read from JSON or from the probability of the answer's token; `structured` whether the provider
    is asked to constrain the JSON, where it can. `where` is the `file:line:column` of the template.
    """

    id: str
    model: ModelChoice
    prompt: Template | None = None
    verdict: VerdictForm = "json"
    structured: bool = True
    where: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LengthSpec:
    """What a win rate at equal lengths is fitted with: a dotted path, and the paths of files."""

    difficulty: str | None = None
    rows: str | None = None
    constants: str | None = None


@dataclass(frozen=True, slots=True)
class PairwiseSpec:
    """One judged comparison: `judges` to ask, or a file of `verdicts` that were given elsewhere.

    `show` are paths in an example: what the judges see of it. `labels` is the path of a file of
    votes where `labels_file` is true, else a dotted path in every example. `length_control` is
    None where no such rate is wanted. `places` are the `file:line:column` of the entry (under "")
    and of its keys, for messages.
    """

    id: str
    judges: tuple[JudgeSpec, ...] = ()
    rubric: Rubric | None = None
    show: tuple[str, ...] = ("input",)
    orders: Literal["both", "one"] = "both"
    repeats: int = 1
    pairs: Literal["baseline", "all"] = "baseline"
    verdicts: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    panels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    humans: tuple[str, ...] = ()
    labels: str | None = None
    labels_file: bool = False
    min_agreement: float | None = None
    length_control: LengthSpec | None = None
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def place(self, key: str = "") -> str:
        """`file:line:column` of a key, or of the entry where it is not written."""
        return self.places.get(key) or self.places.get("", "")
