"""The smallest difference that each slice can show, before anything has run."""

from __future__ import annotations

from collections.abc import Mapping

from harness.statistics.power import planned_detectable_difference

DISCORDANT_SHARE = 0.2
"""Assumed share of examples on which two variants differ, where nothing is known yet."""


def detectable_by_slice(
    n_examples: Mapping[str, int], confidence: float, discordant_share: float = DISCORDANT_SHARE
) -> dict[str, float | None]:
    """For every slice, the difference of two shares found with 80 % power; None: none can be.

    Assumes independent examples, one 0/1 outcome each, of which `discordant_share` differ
    between the two variants.
    """
    return {
        name: planned_detectable_difference(n, discordant_share, confidence)
        for name, n in n_examples.items()
    }
