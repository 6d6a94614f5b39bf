"""Each kind of conclusion, finding and verdict in words."""

# ruff: noqa: E501 (sentences stand whole)

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reporting_fixtures import Shape, make_run, verdict

from harness.core.comparison import Conclusion, PairEstimate
from harness.core.run import RunData
from harness.core.score import Unscored
from harness.core.verdict import Outcome
from harness.reporting import html, junit, markdown, terminal
from harness.reporting.figures import Figures
from harness.reporting.formats import MINUS
from harness.reporting.notes import notes
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
        "n_units": 1319,
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
        f"Keep a. b is 2.6 points better than a on correct, between {MINUS}6.1 and +11.3: "
        "no evidence of a difference; about 2,500 more examples would settle it."
    )


def test_keep_among_several_gives_a_reason_each() -> None:
    second = pair(candidate="c", diff=-0.05, ci_low=-0.08, ci_high=-0.02, finding="worse")
    said = conclude(concluded("keep", "a", (pair(finding="too_few", n=8, n_units=8), second)))
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
    said = conclude(concluded("incomplete", "a", (pair(coverage=0.9),)))
    assert said.badge == "No verdict"
    assert "90.0% of the trials scored on both sides" in said.text


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


def test_too_few_tells_clusters_from_examples() -> None:
    figures = Figures(RUN.comparison)
    clustered = pair(finding="too_few", n=1000, n_units=8)
    assert pair_sentence(clustered, figures).endswith(
        "between 14.7 and 20.0: too few independent examples to tell (8 clusters)"
    )
    assert pair_sentence(pair(finding="too_few", n=1, n_units=1), figures).endswith(
        ": 1 example, too few to tell"
    )


THIN = {
    "finding": "too_few",
    "n_units": 1319,
    "method": "undefined: a class has fewer than 10 examples",
    "ci_low": None,
    "ci_high": None,
    "mde": None,
    "p_value": None,
    "p_adjusted": None,
}
BLANK = {**THIN, "method": "undefined: one side has nothing to count", "diff": None}


def test_no_interval_is_said_with_its_reason() -> None:
    figures = Figures(RUN.comparison)
    assert pair_sentence(pair(**THIN), figures) == (
        "b is 17.4 points better than a on correct: no interval, a class has fewer than 10 examples"
    )
    assert mark(pair(**THIN), 0.17).word == "no interval"
    assert pair_sentence(pair(**BLANK), figures) == (
        "b cannot be compared with a on correct: one side has nothing to count"
    )
    assert mark(pair(**BLANK), None).word == "undefined"


@pytest.mark.parametrize("changes", [THIN, BLANK])
def test_every_rendering_stands_a_pair_without_interval(changes: dict[str, Any]) -> None:
    without: dict[str, Any] = {"ci_low": None, "ci_high": None, "method": changes["method"]}
    blank = {"mean": None, "standard_error": None} if changes is BLANK else {}
    comparison = RUN.comparison.model_copy(
        update={
            "pairs": tuple(p.model_copy(update=changes) for p in RUN.comparison.pairs),
            "scores": tuple(
                s.model_copy(update={**without, **blank}) for s in RUN.comparison.scores
            ),
        }
    )
    run = replace(RUN, comparison=comparison, verdict=verdict(RUN))
    why = changes["method"].partition(": ")[2]
    said = f"No interval for correct: {why}."
    for render in (html.render, markdown.render, terminal.render):
        text = render(run)
        assert said in text
        assert ("undefined" if changes is BLANK else "no interval") in text
        assert "()" not in text.split("<script", 1)[0]
        assert "[]" not in text.split("<script", 1)[0]
    assert f"{why}." in junit.render(replace(run, verdict=None))


def noted(**changes: Any) -> list[str]:
    pairs = tuple(
        p.model_copy(update={"finding": "no_evidence", "n_units": 40}) for p in RUN.comparison.pairs
    )
    few = {"finding": "too_few", "n_units": 8}
    pairs = tuple(
        p.model_copy(update=few) if all(getattr(p, k) in v for k, v in changes.items()) else p
        for p in pairs
    )
    found = notes(Figures(RUN.comparison.model_copy(update={"pairs": pairs})), RUN.scores)
    return [note for note in found if "independent" in note]


def test_notes_tell_all_examples_from_a_slice() -> None:
    assert noted(metric=["correct"]) == [
        "Fewer than 10 independent examples in all carry correct: too few for a finding."
    ]
    assert noted(slice=["risk=high"]) == [
        "1 slice has fewer than 10 independent examples on some metric: too few for a finding there."
    ]
    assert noted(slice=["risk=high", "rare=yes"])[0].startswith("2 slices have fewer than 10 ")
    assert noted(metric=[]) == []


def test_failures_by_kind() -> None:
    variants = tuple(
        v.model_copy(update={"error_kinds": {"timeout": 2, "no_output": 3} if v.id == "b" else {}})
        for v in RUN.comparison.variants
    )
    found = notes(Figures(RUN.comparison.model_copy(update={"variants": variants})), RUN.scores)
    assert "Failures by kind: b no_output 3, timeout 2." in found


