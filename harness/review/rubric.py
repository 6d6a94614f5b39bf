"""What a reviewer is asked to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

QUESTION = "Which of the two answers is better?"
CRITERIA: Mapping[str, str] = {
    "correct and grounded": "what it says is true, and rests on the sources that it had",
    "appropriate escalation": "hands over to a person when it should, and only then",
    "policy alignment": "keeps to the rules, promises nothing that they do not allow",
    "tone": "friendly, clear, as long as it needs to be",
    "completeness and usefulness": "of a summary: all that matters is there, and can be used",
    "extraction details": "names, numbers, dates and fields are taken over exactly",
}


@dataclass(frozen=True, slots=True)
class Rubric:
    """The question that a verdict answers, and criteria by name with what they mean."""

    question: str = QUESTION
    criteria: Mapping[str, str] = field(default_factory=lambda: CRITERIA)
