"""Whether an answer cites, and cites only what it was given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import Field

from harness.core.example import Example
from harness.core.record import Answer, Record
from harness.core.score import Aggregate, Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import JsonValue, as_text
from harness.plugins.base import RIGHT, ScorerModel
from harness.plugins.evidence import Found, Match, by_document, covered, everything_found, not_given
from harness.plugins.texts.patterns import TIMEOUT_S, Pattern, compile_pattern
from harness.plugins.texts.text import quote

_BRACKETS = re.compile(r"\[([^\[\]\n]{1,500})\](?!\()")
_SEPARATOR = re.compile(r"[,;]")
_IDENTIFIER = re.compile(r"(?=.*[\d#])[\w.:/#@-]+(?:~\d+)?")
_NOT_GIVEN = Unscored("the recording does not say which evidence was given")
_NO_GOLD = Unscored("the example names no evidence", applicable=False)


@dataclass(frozen=True, slots=True)
class _Citations:
    cited: tuple[str, ...]
    given: frozenset[str] | None


class Citation(ScorerModel):
    """The answer cites evidence, and only evidence that it was given."""

    pattern: Pattern | None = Field(
        default=None,
        description="A regular expression that finds a cited id: its first group, or all of it. "
        "By default, ids in square brackets, several parted by commas or semicolons: "
        "`[doc-1]`, `[doc-1#refunds; doc-2]`.",
    )
    match: Match | None = Field(
        default=None,
        exclude_if=not_given,
        description="When a cited passage is correct: `id`, it is an id of the evidence; "
        "`section`, it has text of a section or document there; `document`, it is of the document "
        "of such an id. Default: `section` for live variants, `id` for recordings.",
    )

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Present, valid, fabricated, and correct."""
        return (
            Metric(f"{self.id}.present", binary=True, description="Cites at least one id"),
            Metric(
                f"{self.id}.valid",
                binary=True,
                description="Cites no id that it was not given",
            ),
            Metric(
                f"{self.id}.fabricated",
                higher_is_better=False,
                aggregate=Aggregate.RATIO,
                description="Of the ids cited, the share that was not given",
            ),
            Metric(
                f"{self.id}.correct",
                binary=True,
                description="Cites at least one id of the example's evidence",
            ),
        )

    def judge(self, gold: Example, output: JsonValue, record: Record) -> Mapping[str, ScoreOutcome]:
        """Each id counts once, however often it is cited."""
        found = self._citations(gold, output, record)
        cited = found.cited
        outcomes: dict[str, ScoreOutcome] = {
            f"{self.id}.present": RIGHT
            if cited
            else Scored(0.0, explanation=f"cites nothing: {quote(output)}"),
            f"{self.id}.valid": _NOT_GIVEN,
            f"{self.id}.fabricated": _NOT_GIVEN,
            f"{self.id}.correct": self._correct(gold, cited, record),
        }
        if found.given is not None:
            invented = [one for one in cited if one not in found.given]
            outcomes[f"{self.id}.valid"] = (
                Scored(0.0, explanation=f"not given: {quote(', '.join(invented))}")
                if invented
                else RIGHT
            )
            share = len(invented) / len(cited) if cited else 0.0
            outcomes[f"{self.id}.fabricated"] = Scored(share, float(len(cited)))
        return outcomes

    def fail(self, gold: Example, why: str) -> dict[str, ScoreOutcome]:
        """A failure cites nothing and is not valid; it fabricates nothing either."""
        outcomes = super().fail(gold, why)
        if not gold.evidence:
            outcomes[f"{self.id}.correct"] = _NO_GOLD
        return outcomes

    def _correct(self, example: Example, cited: tuple[str, ...], record: Record) -> ScoreOutcome:
        if not example.evidence:
            return _NO_GOLD
        match = self.match or ("section" if record.trace else "id")
        gold = dict.fromkeys(example.evidence, 1.0)
        gold = by_document(gold) if match == "document" else gold
        known = everything_found(record)
        if any(covered(known.get(one) or Found(one), gold, match) for one in cited):
            return RIGHT
        wanted = quote(", ".join(example.evidence))
        got = quote(", ".join(cited)) if cited else "nothing"
        return Scored(0.0, explanation=f"cites {got}, expected one of {wanted}")

    def _citations(self, example: Example, output: JsonValue, record: Record) -> _Citations:
        given = record.outcome.evidence if isinstance(record.outcome, Answer) else None
        known = frozenset(given) if given is not None else None
        if isinstance(output, list):
            cited = [as_text(item).strip() for item in output]
        elif self.pattern is not None:
            cited = [
                match[min(1, self._compiled.groups)] or ""
                for match in self._compiled.finditer(as_text(output), timeout=TIMEOUT_S)
            ]
        else:
            cited = _bracketed(
                as_text(output), (known or frozenset()) | {*(example.evidence or ())}
            )
        return _Citations(tuple(dict.fromkeys(one for one in cited if one)), known)

    @cached_property
    def _compiled(self) -> Any:
        return compile_pattern(self.pattern or "")


def _bracketed(text: str, known: frozenset[str]) -> list[str]:
    """Ids in square brackets: known ones, and whatever has an id's form ([sic] has not)."""
    pieces = (
        piece.strip() for match in _BRACKETS.finditer(text) for piece in _SEPARATOR.split(match[1])
    )
    return [piece for piece in pieces if piece in known or _IDENTIFIER.fullmatch(piece)]
