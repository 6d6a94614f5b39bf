from __future__ import annotations

import pytest

from harness.reporting import formats
from harness.reporting.formats import MINUS, Scale


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "$0"),
        (0.00031, "$0.00031"),
        (0.0000004, "$0.0000004"),
        (1e-10, "under $0.000000001"),
        (0.0312, "$0.0312"),
        (0.1, "$0.10"),
        (12.3, "$12.30"),
        (1234.5, "$1,234.50"),
        (None, "unknown"),
    ],
)
def test_dollars(value: float | None, text: str) -> None:
    assert formats.dollars(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.412, "412 ms"),
        (0.0004, "400 µs"),
        (1.35, "1.35 s"),
        (135.0, "135 s"),
        (None, "unknown"),
    ],
)
def test_seconds(value: float | None, text: str) -> None:
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.39, "39.0%"), (0.00042, "0.042%"), (1.0, "100.0%"), (0.0, "0.0%"), (None, "unknown")],
)
def test_share(value: float | None, text: str) -> None:
    assert formats.share(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0412, "0.0412"),
        (12.345, "12.3"),
        (1234.0, "1,234"),
        (-3.1, f"{MINUS}3.10"),
        (0, "0"),
        (None, "unknown"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "p < 0.0001"),
        (0.003, "p = 0.0030"),
        (0.032, "p = 0.032"),
        (1.0, "p = 1.000"),
        (None, "p unknown"),
    ],
)
def test_p_value(value: float | None, text: str) -> None:
    assert formats.p_value(value) == text


@pytest.mark.parametrize(
    ("n", "text"), [(1873, "1,900"), (12, "12"), (7, "7"), (996, "1,000"), (0.4, "1")]
)
def test_rough(n: float, text: str) -> None:
    assert formats.rough(n) == text


def test_differences_of_shares_are_points() -> None:
    scale = Scale(is_share=True)
    assert scale.difference(0.1736) == "+17.4 points"
    assert scale.difference(-0.026) == f"{MINUS}2.6 points"
    assert scale.difference(-1e-9) == "0.0 points"
    assert scale.between(-0.061, 0.113) == f"between {MINUS}6.1 and 11.3"
    assert scale.interval(-0.061, 0.113, signed=True) == f"{MINUS}6.1 to +11.3"


def test_differences_of_other_metrics_are_numbers() -> None:
    scale = Scale(is_share=False)
    assert scale.difference(12.0) == "+12.0"
    assert scale.amount(-12.0) == "12.0"


def test_an_unknown_interval_is_nothing() -> None:
    assert Scale(is_share=True).between(None, 0.2) == ""
    assert Scale(is_share=True).interval(0.1, None) == ""
