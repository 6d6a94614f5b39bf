"""What judges are to look at, as templates see it."""

from __future__ import annotations

from harness.core.pairwise import Rubric


def criteria_of(rubric: Rubric) -> list[dict[str, str]]:
    """The criteria in their order, each with its `name` and `meaning`."""
    return [{"name": name, "meaning": meaning} for name, meaning in rubric.criteria.items()]
