"""Each kind of conclusion, finding and verdict in words."""

# ruff: noqa: E501 (sentences stand whole)

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from reporting_fixtures import Shape, make_run, verdict

from harness.core.comparison import Conclusion, PairEstimate
from harness.core.run import RunData
from harness.core.verdict import Outcome
from harness.reporting.figures import Figures
from harness.reporting.formats import MINUS
from harness.reporting.sentences import (
    conclude,
    gate_headline,
    mark,
    more_needed,
    pair_sentence,
)

RUN = make_run(Shape(n=40, variants=("a", "b", "c"), rates=(0.4, 0.5, 0.6)))


def pair(**changes: Any) -> PairEstimate:
    base = next(p for p in RUN.comparison.pairs if p.metric == "correct" and p.candidate == "b")
    usual = {
        "n": 1319,
        "n_missing": 0,
        "diff": 0.17361,
        "ci_low": 0.147,
        "ci_high": 0.2,
        "p_adjusted": 1e-9,
        "wins": 293,
        "losses": 64,
        "ties": 962,
        "finding": "better",
        "mde": 0.04,
    }
    return base.model_copy(update={**usual, **changes})


def concluded(kind: str, variant: str, pairs: tuple[PairEstimate, ...]) -> Figures:
    because = tuple((p.candidate, p.metric, p.slice) for p in pairs)
    conclusion = Conclusion.model_validate(
        {"kind": kind, "variant": variant, "metric": "correct", "slice": "all", "because": because}
    )
    others = tuple(
        p for p in RUN.comparison.pairs if (p.candidate, p.metric, p.slice) not in because
    )
    return Figures(
        RUN.comparison.model_copy(update={"conclusion": conclusion, "pairs": pairs + others})
    )


def test_ship() -> None:
    said = conclude(concluded("ship", "b", (pair(),)))
    assert said.badge == "Ship b"
    assert (
        said.sentence
        == "Ship b. It is 17.4 points better than a on correct, between 14.7 and 20.0."
    )
    assert (
        said.reasons[0]
        == "p < 0.0001; it does better on 293 examples, worse on 64 and the same on 962."
    )


def test_keep_says_what_would_settle_it() -> None:
    open_pair = pair(
        diff=0.0264, ci_low=-0.061, ci_high=0.113, n=125, n_needed=2584, finding="no_evidence"
    )
    said = conclude(concluded("keep", "a", (open_pair,)))
    assert said.badge == "Keep a"
    assert said.sentence == (
        f"Keep a. b is 2.6 points better than a on correct, between {MINUS}6.1 and 11.3: "
        "no evidence of a difference; about 2,500 more examples would settle it."
    )


def test_keep_among_several_gives_a_reason_each() -> None:
    second = pair(candidate="c", diff=-0.05, ci_low=-0.08, ci_high=-0.02, finding="worse")
    said = conclude(concluded("keep", "a", (pair(finding="too_few", n=8), second)))
    assert said.sentence.startswith("Keep a. No other variant")
    assert said.reasons == (
        "b is 17.4 points better than a on correct, between 14.7 and 20.0: 8 examples, too few to tell.",
        "c is 5.0 points worse than a on correct, between 2.0 and 8.0.",
    )


def test_trade_off() -> None:
    loss = pair(metric="overlap.1", diff=-0.05, ci_low=-0.08, ci_high=-0.02, finding="worse")
    said = conclude(concluded("trade_off", "b", (pair(), loss)))
    assert said.sentence == (
        "A trade-off, for a person to weigh. b is 17.4 points better than a on correct, between 14.7 and 20.0; "
        "but b is 5.0 points worse than a on overlap.1, between 2.0 and 8.0."
    )


def test_incomplete_counts_what_is_missing() -> None:
    said = conclude(concluded("incomplete", "a", (pair(n=90, n_missing=10),)))
    assert said.badge == "No verdict"
    assert "90 of 100 examples scored on both sides" in said.text


