"""Verdicts merged and analysed: orders, ties, planted biases, labels, trust, the queue."""

import numpy as np
import pytest

from harness.comparison.judged import judged_comparison
from harness.comparison.judged_queue import queue_of
from harness.core.experiment import Analysis, PrimaryFigure
from harness.core.judging import Judged, Panel, TableBuilder

ANALYSIS = Analysis((PrimaryFigure("win_rate"),), resamples=200)


def judged(builder, *, humans=(), min_agreement=None, labels=None, slices=None, panels=None):
    table = builder.table()
    everything = np.arange(len(table.example_ids), dtype=np.int32)
    named = panels or {judge: (judge,) for judge in table.judges}
    return Judged(
        table=table,
        panels=tuple(
            Panel(name, members, name in humans, None if name in humans else min_agreement)
            for name, members in named.items()
        ),
        slices={"all": everything} | (slices or {}),
        labels=labels,
    )


def whole(comparison):
    return next(one for one in comparison.pairwise if one.slice == "all")


def both_orders(builder, example, original, swapped, judge="j", **more):
    """Verdicts for `b` over `a` in both orders."""
    builder.add(example, judge, ("a", "b"), original, swapped=0, **more)
    builder.add(example, judge, ("a", "b"), swapped, swapped=1, **more)


def test_orders_that_disagree_are_a_tie_and_counted():
    builder = TableBuilder()
    both_orders(builder, "agree", 1.0, 1.0)
    both_orders(builder, "flip", 1.0, 0.0)
    both_orders(builder, "half", 1.0, 0.5)
    one = whole(judged_comparison(judged(builder), ANALYSIS))
    assert (one.wins, one.ties, one.losses) == (1, 2, 0)
    assert (one.n_flipped, one.n_both_orders) == (1, 3)
    assert one.win_rate == pytest.approx(2 / 3)


def test_probabilities_of_two_orders_are_averaged():
    builder = TableBuilder()
    both_orders(builder, "e", 0.9, 0.4)
    one = whole(judged_comparison(judged(builder), ANALYSIS))
    assert one.win_rate == pytest.approx(0.65)
    assert one.n_flipped == 1


def test_an_unread_verdict_scores_nobody():
    builder = TableBuilder()
    both_orders(builder, "read", 1.0, 1.0)
    both_orders(builder, "half_read", 0.0, None)
    both_orders(builder, "unread", None, None)
    comparison = judged_comparison(judged(builder), ANALYSIS)
    one = whole(comparison)
    assert (one.n, one.n_missing, one.n_one_order, one.n_unparsed) == (1, 2, 1, 3)
    assert one.win_rate == 1
    assert any("3 of 6 verdicts could not be read" in text for text in comparison.warnings)


def test_a_judge_that_always_says_first_only_makes_ties():
    builder = TableBuilder()
    for number in range(60):
        both_orders(builder, f"e{number}", 0.0, 1.0)
    comparison = judged_comparison(judged(builder), ANALYSIS)
    one = whole(comparison)
    assert (one.ties, one.n_flipped, one.win_rate) == (60, 60, 0.5)
    judge = comparison.judges[0]
    assert (judge.first_rate, judge.consistency) == (1, 0)
    assert any("position bias" in text for text in comparison.warnings)


def test_a_planted_position_bias_is_told_and_a_fair_judge_is_not_accused():
    rng = np.random.default_rng(1)
    for bias, told in ((0.25, True), (0.0, False)):
        builder = TableBuilder()
        for number in range(300):
            truth = rng.random()
            first_bonus = rng.random() < bias
            original = 0.0 if first_bonus else float(truth < 0.5)
            swapped = 1.0 if first_bonus else float(truth < 0.5)
            both_orders(builder, f"e{number}", original, swapped)
        comparison = judged_comparison(judged(builder), ANALYSIS)
        assert any("position bias" in text for text in comparison.warnings) == told


def test_a_planted_length_bias_is_told_against_labels():
    rng = np.random.default_rng(2)
    for bias, told in ((0.4, True), (0.0, False)):
        builder, labels = TableBuilder(), []
        for number in range(400):
            longer_is_b, b_is_better = rng.random(2) < 0.5
            verdict = longer_is_b if rng.random() < bias else b_is_better
            chars = (100.0, 200.0) if longer_is_b else (200.0, 100.0)
            both_orders(builder, f"e{number}", float(verdict), float(verdict), chars=chars)
            labels.append(int(b_is_better))
        found = judged(builder, labels=np.array(labels, dtype=np.int32))
        comparison = judged_comparison(found, ANALYSIS)
        assert any("length bias" in text for text in comparison.warnings) == told


