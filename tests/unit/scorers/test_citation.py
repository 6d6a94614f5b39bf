from __future__ import annotations

from typing import Any

import pytest

from harness.core.score import Scored, Unscored
from harness.plugins.scorers.citation import Citation

GIVEN = ("doc-1", "doc-2#refunds", "handbook")


@pytest.mark.parametrize(
    ("output", "n_cited", "n_invented"),
    [
        ("Yes [doc-1].", 1, 0),
        ("Yes [doc-1][doc-2#refunds], see [doc-1]", 2, 0),
        ("Yes [doc-1, doc-2#refunds; handbook]", 3, 0),
        ("Yes [doc-9].", 1, 1),
        ("Yes [doc-1, doc-9].", 2, 1),
        ("Yes [DOC-1]", 1, 1),
        ("Yes [doc-2]", 1, 1),
        ("Yes.", 0, 0),
        ("", 0, 0),
        ("as he wrote [sic] [see below]", 0, 0),
        ("a [doc-9](https://example.org) link", 0, 0),
        ("array[0]", 1, 1),
        ("[[doc-1]]", 1, 0),
        ("[doc-1\n]", 0, 0),
        ("[" * 5_000, 0, 0),
        ("[]", 0, 0),
        ("[,;,]", 0, 0),
        ({"text": "[doc-1]"}, 1, 0),
        (["doc-1", "doc-9", "doc-1"], 2, 1),
        ([], 0, 0),
        ([" doc-1 ", 7, None], 3, 2),
    ],
)
def test_cited_and_invented(ask: Any, output: Any, n_cited: int, n_invented: int) -> None:
    scorer = Citation(id="c")
    present = ask(scorer, output, "present", evidence=GIVEN)
    valid = ask(scorer, output, "valid", evidence=GIVEN)
    fabricated = ask(scorer, output, "fabricated", evidence=GIVEN)
    assert present.value == float(n_cited > 0)
    assert valid.value == float(n_invented == 0)
    assert fabricated.weight == n_cited
    assert fabricated.value == pytest.approx(n_invented / n_cited if n_cited else 0)


@pytest.mark.parametrize(
    ("pattern", "output", "n_cited"),
    [
        (r"\(source: ([^)]+)\)", "x (source: doc-1) (source: doc-9)", 2),
        (r"doc-\d", "doc-1 and doc-2 and doc-1", 2),
        (r"(a)|b", "b", 0),
        (r"x*", "nothing", 0),
    ],
)
def test_pattern(ask: Any, pattern: str, output: str, n_cited: int) -> None:
    scorer = Citation(id="c", pattern=pattern)
    assert ask(scorer, output, "fabricated", evidence=GIVEN).weight == n_cited


def record_evidence(
    scorer: Citation, given: tuple[str, ...] | None, gold: tuple[str, ...] | None
) -> Any:
    from harness.core.example import Example
    from harness.core.record import Answer, AnswerPath, Record

    record = Record("v", "e", 0, Answer("[doc-1]", evidence=given), AnswerPath.RECORDED)
    return scorer.score(Example("e", {}, evidence=gold), record)


def test_given_is_what_the_recording_says_and_never_the_gold_evidence() -> None:
    scorer = Citation(id="c")
    assert record_evidence(scorer, ("doc-1",), ("doc-2",))["c.valid"] == Scored(1.0)
    assert record_evidence(scorer, ("doc-2",), ("doc-1",))["c.valid"].value == 0
    assert record_evidence(scorer, (), ("doc-1",))["c.valid"].value == 0
    for gold in (None, ("doc-1",), ("doc-2",)):
        unknown = record_evidence(scorer, None, gold)
        for part in ("valid", "fabricated"):
            assert isinstance(unknown[f"c.{part}"], Unscored)
            assert unknown[f"c.{part}"].applicable
        assert unknown["c.present"] == Scored(1.0)
    assert record_evidence(scorer, None, ("doc-1",))["c.correct"] == Scored(1.0)


def test_correct_asks_for_gold_evidence(ask: Any) -> None:
    scorer = Citation(id="c")
    assert record_evidence(scorer, ("doc-1",), ("doc-1", "doc-2"))["c.correct"] == Scored(1.0)
    wrong = record_evidence(scorer, ("doc-1",), ("doc-2",))["c.correct"]
    assert wrong == Scored(0.0, explanation="cites doc-1, expected one of doc-2")
    for gold in (None, ()):
        for output in ("[doc-1]", None):
            assert not ask(scorer, output, "correct", evidence=gold).applicable


def test_failure_fabricates_nothing(ask: Any) -> None:
    scorer = Citation(id="c")
    assert ask(scorer, None, "fabricated", evidence=GIVEN).weight == 0
    assert ask(scorer, None, "valid", evidence=GIVEN).value == 0
