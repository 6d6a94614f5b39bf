"""What a reviewer is shown, in which order, on which side; and what is kept of what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviewed import PAIR, KeptLabels, review_of, reviewed_run, with_failure

from harness.core.label import Label
from harness.review.agreement import agreements
from harness.review.blinding import SIDES, side_of, swapped_ids, winner_of
from harness.review.items import NO_ANSWER, items_of
from harness.review.queue import by_worth
from harness.review.session import WrongRequestError, reviewer_name

IDS = [f"e{i}" for i in range(401)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sides_are_balanced_stable_and_each_reviewers_own(seed: int) -> None:
    ada, ben = (swapped_ids(IDS, name, seed) for name in ("Ada", "Ben"))
    assert len(ada) in {200, 201}
    assert ada == swapped_ids(reversed(IDS), "Ada", seed)
    assert 120 < len(ada ^ ben) < 280
    assert 120 < len(ada ^ swapped_ids(IDS, "Ada", seed + 1)) < 280
    assert 60 < len([id_ for id_ in IDS[:200] if id_ in ada]) < 140


@given(st.sampled_from(SIDES), st.booleans())
def test_a_side_and_its_winner_are_one(side: str, swapped: bool) -> None:
    assert side_of(winner_of(side, swapped=swapped), swapped=swapped) == side


def test_nothing_that_is_shown_names_a_variant_a_model_or_a_score() -> None:
    run = with_failure(reviewed_run(), 4, infrastructure=False)
    review = review_of(run)
    told: list[Any] = [review.start("Ada")]
    for number in range(12):
        told += [review.item("Ada", number), review.hidden("Ada", number)]
        told.append(review.vote({"reviewer": "Ada", "number": number, "verdict": "left"}))
    told += [review.item("Ada", 3), review.summary("Ada")]
    text = json.dumps(told)
    for name in (*PAIR, "secret", "model_a", "model_b", 'correct"', "timeout", "score"):
        assert name not in text
    assert NO_ANSWER in text


def test_the_target_is_shown_on_demand_only() -> None:
    review = review_of(reviewed_run())
    assert "yes-" not in json.dumps([review.item("Ada", i) for i in range(12)])
    assert review.hidden("Ada", 3)["wanted"][0] == ["target", "yes-3"]


def test_votes_say_whose_answer_it_was_and_come_back_as_sides() -> None:
    labels = KeptLabels()
    review = review_of(reviewed_run(), labels)
    for number in range(12):
        asked = {"reviewer": "Ada", "number": number, "verdict": "left", "comment": "so"}
        review.vote(asked | {"criteria": {"tone": "right"}})
    for number, label in enumerate(labels.lines):
        assert label.winner == ("model_b" if label.swapped else "model_a")
        assert label.criteria == {"tone": "model_a" if label.swapped else "model_b"}
        shown = review.item("Ada", number)
        made = next(
            r
            for r in reviewed_run().records
            if r.variant == label.pair[label.winner == "model_b"] and r.example_id == label.example
        )
        assert shown["left"] == [["", made.outcome.output]]
        assert (shown["vote"], shown["comment"], shown["criteria"]) == (
            "left",
            "so",
            {"tone": "right"},
        )
    assert len({label.swapped for label in labels.lines}) == 2
    other = review_of(reviewed_run(), labels, seed=8)
    for number, label in enumerate(labels.lines):
        text = other.item("Ada", number)[other.start("Ada")["votes"][number]][0][1]
        assert label.winner is not None
        assert text == review.item("Ada", number)["left"][0][1]


def test_a_label_of_the_pair_turned_round_is_the_same_pairs() -> None:
    labels = KeptLabels([Label("e000", "Ada", PAIR[::-1], "model_a", swapped=False)])
    review = review_of(reviewed_run(), labels)
    swapped = "e000" in swapped_ids(review.example_ids, "Ada", 7)
    assert review.start("Ada")["votes"][0] == ("left" if swapped else "right")


def test_a_verdict_is_taken_back_by_null() -> None:
    labels = KeptLabels()
    review = review_of(reviewed_run(), labels)
    for verdict in ("left", None, "cannot_judge"):
        review.vote({"reviewer": "Ada", "number": 0, "verdict": verdict})
        assert review.start("Ada")["votes"][0] == verdict
    assert review.n_written == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "model_a"}, {"verdict": 1}, {"number": 12}, {"number": -1}, {"number": True},
        {"number": "0"}, {"reviewer": ""}, {"reviewer": None}, {"reviewer": "a\u202eb"},
        {"reviewer": "x" * 81}, {"comment": 3}, {"comment": "x" * 20_001}, {"criteria": []},
        {"criteria": {"none": "left"}}, {"criteria": {"tone": "both"}}, {"verdict": ["left"]},
        {"criteria": {"tone": []}},
    ],
)  # fmt: skip
def test_what_is_no_vote_is_not_kept(wrong: dict[str, Any]) -> None:
    labels = KeptLabels()
    asked = {"reviewer": "Ada", "number": 0, "verdict": "left"} | wrong
    with pytest.raises(WrongRequestError):
        review_of(reviewed_run(), labels).vote(asked)
    assert not labels.lines


def test_a_fixed_reviewer_is_the_only_one() -> None:
    review = review_of(reviewed_run(), reviewer="Ada")
    assert review.start(" Ada ")["reviewer"] == "Ada"
    with pytest.raises(WrongRequestError, match="somebody else"):
        review.start("Ben")


def test_names_have_one_form() -> None:
    assert reviewer_name("  Jose\u0301   P. ") == "Jos\u00e9 P."


def test_agreement_is_told_when_all_is_labelled_and_not_before() -> None:
    review = review_of(reviewed_run(4))
    for name, verdicts in (("Ada", "tie tie tie tie"), ("Ben", "tie left tie cannot_judge")):
        for number, verdict in enumerate(verdicts.split()):
            told = review.summary(name)
            assert not told["done"]
            assert told["agreement"] == told["reviewers"] == []
            review.vote({"reviewer": name, "number": number, "verdict": verdict})
    told = review.summary("Ben")
    assert told["said"] == {"left": 1, "right": 0, "tie": 2, "cannot_judge": 1}
    assert told["reviewers"] == [["Ada", 4], ["Ben", 4]]
    (agreement,) = told["agreement"]
    assert agreement["reviewers"] == ["Ada", "Ben"]
    assert (agreement["n"], agreement["share"], agreement["kappa"]) == (3, 2 / 3, 0.0)


def test_agreement_counts_answers_and_not_sides() -> None:
    one = Label("e1", "Ada", ("a", "b"), "model_b", swapped=True)
    other = Label("e1", "Ben", ("b", "a"), "model_a", swapped=True)
    (found,) = agreements([one, other, replace(one, example="e2")], ("a", "b"))
    assert (found.n, found.share) == (1, 1.0)


def test_the_queue_begins_where_scores_differ_and_ends_with_the_same_answers() -> None:
    run = reviewed_run(30)
    items = items_of(run, PAIR)
    queue = by_worth(items, run.examples, run.scores, ["correct"], PAIR, 1)
    kinds = [int(item.id[1:]) % 3 != 0 for item in queue]
    assert kinds == sorted(kinds, reverse=True)
    assert [item.identical for item in queue] == [not kind for kind in kinds]
    assert queue == by_worth(items[::-1], run.examples, run.scores, ["correct"], PAIR, 1)
    assert queue != by_worth(items, run.examples, run.scores, ["correct"], PAIR, 2)
    assert {i.id for i in by_worth(items, run.examples, run.scores, ["gone"], PAIR, 1)} == {
        item.id for item in items
    }


def test_the_hardest_slice_comes_first() -> None:
    run = reviewed_run(60)
    value = run.scores.metrics[0].value
    hard = [i for i, example in enumerate(run.examples) if example.slices["kind"] == "rare"]
    value[:, :, 0] = 1.0
    value[:, hard, 0] = 0.0
    queue = by_worth(items_of(run, PAIR), run.examples, run.scores, ["correct"], PAIR, 1)
    differing = [int(item.id[1:]) % 2 for item in queue if not item.identical]
    assert differing == sorted(differing, reverse=True)


def test_what_the_infrastructure_lost_is_not_shown() -> None:
    run = reviewed_run()
    assert len(items_of(with_failure(run, 4, infrastructure=True), PAIR)) == 11
    items = items_of(with_failure(run, 4, infrastructure=False), PAIR)
    assert [side.is_answer for side in items[2].sides] == [False, True]


@pytest.mark.parametrize(
    ("given_input", "shown"),
    [
        ("hello", [("", "hello")]),
        ({"question": "hello"}, [("", "hello")]),
        ({"q": "a", "context": {"x": 1}}, [("q", "a"), ("context", '{\n  "x": 1\n}')]),
        ([{"role": "user", "content": "hi"}], [("user", "hi")]),
        ({"messages": [{"role": "user", "content": "hi"}], "k": 1}, [("user", "hi"), ("k", "1")]),
        (None, [("", "null")]), ([], [("", "[]")]), ({}, [("", "{}")]),
    ],
)  # fmt: skip
def test_inputs_are_shown_as_they_would_be_read(given_input: Any, shown: Any) -> None:
    run = reviewed_run(1)
    example = replace(run.examples[0], input=given_input)
    (item,) = items_of(replace(run, examples=(example,)), PAIR)
    assert [(text.what, text.text) for text in item.asked] == shown
