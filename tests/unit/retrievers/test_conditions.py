"""Conditions as engines are given them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.chat import ServiceError
from harness.plugins.search.conditions import OPERATORS, Condition, conditions, limit, spellings


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, []),
        ({"a": "x"}, [Condition("a", "any_of", ("x",))]),
        ({"a": ["x", 2]}, [Condition("a", "any_of", ("x", 2))]),
        ({"a": {"none_of": "x"}}, [Condition("a", "none_of", ("x",))]),
        ({"a.b": {"any_of": []}}, [Condition("a.b", "any_of", ())]),
        (
            {"y": {"after": 1, "at_most": "2020-01-01"}},
            [Condition("y", "after", (1,)), Condition("y", "at_most", ("2020-01-01",))],
        ),
    ],
)
def test_forms(where: dict[str, Any], expected: list[Condition]) -> None:
    assert conditions(where) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("x",), ["x"]),
        (("2",), ["2", 2]),
        ((2,), [2, "2"]),
        ((2, "2"), [2, "2"]),
        (("true",), ["true", True]),
        ((True, 1), [True, "true", 1, "1"]),
        (("null",), ["null"]),
        (('"x"',), ['"x"']),
        (("[1]",), ["[1]"]),
        (("1.50",), ["1.50", 1.5]),
        (("NaN",), ["NaN"]),
        (("9" * 60,), ["9" * 60]),
        ((), []),
    ],
)
def test_templates_give_texts_so_both_spellings_are_asked_for(
    values: tuple[Any, ...], expected: list[Any]
) -> None:
    found = spellings(values)
    assert found == expected
    assert [type(one) for one in found] == [type(one) for one in expected]


@pytest.mark.parametrize(
    ("operator", "given_limit", "expected"),
    [
        ("before", 3, ("lt", 3)),
        ("at_least", "3.5", ("gte", 3.5)),
        ("before", "2026-01-31", ("lt", "2026-01-31")),
        ("at_least", "2026-01-31", ("gte", "2026-01-31")),
        ("at_most", "2026-01-31", ("lt", "2026-02-01")),
        ("after", "2026-01-31", ("gte", "2026-02-01")),
        ("after", "2026-01-31T10:00", ("gt", "2026-01-31T10:00:00")),
        ("at_most", "2026-01-31T10:00Z", ("lte", "2026-01-31T10:00:00+00:00")),
    ],
)
def test_limits(operator: Any, given_limit: Any, expected: tuple[str, Any]) -> None:
    assert limit(Condition("k", operator, (given_limit,))) == expected


@pytest.mark.parametrize("text", ["", "x", "true", "2026-13-01", "20260131", "9999-12-31", "[]"])
def test_what_is_neither_number_nor_date_is_no_limit(text: str) -> None:
    if text == "20260131":
        assert limit(Condition("k", "after", (text,))) == ("gt", 20260131)
        return
    with pytest.raises(ServiceError, match=r"where\.k: after needs a number or a date") as raised:
        limit(Condition("k", "after", (text,)))
    assert raised.value.kind == "bad_request"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*OPERATORS, "x"]) | st.text(max_size=3), inner)
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), json_values, max_size=3))
def test_nothing_is_dropped_in_silence(where: dict[str, Any]) -> None:
    try:
        found = conditions(where)
    except ServiceError as told:
        assert told.kind == "bad_request"  # noqa: PT017 - what is refused depends on the input
        return
    assert {one.key for one in found} == set(where)
    for condition in found:
        assert spellings(condition.values) or not condition.values
