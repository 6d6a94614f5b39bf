"""A Bradley-Terry ranking with its cluster bootstrap: seconds and memory.

    python benchmarks/judging/rankings.py [--votes 50000] [--players 20] [--clusters 2000]
                                          [--resamples 1000] [--repeats 3]

Votes are drawn from known abilities, up to a fifth of them ties. Prints one line of JSON: the
fastest and the median of the repeats, the peak memory of the process, and how far the abilities are
from the truth, in standard errors.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from statistics import median

import numpy as np

from harness.statistics.bradley_terry import bradley_terry

TIES = 0.2


def main() -> None:
    options = _options()
    rng = np.random.default_rng(options.seed)
    votes = _votes(rng, options.votes, options.players)
    clusters = rng.integers(0, options.clusters, options.votes)
    seconds = []
    for _ in range(options.repeats):
        began = time.perf_counter()
        ranking = bradley_terry(
            *votes[:3], options.players, clusters=clusters, resamples=options.resamples
        )
        seconds.append(time.perf_counter() - began)
    distance = np.abs(ranking.ability - votes[3]) / ranking.standard_error
    figures = {
        "votes": options.votes,
        "players": options.players,
        "clusters": options.clusters,
        "resamples": options.resamples,
        "fastest_s": round(min(seconds), 3),
        "median_s": round(median(seconds), 3),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "largest_distance_in_errors": round(float(distance.max()), 2),
    }
    print(json.dumps(figures))


def _votes(rng: np.random.Generator, n: int, n_players: int) -> tuple[np.ndarray, ...]:
    """First, second, preference, and the abilities (mean 0) that they were drawn from."""
    ability = np.linspace(-1, 1, n_players)
    first = rng.integers(0, n_players, n)
    second = (first + rng.integers(1, n_players, n)) % n_players
    chance = 1 / (1 + np.exp(ability[first] - ability[second]))
    # Ties come evenly out of wins and losses: the mean preference stays the model's.
    ties = 2 * TIES * np.minimum(chance, 1 - chance)
    drawn = rng.random(n)
    preference = np.where(
        drawn < chance - ties / 2, 1.0, np.where(drawn < chance + ties / 2, 0.5, 0.0)
    )
    return first, second, preference, ability


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (
        ("votes", 50_000),
        ("players", 20),
        ("clusters", 2_000),
        ("resamples", 1_000),
        ("repeats", 3),
        ("seed", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
