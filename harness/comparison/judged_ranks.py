"""Rankings of many variants from a judge's verdicts on pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.comparison.judged_units import Units, clusters_of_votes
from harness.core.experiment import Analysis
from harness.core.judged import RankEstimate
from harness.core.judging import Judged
from harness.statistics.bradley_terry import bradley_terry

LEAST_VARIANTS = 3
"""Two are ranked by their win rate."""


def rank_estimates(
    judged: Judged, panel_id: str, units: Units, analysis: Analysis
) -> Iterator[RankEstimate]:
    """The variants that a panel compared, best first.

    Raises:
        ValueError: if they fall into groups that were never compared with one another.
    """
    votes = units.of(np.isfinite(units.p_high) & (units.low != units.high))
    present = np.unique(np.concatenate([votes.low, votes.high]))
    if len(present) < LEAST_VARIANTS:
        return
    low, high = np.searchsorted(present, votes.low), np.searchsorted(present, votes.high)
    found = bradley_terry(
        low.astype(np.int32),
        high.astype(np.int32),
        votes.p_high,
        len(present),
        clusters=clusters_of_votes(judged, votes.example),
        confidence=analysis.confidence,
        resamples=min(analysis.resamples, 1000),
        seed=analysis.seed,
    )
    wins = np.bincount(high, weights=votes.p_high, minlength=len(present))
    wins += np.bincount(low, weights=1 - votes.p_high, minlength=len(present))
    n = np.bincount(high, minlength=len(present)) + np.bincount(low, minlength=len(present))
    for place in np.argsort(-found.ability, kind="stable"):
        yield RankEstimate(
            judge=panel_id,
            variant=judged.table.variants[present[place]],
            n=int(n[place]),
            ability=float(found.ability[place]),
            standard_error=float(found.standard_error[place]),
            ci_low=float(found.low[place]),
            ci_high=float(found.high[place]),
            rank_low=int(found.rank_low[place]),
            rank_high=int(found.rank_high[place]),
            win_rate=float(wins[place] / n[place]),
        )
