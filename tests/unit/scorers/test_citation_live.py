from __future__ import annotations

from typing import Any

import pytest

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Record, Stage, Step, Trace
from harness.core.score import Scored, ScoreOutcome, Unscored
from harness.plugins.scorers.citation import Citation

CHUNKS = [
    {"id": "d#refunds~2", "sections": ["d#refunds"]},
    {"id": "e@4", "sections": ["e#fees", "e#limits"]},
]
SHOWN = tuple(str(chunk["id"]) for chunk in CHUNKS)


def score(
    output: str, gold: tuple[str, ...], *, live: bool = True, **options: Any
) -> dict[str, ScoreOutcome]:
    trace = Trace((Step(Stage.CONTEXT, 0.0, 0.0, detail={"passages": CHUNKS}),)) if live else None
    record = Record("v", "e", 0, Answer(output, evidence=SHOWN), AnswerPath.COLD, trace=trace)
    return dict(Citation(id="c", **options).score(Example("e", {}, evidence=gold), record))


@pytest.mark.parametrize(
    ("cited", "gold", "by_id", "by_section", "by_document"),
    [
        ("d#refunds~2", "d#refunds", 0, 1, 1),
        ("d#refunds~2", "d", 0, 1, 1),
        ("d#refunds~2", "d#fees", 0, 0, 1),
        ("e@4", "e#limits", 0, 1, 1),
        ("e@4", "e@4", 1, 1, 1),
        ("e@4", "d", 0, 0, 0),
    ],
)
def test_a_cited_chunk_is_correct_if_it_has_text_of_the_gold_section(
    cited: str, gold: str, by_id: float, by_section: float, by_document: float
) -> None:
    expected = {"id": by_id, "section": by_section, "document": by_document}
    for match, value in expected.items():
        assert score(f"[{cited}]", (gold,), match=match)["c.correct"].value == value  # type: ignore[union-attr]
    assert score(f"[{cited}]", (gold,))["c.correct"].value == by_section  # type: ignore[union-attr]
    assert score(f"[{cited}]", (gold,), live=False)["c.correct"].value == by_id  # type: ignore[union-attr]


def test_a_made_up_piece_is_fabricated() -> None:
    found = score("[d#refunds~2] and [d#refunds~9]", ("d",))
    assert found["c.fabricated"] == Scored(0.5, 2.0)
    assert found["c.valid"] == Scored(0.0, explanation="not given: d#refunds~9")


def test_what_the_model_was_not_shown_is_fabricated_even_if_it_was_retrieved() -> None:
    found_only = Trace((Step(Stage.RETRIEVE, 0.0, 0.0, detail={"passages": [{"id": "f#1"}]}),))
    answer = Answer("[f#1]", evidence=SHOWN)
    record = Record("v", "e", 0, answer, AnswerPath.COLD, trace=found_only)
    assert Citation(id="c").score(Example("e", {}), record)["c.fabricated"] == Scored(1.0, 1.0)


def test_prompt_only_says_nothing_about_what_was_given_and_an_empty_context_does() -> None:
    for evidence, missing in ((None, True), ((), False)):
        record = Record(
            "v", "e", 0, Answer("[d-1]", evidence=evidence), AnswerPath.COLD, trace=Trace()
        )
        outcome = Citation(id="c").score(Example("e", {}), record)["c.fabricated"]
        assert isinstance(outcome, Unscored) == missing


def test_a_failure_with_evidence_still_cites_nothing() -> None:
    failure = Failure(infrastructure=False, error_kind="refused", evidence=SHOWN)
    record = Record("v", "e", 0, failure, AnswerPath.COLD, trace=Trace())
    found = Citation(id="c").score(Example("e", {}, evidence=("d",)), record)
    assert found["c.correct"].value == found["c.valid"].value == 0  # type: ignore[union-attr]
    assert found["c.fabricated"].weight == 0  # type: ignore[union-attr]
