"""Judged comparisons as an experiment asks for them: the entries of `pairwise:`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from harness.config.file_model import FileModel, ScorerId, Text
from harness.config.live_models import ModelKeys
from harness.core.options import Number, Whole

Share: TypeAlias = Annotated[Number, Field(ge=0, le=1)]
_CRITERIA = "say what counts and what it means, e.g. criteria: {correct: the facts are right}"


class RubricFile(FileModel):
    """What a judge, or a reviewer, is to look at."""

    key_hints: ClassVar[dict[str, str]] = {"criteria": _CRITERIA}

    question: Text = "Which of the two answers is better?"
    """The one question that the verdict answers."""
    criteria: Annotated[dict[Text, Text], Field(min_length=1)]
    """A criterion's name: what it means."""


class JudgeFile(ModelKeys):
    """A model that judges, asked as a variant's model is."""

    id: ScorerId
    """The judge's name in every table."""
    prompt: Text | None = None
    """A template of one's own, relative to this file; it is given `question`, `criteria`, `input`,
    `target`, `first` and `second`."""
    verdict: Literal["json", "token"] = "json"
    """By structured output, or by the probability of the answer token, where a provider tells."""
    structured: bool = True
    """Ask the provider to constrain the JSON, where it can; false for a server that refuses."""


class RubricJudgeFile(ModelKeys):
    """The model that judges for a scorer, asked as a variant's model is."""

    key_hints: ClassVar[dict[str, str]] = ModelKeys.key_hints | {
        "id": "the judge is named by its scorer",
        "prompt": "the scorer's criteria and show say what the judge is asked",
        "verdict": "a judge of single answers replies as JSON",
    }

    structured: bool = True
    """Ask the provider to constrain the JSON, where it can; false for a server that refuses."""


class LengthControlFile(FileModel):
    """What a win rate at equal lengths is fitted with; every part may be left out."""

    difficulty: Text | None = None
    """A number of every example by its dotted path, such as `instruction_difficulty`."""
    rows: Text | None = None
    """A file of answers of the baseline asked to be short and long: id, set, baseline_chars,
    variant_chars."""
    constants: Text | None = None
    """A JSON file with the sums over these rows: `sum_xy_gamed`, and `lambda_gamed`."""


class PairwiseFile(FileModel):
    """One judged comparison: verdicts that were given elsewhere, or judges to ask."""

    id: ScorerId
    """The panel's name in every table."""
    verdicts: Text | None = None
    """A file of verdicts that were given elsewhere."""
    fields: dict[Text, Text] = {}
    """Our name of a verdict's field: the file's."""
    where: dict[Text, Text] = {}
    """Only verdicts whose field is this text, such as `turn: "1"`."""
    judges: list[JudgeFile] = []
    """Models to ask; several are a panel, whose verdict is their mean."""
    rubric: RubricFile | None = None
    """What the judges are to look at."""
    show: list[Text] = ["input"]
    """What of an example they are shown: `input`, `target`, or dotted paths."""
    orders: Literal["both", "one"] = "both"
    """Whether each pair is shown in both orders, or in one that is drawn from the seed."""
    repeats: Annotated[Whole, Field(ge=1, le=100)] = 1
    """How often each judge is asked."""
    pairs: Literal["baseline", "all"] = "baseline"
    """Every variant against the baseline, or against every other."""
    panels: dict[ScorerId, list[Text]] = {}
    """Judges of the file whose verdicts count as one: a panel's name, and patterns such as
    `expert_*`. By default each judge is a panel of its own."""
    humans: list[Text] = []
    """Which judges of the file are people, by patterns: their figures stand apart."""
    labels: Text | None = None
    """What people said: a file of votes, or a path in every example such as `target.better`."""
    min_agreement: Share | None = None
    """The least agreement with the labels by which a judge may block a gate."""
    length_control: bool | LengthControlFile = False
    """Also tell the win rate at equal lengths."""
