"""Which pairs are judged, in which order, and what a failure decides."""

import pytest
from judging_room import answers, entry, record

from harness.core.record import Failure
from harness.judging.families import family
from harness.judging.pairs import asked_of, duels_of, in_random_order, pairs_of

SILENT = Failure(False, "no_answer")
LOST = Failure(True, "timeout")
IDS = ["e0", "e1"]


def test_the_baseline_is_the_first_of_its_pairs():
    assert pairs_of(["b", "a", "c"], "a", "baseline") == [("a", "b"), ("a", "c")]
    assert pairs_of(["b", "a", "c"], "a", "all") == [("a", "b"), ("a", "c"), ("b", "c")]
    assert pairs_of(["a"], "a", "all") == []


@pytest.mark.parametrize(
    ("first", "second", "decided", "named"),
    [
        ("x", SILENT, 0.0, ["b"]),
        (SILENT, "x", 1.0, ["a"]),
        (SILENT, SILENT, 0.5, ["a", "b"]),
        ("", "x", None, []),
        ("x", "x", None, []),
    ],
)
def test_who_gave_no_answer_loses(first, second, decided, named):
    (duel,) = duels_of(answers(a=[first], b=[second]), ["e0"], [("a", "b")], 1).duels
    assert duel.decided == decided
    assert all(name in duel.reason.split() for name in named)


def test_lost_and_missing_answers_leave_a_pair_out():
    kept = [*answers(a=["x", LOST], b=["y", "z"]), record("c", "e0", "w")]
    found = duels_of(kept, IDS, [("a", "b"), ("a", "c")], 1)
    assert [(duel.example, duel.pair) for duel in found.duels] == [(0, ("a", "b")), (0, ("a", "c"))]
    assert found.left_out == {("a", "b"): 1, ("a", "c"): 1}


def test_every_repeat_and_order():
    kept = [record(v, e, f"{v}{e}{r}", r) for v in "ab" for e in IDS for r in range(2)]
    duels = duels_of(kept, IDS, [("a", "b")], 2).duels
    asked = asked_of(duels, IDS, entry(repeats=3), 1)
    seen = [(one.duel.example, one.repeat, one.swapped) for one in asked]
    assert len(set(seen)) == len(seen) == 2 * 2 * 3 * 2
    assert {repeat for _, repeat, _ in seen} == set(range(6))
    assert all(one.duel.texts[0].endswith(str(one.repeat // 3)) for one in asked)


def test_one_order_is_drawn_and_stays():
    ids = [f"e{i}" for i in range(200)]
    kept = [record(v, e, "x") for v in "ab" for e in ids]
    spec = entry(orders="one")
    duels = duels_of(kept, ids, [("a", "b")], 1).duels
    drawn = [one.swapped for one in asked_of(duels, ids, spec, 1)]
    assert len(drawn) == 200
    assert 70 < sum(drawn) < 130
    assert [one.swapped for one in asked_of(duels[:50], ids, spec, 1)] == drawn[:50]
    assert [one.swapped for one in asked_of(duels, ids, spec, 2)] != drawn


def test_the_order_of_asking_is_drawn():
    assert sorted(in_random_order(9, 1)) == list(range(9))
    assert list(in_random_order(9, 1)) == list(in_random_order(9, 1)) != list(range(9))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("openai/gpt-4o", "gpt"),
        ("ft:gpt-4o-mini:org::1", "gpt"),
        ("o3-mini", "gpt"),
        ("anthropic/claude-sonnet-4-5", "claude"),
        ("http/meta-llama/Meta-Llama-3.1-8B", "llama"),
        ("Mixtral-8x7B", "mistral"),
        ("desk-tuned", "desk"),
        ("m", ""),
        ("olmo-2", "olmo"),
    ],
)
def test_families(model, expected):
    assert family(model) == expected