def without_scores(metric: str, reason: Unscored) -> RunData:
    """The run, in which nothing of the variant c is scored on a metric."""
    (column,) = (m for m in RUN.scores.metrics if m.metric.id == metric)
    value, code = column.value.copy(), column.reason.copy()
    value[2], code[2] = np.nan, len(column.reasons) + 1
    column = replace(column, value=value, reason=code, reasons=(*column.reasons, reason))
    others = tuple(m for m in RUN.scores.metrics if m.metric.id != metric)
    nothing = {"n": 0, "mean": None, "ci_low": None, "ci_high": None}
    scores = tuple(
        s.model_copy(update=nothing) if (s.variant, s.metric) == ("c", metric) else s
        for s in RUN.comparison.scores
    )
    few = {"finding": "too_few", "n": 0, "n_units": 0}
    pairs = tuple(
        p.model_copy(update=few) if p.metric == metric and "c" in (p.candidate, p.baseline) else p
        for p in RUN.comparison.pairs
    )
    comparison = RUN.comparison.model_copy(update={"scores": scores, "pairs": pairs})
    return replace(
        RUN, comparison=comparison, scores=replace(RUN.scores, metrics=(*others, column))
    )


def test_notes_say_why_a_variant_has_no_figure() -> None:
    run = without_scores("overlap.1", Unscored("the variant does not retrieve"))
    found = list(notes(Figures(run.comparison), run.scores))
    assert (
        "c has no figure for overlap.1, nor has any pair with it: the variant does not retrieve."
        in found
    )
    assert not [note for note in found if "in all carry overlap.1" in note]


def test_a_reason_that_is_not_told_is_not_made_up() -> None:
    run = without_scores("overlap.1", Unscored("no target", applicable=False))
    found = list(notes(Figures(run.comparison), run.scores))
    assert any(note.startswith("Fewer than 10 independent examples in all carry") for note in found)
    assert not [note for note in found if "no figure" in note]


def test_an_interval_that_leaves_out_zero_is_not_called_no_evidence() -> None:
    said = {"finding": "no_evidence", "diff": -0.208, "ci_low": -0.405, "ci_high": -0.042}
    worse = pair(**said, p_value=0.06, p_adjusted=0.25, family="primary", n_needed=None)
    figures = concluded("keep", "a", (worse,))
    n = sum(p.family == "primary" and p.p_value is not None for p in figures.comparison.pairs)
    assert n > 1
    sentence = (
        "b is 20.8 points worse than a on correct, between 4.2 and 40.5: not certain after "
        f"correction for {n} figures (p = 0.250)"
    )
    assert pair_sentence(worse, figures) == sentence
    assert conclude(figures).sentence == f"Keep a. {sentence}."
    assert mark(worse, -0.208).word == "not certain"
    run = replace(RUN, comparison=figures.comparison)
    for text in (terminal.render(run), html.render(run), markdown.render(run), junit.render(run)):
        whole = re.sub(r"[\\\s]+", " ", text)
        assert "not certain after correction for" in whole
        assert "4.2 and 40.5: no evidence" not in whole


def test_one_figure_alone_was_not_corrected() -> None:
    open_pair = pair(finding="no_evidence", p_value=0.06, p_adjusted=0.06)
    alone = Figures(RUN.comparison.model_copy(update={"pairs": (open_pair,)}))
    assert pair_sentence(open_pair, alone).endswith(": not certain (p = 0.060)")


def test_incomplete_where_a_primary_figure_applies_to_nothing() -> None:
    assert conclude(concluded("incomplete", "a", ())).sentence == (
        "No verdict: a primary figure has no example that it applies to."
    )


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


def ruled(outcome: Outcome, n_rules: int = 1) -> Any:
    whole = verdict(RUN, outcome)
    return whole.model_copy(update={"rules": whole.rules[-n_rules:]})


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("pass", "The gate passes b: it keeps the one rule against a."),
        ("fail", "The gate blocks b: the one rule is broken against a."),
        (
            "inconclusive",
            "The gate cannot decide on b, which blocks: the one rule is inconclusive against a.",
        ),
    ],
)
def test_gate_of_one_rule(outcome: Outcome, said: str) -> None:
    assert gate_headline(ruled(outcome)).sentence == said


def test_every_rendering_of_the_gate_says_what_would_settle_it() -> None:
    run = replace(RUN, verdict=ruled("inconclusive"))
    said = "about 840 more examples would settle it"
    assert f"- p95: {said}" in terminal.render_gate(run)
    assert f"| p95 | ? inconclusive, {said} |" in markdown.render(run)
    assert f'<a class="term" href="#g-needed">{said}</a>' in html.render(run)
    assert said in junit.render(run)


def test_nothing_would_settle_a_rule_that_is_decided_or_hopeless() -> None:
    (rule,) = ruled("inconclusive").rules
    for changes in ({"outcome": "pass"}, {"n_needed": None}, {"n_needed": 10**9}):
        settled = ruled("inconclusive").model_copy(
            update={"rules": (rule.model_copy(update=changes),)}
        )
        assert "settle" not in terminal.render_gate(replace(RUN, verdict=settled))


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
