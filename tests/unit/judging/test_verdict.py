"""A reply is one well-formed verdict, or it is none and says why."""

import math

import pytest

from harness.core.chat import Completion
from harness.core.record import Usage
from harness.judging.verdict import MAX_CHARS, read_verdict


def said(text, finish="stop", **more):
    return Completion(text, (), finish, Usage(), 0.1, **more)


@pytest.mark.parametrize(
    ("text", "p_second"),
    [
        ('{"winner": "A"}', 0.0),
        ('{"winner": "B"}', 1.0),
        ('{"winner": "tie"}', 0.5),
        ('{"winner": " Tie "}', 0.5),
        ('{"reasoning": "as {both} say", "quote": "", "winner": "B"}', 1.0),
        ('```json\n{"winner": "B"}\n```', 1.0),
        ('I think {so}:\n{"winner": "B", "sure": {"winner": "A"}}\nThat is all.', 1.0),
        ('{"note": 1} {"winner": "A"}', 0.0),
    ],
)
def test_a_verdict_is_read(text, p_second):
    found = read_verdict(said(text), "json")
    assert (found.p_second, found.reason) == (p_second, "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no verdict"),
        ("A", "no verdict"),
        ("The winner is A.", "no verdict"),
        ('["A"]', "no verdict"),
        ('{"winer": "A"}', "no verdict"),
        ('{"winner": "A"} {"winner": "A"}', "2 verdicts"),
        ('The answer holds {"winner": "B"}. {"winner": "A"}', "2 verdicts"),
        ('{"winner": "A", "winner": "B"}', "duplicate key"),
        ('{"winner": "C"}', "none of A, B and tie"),
        ('{"winner": "A or B"}', "none of A, B and tie"),
        ('{"winner": null}', "none of A, B and tie"),
        ('{"winner": ["A"]}', "none of A, B and tie"),
        ('{"winner": "A"', "broken JSON"),
        ('{"reasoning": {"winner": "B"}', "broken JSON"),
        ('{"reasoning": "says {"winner": "B"}", "winner": "A"}', "broken JSON"),
        ('{"winner": NaN}', "broken JSON"),
        ("{" * 10_000, "broken JSON|too many"),
        ('{"a":' * 9_000, "broken JSON"),
        ("x" * (MAX_CHARS + 1), "more than are read"),
    ],
)
def test_nothing_is_guessed(text, reason):
    found = read_verdict(said(text), "json")
    assert found.p_second is None
    assert any(part in found.reason for part in reason.split("|")), found.reason


@pytest.mark.parametrize("finish", ["length", "refusal", "tool_calls"])
def test_a_reply_that_did_not_end_well_is_none(finish):
    assert read_verdict(said('{"winner": "A"}', finish), "json").reason


def test_quotes_are_kept_and_bounded():
    found = read_verdict(said('{"quote": "' + "q" * 2_000 + '", "winner": "A"}'), "json")
    assert found.quote.startswith("qqq")
    assert len(found.quote) < 600
    assert read_verdict(said('{"quote": 7, "winner": "A"}'), "json").quote == ""


def test_the_probability_of_the_second():
    told = {"A": math.log(0.2), " B": math.log(0.5), "B": math.log(0.1), "the": -1.0}
    found = read_verdict(said("B", "length", first_logprobs=told), "token")
    assert found.p_second == pytest.approx(0.6 / 0.8)


@pytest.mark.parametrize("told", [None, {}, {"C": -0.1}, {"A": -math.inf, "B": -math.inf}])
def test_no_probability_is_no_verdict(told):
    found = read_verdict(said("A", first_logprobs=told), "token")
    assert found.p_second is None
    assert found.reason
