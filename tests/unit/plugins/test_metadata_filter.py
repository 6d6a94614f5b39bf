"""Conditions on metadata: what is in doubt does not pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.chat import ServiceError
from harness.plugins.search.metadata_filter import filter_problems, passes

DOC = {
    "audience": ["staff", "partners"],
    "level": 3,
    "price": "9.5",
    "since": "2026-01-31",
    "seen": "2026-01-31T23:30:00+02:00",
    "public": True,
    "none": None,
    "nested": {"level": 2},
}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, True),
        ({"audience": "staff"}, True),
        ({"audience": "board"}, False),
        ({"audience": "staf"}, False),
        ({"level": 3}, True),
        ({"level": "3"}, True),  # a template gives text
        ({"level": 3.0}, True),
        ({"level": True}, False),
        ({"public": True}, True),
        ({"public": "true"}, True),
        ({"public": 1}, False),
        ({"gone": "staff"}, False),
        ({"none": "null"}, False),
        ({"audience": {"any_of": ["board", "partners"]}}, True),
        ({"audience": {"any_of": []}}, False),
        ({"audience": {"none_of": ["board"]}}, True),
        ({"audience": {"none_of": ["staff"]}}, False),
        ({"level": {"none_of": ["3"]}}, False),
        ({"gone": {"none_of": ["staff"]}}, True),
        ({"none": {"none_of": ["x"]}}, True),
        ({"level": {"at_least": 3, "at_most": 3}}, True),
        ({"level": {"after": 3}}, False),
        ({"level": {"before": "10"}}, True),  # as numbers: as text, 10 comes first
        ({"price": {"at_most": 10}}, True),
        ({"since": {"before": "2026-02-01"}}, True),
        ({"since": {"before": "2026-01-31"}}, False),
        ({"since": {"at_most": "2026-01-31"}}, True),
        ({"seen": {"at_most": "2026-01-31"}}, True),  # a day against a time: days
        ({"seen": {"before": "2026-01-31T22:00:00Z"}}, True),  # in UTC it is half past nine
        ({"seen": {"after": "2026-01-31T21:45:00"}}, False),
        ({"since": {"after": 5}}, False),
        ({"level": {"after": "2020-01-01"}}, False),
        ({"audience": {"after": "a"}}, False),
        ({"gone": {"before": "2026-01-01"}}, False),
        ({"nested.level": 2}, True),
        ({"nested": 2}, False),
        ({"audience": "staff", "level": 4}, False),
    ],
)
def test_conditions(where, expected):
    assert passes(DOC, where) is expected


@pytest.mark.parametrize(
    "where",
    [{"a": {}}, {"a": None}, {"a": {"is": 1}}, {"a": {"any_of": None}}, {"a": {"any_of": [[1]]}}],
)
def test_what_is_no_condition_is_an_error_and_never_passes(where):
    assert filter_problems(where)
    with pytest.raises(ServiceError):
        passes({"a": 1}, where)


def test_bounds_are_numbers_or_dates_or_templates():
    assert filter_problems({"a": {"before": "soon"}}) == [
        "where.a: before needs a number or a date as 2026-01-31"
    ]
    assert filter_problems({"a": {"before": "{{ today }}"}, "b": {"at_least": 2}}) == []


VALUES = st.one_of(
    st.text(max_size=5), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(),
    st.lists(st.text(max_size=3), max_size=3), st.sampled_from(["2026-01-31", "12", "x"]),
)  # fmt: skip
BOUNDS = st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.just("2026-01-31"))


@given(VALUES, BOUNDS, st.sampled_from(["any_of", "before", "after", "at_least", "at_most"]))
def test_without_the_key_no_condition_but_none_of_holds(value, bound, operator):
    if operator != "any_of" and isinstance(bound, bool):
        bound = int(bound)
    wanted = {"key": {operator: [bound] if operator == "any_of" else bound}}

    assert not passes({"other": value}, wanted)
    assert passes({"other": value}, {"key": {"none_of": [bound]}})


@given(VALUES, BOUNDS)
def test_any_of_and_none_of_exclude_each_other(value, bound):
    if value is not None:
        has, lacks = {"any_of": [bound]}, {"none_of": [bound]}
        assert passes({"k": value}, {"k": has}) != passes({"k": value}, {"k": lacks})
        assert passes({"k": value}, {"k": bound}) == passes({"k": value}, {"k": has})


@given(VALUES, BOUNDS)
def test_before_after_and_equal_are_one_of_three(value, bound):
    if isinstance(bound, bool):
        return
    before = passes({"k": value}, {"k": {"before": bound}})
    after = passes({"k": value}, {"k": {"after": bound}})
    at_most = passes({"k": value}, {"k": {"at_most": bound}})
    at_least = passes({"k": value}, {"k": {"at_least": bound}})

    assert not (before and after)
    assert at_most >= before
    assert at_least >= after
    assert (at_most or at_least) == (before or after or (at_most and at_least))


@pytest.mark.parametrize("value", [[["secret"]], {"level": "secret"}, ["a", {"b": "secret"}]])
def test_what_cannot_be_compared_passes_nothing(value: object) -> None:
    assert not passes({"group": value}, {"group": {"none_of": ["secret"]}})
    assert passes({"group": ["a", "b"]}, {"group": {"none_of": ["secret"]}})