def test_a_judge_below_the_declared_agreement_is_not_trusted():
    builder = TableBuilder()
    for number in range(20):
        both_orders(builder, f"e{number}", float(number < 14), float(number < 14))
    labels = np.ones(20, dtype=np.int32)
    for least, trusted in ((0.8, False), (0.6, True)):
        found = judged(builder, labels=labels, min_agreement=least)
        judge = judged_comparison(found, ANALYSIS).judges[0]
        assert judge.accuracy == pytest.approx(0.7)
        assert judge.trusted is trusted


def test_people_are_labels_for_models_and_models_are_none_for_people():
    builder = TableBuilder()
    for number in range(12):
        builder.add(f"e{number}", "model", ("a", "b"), float(number < 9))
        for person in ("ann", "bob", "cat"):
            says = 1.0 if person != "cat" else 0.0
            builder.add(f"e{number}", person, ("a", "b"), says)
    people = {"people": ("ann", "bob", "cat"), "model": ("model",)}
    found = judged_comparison(judged(builder, humans=("people",), panels=people), ANALYSIS)
    by_id = {one.judge: one for one in found.judges}
    assert by_id["model"].accuracy == pytest.approx(0.75), "two of three people say b"
    assert by_id["people"].n_labelled == 0
    pairs = {(one.first, one.second): one for one in found.agreements}
    assert pairs["people", "people"].share == pytest.approx(1 / 3)
    assert pairs["people", "model"].n == 36


def test_a_panel_is_the_mean_of_its_judges_and_their_repeats():
    builder = TableBuilder()
    for repeat, says in enumerate((1.0, 1.0, 0.0, 0.0)):
        builder.add("e", "one", ("a", "b"), says, repeat=repeat)
    builder.add("e", "other", ("a", "b"), 1.0)
    found = judged(builder, panels={"both": ("one", "other")})
    comparison = judged_comparison(found, ANALYSIS)
    assert whole(comparison).win_rate == pytest.approx(0.75)
    assert comparison.judges[0].self_consistency == pytest.approx(1 / 3)


def test_where_the_losses_sit():
    builder = TableBuilder()
    for number in range(40):
        builder.add(f"e{number}", "j", ("a", "b"), float(number >= 10))
    early = {"part=early": np.arange(20, dtype=np.int32)}
    found = judged_comparison(judged(builder, slices=early), ANALYSIS)
    (part,) = [one for one in found.pairwise if one.slice == "part=early"]
    assert (part.losses, part.share_of_losses, part.share_of_examples) == (10, 1.0, 0.5)


def test_groups_that_were_never_compared_have_no_ranking():
    builder = TableBuilder()
    for number in range(5):
        builder.add(f"e{number}", "j", ("a", "b"), 1.0)
        builder.add(f"e{number}", "j", ("c", "d"), 1.0)
    found = judged_comparison(judged(builder), ANALYSIS)
    assert found.rankings == ()
    assert any("gives no ranking" in text for text in found.warnings)


def test_the_queue_begins_with_what_is_least_sure_and_leaves_out_what_people_have_seen():
    builder = TableBuilder()
    both_orders(builder, "sure", 1.0, 1.0)
    both_orders(builder, "flip", 1.0, 0.0)
    both_orders(builder, "unread", None, None)
    both_orders(builder, "seen", 1.0, 0.0)
    both_orders(builder, "split", 1.0, 1.0)
    both_orders(builder, "split", 0.0, 0.0, judge="k")
    builder.add("seen", "ann", ("a", "b"), 1.0)
    queue = queue_of(judged(builder, humans=("ann",)))
    assert [one.example for one in queue] == ["flip", "split", "unread", "sure"]
    assert "orders disagree" in queue[0].reasons
    assert "judges disagree" in queue[1].reasons
    assert queue[-1].reasons == ()


def test_verdicts_agree_only_on_the_same_turn_of_a_conversation():
    builder = TableBuilder()
    for turn, (one, other) in enumerate(((1.0, 1.0), (0.0, 0.0)), 1):
        builder.add("e", "one", ("a", "b"), one, turn=turn)
        builder.add("e", "other", ("a", "b"), other, turn=turn)
    found = judged_comparison(judged(builder), ANALYSIS)
    between = next(a for a in found.agreements if a.first != a.second)
    assert (between.n, between.share) == (2, 1.0)
    assert any("2 turns" in text for text in found.warnings)


def test_the_queue_is_of_all_judged_comparisons():
    sure, torn = TableBuilder(), TableBuilder()
    both_orders(sure, "e", 1.0, 1.0)
    both_orders(torn, "e", 1.0, 0.0)
    both_orders(torn, "f", 1.0, 1.0)
    queue = queue_of(judged(sure), judged(torn))
    assert [one.example for one in queue] == ["e", "f"]
    assert "orders disagree" in queue[0].reasons
