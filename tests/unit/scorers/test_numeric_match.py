from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.core.score import Unscored
from harness.plugins.scorers.numeric_match import NumericMatch
from harness.plugins.texts.numbers import numbers_in


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        ("no number, x2, v2.5, H2O", []),
        ("18", [18]),
        ("$18.", [18]),
        ("it is 1,234,567.50 dollars", [1234567.5]),
        ("1,2345", [1, 2345]),
        ("3,5", [3, 5]),
        ("1\u202f234\u00a0567", [1234567]),
        ("-3 \u22124 +5 $-6 -$7 -€8", [-3, -4, 5, -6, -7, -8]),
        ("10-15", [10, 15]),
        ("2024-05-20", [2024, 5, 20]),
        ("16 - 3 = <<16-3=13>>13", [16, 3, 16, 3, 13, 13]),
        (".5 -.25 0.5.", [0.5, -0.25, 0.5]),
        ("1.2.3", [1.2]),
        ("3/4 and 1 1/2 and -2/3", [0.75, 1.5, -2 / 3]),
        ("½ 1½ ⅔", [0.5, 1.5, 2 / 3]),
        ("12/05/2024", [12, 5, 2024]),
        ("1/0", [1, 0]),
        ("6.02e23 1E-3 1e\u22123", [6.02e23, 1e-3, 1e-3]),
        ("45% 12.3 %", [45, 12.3]),
        ("5kg", [5]),
        ("٣٤", [34]),
        ("(5)", [5]),
        ("1e999", [math.inf]),
        ("-1e999", [-math.inf]),
        ("1e0000000000001", [10]),
        ("0e99999999999999999999", [0]),
        ("9" * 10_000, [math.inf]),
        ("1e-999", [0]),
        ("no. 7, Rs.50", [7, 50]),
    ],
)
def test_numbers_in_text(text: str, numbers: list[float]) -> None:
    assert list(numbers_in(text)) == numbers


def test_percent_as_fraction_is_exact() -> None:
    assert list(numbers_in("12.3% 45% 1.1e1% 3/4% 7", "fraction")) == [0.123, 0.45, 0.11, 0.0075, 7]


@given(st.integers(-(10**15), 10**15))
def test_thousands_commas_change_nothing(number: int) -> None:
    assert list(numbers_in(f"so {number:,} it is")) == [number]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_double_is_read_back(number: float) -> None:
    assert list(numbers_in(f"= {number!r}")) == [number]


@given(st.text(alphabet="0123456789.,/-\u2212+$%eE() ½\n", max_size=60))
def test_any_text_gives_numbers_that_are_not_nan(text: str) -> None:
    assert not any(math.isnan(number) for number in numbers_in(text))


@pytest.mark.parametrize(
    ("output", "target", "expected"),
    [
        ("first 3, then 18", "18", 1),
        ("18, but see note 3", "18", 0),
        ("the answer is $1,234.00", 1234, 1),
        ("18", "the answer: 18", 1),
        (18, "18", 1),
        (18.0, 18, 1),
        (True, 1, 0),
        ("no idea", 0, 0),
        ("", 0, 0),
        ([18], 18, 0),
        ({"a": 18}, 18, 0),
        ("2/3", 2 / 3, 1),
        ("1e999", 1, 0),
        ("9" * 10_000, 9, 0),
        (10**400, 1, 0),
        ("7", ["5", "seven", 7], 1),
    ],
)
def test_last_number(value: Any, output: Any, target: Any, expected: float) -> None:
    assert value(NumericMatch(id="n"), output, target=target) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("A: 18", 1),
        ("A: 5\nA: 18", 1),
        ("A: 18\nA: 5", 0),
        ("we get 18\nA: 5", 0),
        ("  A:18 apples for 3 days", 1),
        ("A:\n\n18", 1),
        ("A:\nnone\n18", 0),
        ("A: none\n18", 0),
        ("18", 0),
        ("A:", 0),
        ("Q: is A: 18?", 1),
        ("A: 18\nSee table A: 5", 1),
        ("A: $18.00", 1),
        ("A: 18\r\nbye 3", 1),
        (18, 1),
    ],
)
def test_marker(value: Any, output: Any, expected: float) -> None:
    assert value(NumericMatch(id="n", marker="A:"), output, target="18") == expected


def test_tolerances(value: Any) -> None:
    assert value(NumericMatch(id="n"), "3.14", target=3.1416) == 0
    assert value(NumericMatch(id="n", abs_tolerance=0.01), "3.14", target=3.1416) == 1
    assert value(NumericMatch(id="n", rel_tolerance=0.001), "3.14", target=3.1416) == 1
    assert value(NumericMatch(id="n", rel_tolerance=0.5), "0.1", target=0) == 0
    with pytest.raises(ValidationError):
        NumericMatch(id="n", abs_tolerance=-1)
    with pytest.raises(ValidationError):
        NumericMatch(id="n", abs_tolerance=math.inf)


def test_percent_holds_for_target_and_output(value: Any) -> None:
    fraction = NumericMatch(id="n", percent="fraction")
    assert value(fraction, "45%", target=0.45) == 1
    assert value(fraction, "0.45", target="45 %") == 1
    assert value(NumericMatch(id="n"), "45%", target=45) == 1


@pytest.mark.parametrize("target", ["none", {}, True, "1e999", 10**400, ["a"]])
def test_target_without_a_number_does_not_apply(ask: Any, target: Any) -> None:
    outcome = ask(NumericMatch(id="n"), "3", target=target)
    assert isinstance(outcome, Unscored)
    assert not outcome.applicable


def test_explanations(ask: Any) -> None:
    scorer = NumericMatch(id="n", marker="A:")
    assert ask(scorer, "A: 26", target="18").explanation == "got 26, expected 18"
    assert ask(scorer, "26", target="18").explanation == "no A: in 26"
    assert ask(scorer, "A: x", target="18").explanation == "no number in x"