def test_single() -> None:
    run = make_run(Shape(n=20, variants=("only",), rates=(0.4,)))
    said = conclude(Figures(run.comparison))
    assert said.badge == "One variant"
    assert said.sentence.startswith("One variant, so nothing to compare. only: ")


def test_lower_is_better_turns_the_words_not_the_numbers() -> None:
    metrics = tuple(
        m.model_copy(update={"higher_is_better": False}) if m.id == "correct" else m
        for m in RUN.comparison.metrics
    )
    figures = Figures(RUN.comparison.model_copy(update={"metrics": metrics}))
    fewer = pair(diff=-0.03, ci_low=-0.05, ci_high=-0.01)
    assert (
        pair_sentence(fewer, figures)
        == "b is 3.0 points better than a on correct, between 1.0 and 5.0"
    )
    assert mark(pair(finding="no_evidence", diff=-0.03), figures.gain(fewer)).symbol == "△"


def test_a_pair_is_the_same_from_both_sides() -> None:
    figures = Figures(RUN.comparison)
    there, back = figures.pair("b", "a", "correct"), figures.pair("a", "b", "correct")
    assert there is not None
    assert back is not None
    assert back.diff == pytest.approx(-(there.diff or 0))
    assert (back.wins, back.losses) == (there.losses, there.wins)
    assert (back.win_rate or 0) + (there.win_rate or 0) == pytest.approx(1)
    assert back.ci_low == -(there.ci_high or 0)


@pytest.mark.parametrize(
    ("finding", "gain", "symbol"),
    [
        ("better", 0.1, "▲"),
        ("worse", -0.1, "▼"),
        ("no_evidence", 0.1, "△"),
        ("no_evidence", -0.1, "▽"),
        ("no_evidence", 0.0, "○"),
        ("too_few", 0.3, "…"),
        ("not_comparable", None, "✕"),
    ],
)
def test_marks(finding: str, gain: float | None, symbol: str) -> None:
    assert mark(pair(finding=finding), gain).symbol == symbol


def test_no_guess_of_examples_where_nothing_is_known() -> None:
    assert more_needed(pair(finding="no_evidence", n_needed=None)) is None
    assert more_needed(pair(finding="no_evidence", n=100, n_needed=20_000_000)) is None
    assert more_needed(pair(finding="no_evidence", n=100, n_needed=400)) == 300


def gate(run: RunData, outcome: Outcome) -> str:
    return gate_headline(verdict(run, outcome)).text


def test_gate() -> None:
    assert gate(RUN, "pass") == "The gate passes b: it keeps all 2 rules against a."
    assert gate(RUN, "fail") == (
        "The gate blocks b: 1 of 4 rules broken against a. 31.0% is below the floor of 50%."
    )
    assert gate(RUN, "inconclusive").startswith(
        "The gate cannot decide on b, which blocks: 1 of 3 rules inconclusive"
    )


def test_unknown_is_unknown_never_zero() -> None:
    from harness.reporting.view import build_view

    run = make_run(Shape(n=20, costs=False, latencies=False, failures=False))
    view = build_view(run)
    assert {row.cost.text for row in view.variants} == {"unknown"}
    assert {row.p95.text for row in view.variants} == {"unknown"}
    assert "Cost is unknown for every variant: the records carry none." in view.notes
    assert "Latency is unknown for every variant: the records carry none." in view.notes


def test_slices_start_with_all_then_the_worst() -> None:
    from harness.reporting.view import build_view

    view = build_view(make_run(Shape(n=200, rates=(0.7, 0.4))))
    rows = view.slices[0].rows
    assert rows[0].name == "all examples"
    assert rows[-1].name == "rare=yes"  # too few to be called a loss
    worst = [row.cells[1] for row in rows[1:-1]]
    certain = [cell.tone == "bad" for cell in worst]
    assert certain == sorted(certain, reverse=True)


def test_every_metric_is_shown_even_without_records() -> None:
    from harness.reporting.view import build_view

    run = make_run(Shape(n=20))
    view = build_view(replace(run, records=()))
    assert [row.metric for row in view.metrics] == ["correct", "overlap.1"]
