"""The scatter: labels hide neither one another nor a point."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from harness.reporting.parts import Quantity
from harness.reporting.svg import scatter


def labels(points: list[tuple[str, float, float]]) -> dict[str, tuple[float, float, float]]:
    """Each name's left and right end and height, at 7 pixels a character."""
    drawn = [
        (index, name, Quantity(f"{x}", value=x), Quantity(f"{y}", value=y))
        for index, (name, x, y) in enumerate(points)
    ]
    text = str(scatter(drawn, "plot"))
    found = re.findall(
        r'<text class="name" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">([^<]*)', text
    )
    ends = {}
    for x, y, anchor, name in found:
        left = float(x) - (7 * len(name) if anchor == "end" else 0)
        ends[name] = (left, left + 7 * len(name), float(y))
    return ends


@pytest.mark.parametrize(
    "points",
    [
        [("prompt_only", 1.0, 0.145), ("tuned_minimal", 1.0, 0.145)],
        [("prompt_only", 1.0, 0.145), ("tuned_minimal", 1.02, 0.145), ("rag", 2.0, 0.4)],
        [(f"variant_{i}", 1.0, 0.5) for i in range(8)],
        [(f"variant_{i}", 9.0, i / 300) for i in range(8)] + [("low", 1.0, 1.0)],
    ],
)
def test_labels_of_near_points_stand_apart(points: list[tuple[str, float, float]]) -> None:
    ends = labels(points)
    assert len(ends) == len(points)
    for (left, right, y), (other_left, other_right, other_y) in combinations(ends.values(), 2):
        assert abs(y - other_y) >= 13 or right <= other_left or other_right <= left
    assert all(0 < y < 220 for _, _, y in ends.values())


def test_a_label_with_room_stays_beside_its_point() -> None:
    ends = labels([("a", 1.0, 0.2), ("b", 5.0, 0.9)])
    assert ends["a"][2] > ends["b"][2]
    points = re.findall(
        r'cy="([\d.]+)" r="5"',
        str(
            scatter(
                [
                    (0, "a", Quantity("1", value=1.0), Quantity("0.2", value=0.2)),
                    (1, "b", Quantity("5", value=5.0), Quantity("0.9", value=0.9)),
                ],
                "plot",
            )
        ),
    )
    assert [float(y) + 4 for y in points] == pytest.approx([ends["a"][2], ends["b"][2]], abs=0.11)
