"""A ranking from paired votes: the Bradley-Terry model by maximum likelihood, with a bootstrap.

Player j beats player i with the chance 1 / (1 + exp(ability_i - ability_j)) (Bradley and Terry
1952, Biometrika 39, 324-345). Only differences of abilities mean something; their mean is set to 0.
The likelihood has a finite maximum exactly if every player can be reached from every other over
wins (Ford 1957; Hunter 2004, Annals of Statistics 32, 384-406, doi 10.1214/aos/1079120141). Where
that fails, in the data or in one resample, every player of that fit gets one vote more: a tie,
spread evenly over the others. Elsewhere nothing is added. A player whom a resample left without
votes is the mean player there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.core.score import FloatArray, IntArray
from harness.statistics.binomial import z_quantile
from harness.statistics.resampling import resampled_sums

_PRIOR_VOTES = 1.0
"""Votes that a player is given, all ties, where the likelihood has no finite maximum.

Two players with k votes to 0 then differ by ln(2 k + 1): half a win each, as Haldane's correction.
"""
_STEP_TOLERANCE = 1e-11
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class Ranking:
    """Abilities on the logit scale, mean 0, with errors, intervals and the ranks they allow.

    All arrays are (n_players,). A player without a vote has NaN for an ability, an error and an
    interval, is not part of the mean, and may have any rank.
    """

    ability: FloatArray
    """Log-abilities; two players' difference is the logit of the better one's win rate."""
    standard_error: FloatArray
    """From the information matrix, for the mean-0 constraint; takes the votes as independent."""
    low: FloatArray
    """Lower end of the bootstrap's percentile interval; NaN with fewer than two clusters."""
    high: FloatArray
    """Upper end, alike."""
    rank_low: IntArray
    """The best rank that the data allow: 1 + the number of players that are certainly better."""
    rank_high: IntArray
    """The worst rank that they allow: n_players - the number that are certainly worse."""


def bradley_terry(  # noqa: PLR0913
    first: IntArray,
    second: IntArray,
    preference: FloatArray,
    n_players: int,
    *,
    weights: FloatArray | None = None,
    clusters: IntArray | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Ranking:
    """Rank `n_players` players by their votes; a tie is half a win to each.

    Whole clusters are resampled, not votes. One player is certainly better than another if the
    percentile interval of the difference of their abilities leaves out 0. Where the data needed the
    tie that the module describes (somebody never lost, or never won), resamples are all alike and
    show too little: there every interval is at least as wide as the normal one of the information
    matrix.

    Args:
        first: shape (n,), codes of players from 0.
        second: shape (n,), the player each one met, never itself.
        preference: shape (n,), the share of the vote for `second`: 0, 1, 0.5 for a tie, or a
            probability.
        n_players: how many there are.
        weights: shape (n,), for how many votes each counts, at least 0; None: each for one.
        clusters: shape (n,), codes of dependent groups (votes on one example); None: none.
        confidence: two-sided, of the intervals and of "certainly".
        resamples: how many, at least 1.
        seed: of the generator that draws them.

    Raises:
        ValueError: the votes are malformed (NaN, out of range, of unequal length), or groups of
            players never met, not even through others; the text names them by code.
    """
    count = np.ones(len(first)) if weights is None else np.asarray(weights, dtype=np.float64)
    _check(first, second, preference, count, n_players)
    if clusters is not None and len(clusters) != len(first):
        raise ValueError("clusters and votes differ in length")
    kept = count > 0
    first, second, count = first[kept], second[kept], count[kept]
    share = np.asarray(preference, dtype=np.float64)[kept]
    units = np.arange(len(first)) if clusters is None else _codes(np.asarray(clusters)[kept])
    playing = np.zeros(n_players, dtype=bool)
    playing[first] = playing[second] = True
    if not len(first):
        return _ranking(playing, np.empty(0), np.empty(0), np.empty((2, 0)), np.empty((0, 0)))
    _check_connected(first, second, playing)
    code = np.cumsum(playing) - 1
    n = int(playing.sum())
    votes, observed = _counted(units, (code[first], code[second]), (share, count), n)
    wins = _with_prior(observed)
    ability = _fitted(wins, np.zeros((1, n)))
    covariance = _covariance(wins[0], ability[0])
    drawn = _bootstrap(votes, ability, resamples, seed) if units.max() > 0 else None
    least_spread = None if _has_maximum(observed)[0] else covariance
    ends, better = _intervals(ability[0], drawn, least_spread, confidence)
    return _ranking(playing, ability[0], np.sqrt(np.diag(covariance)), ends, better)


@dataclass(frozen=True, slots=True)
class _Votes:
    """Parts of votes: each gives `parts` wins to `cells`, winner * n + loser, in a cluster."""

    units: np.ndarray
    cells: np.ndarray
    parts: FloatArray
    n: int


def _counted(
    units: np.ndarray,
    pair: tuple[np.ndarray, np.ndarray],
    vote: tuple[np.ndarray, np.ndarray],
    n: int,
) -> tuple[_Votes, FloatArray]:
    """Votes by cell of a table of n x n players, and that table: (1, n, n)."""
    (first, second), (share, count) = pair, vote
    cells = np.concatenate([second * n + first, first * n + second])
    parts = np.concatenate([count * share, count * (1 - share)])
    votes = _Votes(np.concatenate([units, units]), cells, parts, n)
    observed: FloatArray = np.zeros((1, n, n))
    np.add.at(observed.reshape(-1), cells, votes.parts)
    return votes, observed


def _check(
    first: IntArray, second: IntArray, preference: FloatArray, weights: FloatArray, n_players: int
) -> None:
    if not len(first) == len(second) == len(preference) == len(weights):
        raise ValueError("first, second, preference and weights differ in length")
    for codes in (first, second):
        if len(codes) and (codes.min() < 0 or codes.max() >= n_players):
            raise ValueError(f"a player's code is outside 0 to {n_players - 1}")
    if np.any(first == second):
        raise ValueError("a player meets itself")
    if not np.all((preference >= 0) & (preference <= 1)):
        raise ValueError("a preference is not a number between 0 and 1")
    if not np.all((weights >= 0) & np.isfinite(weights)):
        raise ValueError("a weight is negative or not a number")


def _check_connected(first: IntArray, second: IntArray, playing: np.ndarray) -> None:
    """Groups that never met cannot be put on one scale."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    shape = (len(playing), len(playing))
    graph = coo_array((np.ones(len(first)), (first, second)), shape=shape)
    _, label = connected_components(graph, directed=False)
    groups = [np.flatnonzero((label == g) & playing) for g in np.unique(label[playing])]
    if len(groups) > 1:
        names = " / ".join(", ".join(str(player) for player in group) for group in groups)
        raise ValueError(f"groups of players that never met, not even through others: {names}")


def _codes(clusters: np.ndarray) -> np.ndarray:
    return np.unique(clusters, return_inverse=True)[1]


def _has_maximum(wins: FloatArray) -> np.ndarray:
    """Whether everyone is reached from everyone over wins: wins (m, n, n), result (m,)."""
    n = wins.shape[1]
    reached = ((wins > 0) | np.eye(n, dtype=bool)).astype(np.float32)
    steps = 1
    while steps < n - 1:
        reached = (reached @ reached > 0).astype(np.float32)
        steps *= 2
    return np.asarray(reached.all(axis=(1, 2)))


def _with_prior(wins: FloatArray) -> FloatArray:
    """`wins` (m, n, n) with a tie per player in those of the m that have no finite maximum."""
    n = wins.shape[1]
    if n < 2:
        return wins
    tie = _PRIOR_VOTES / 2 / (n - 1) * (1 - np.eye(n))
    return np.where(_has_maximum(wins)[:, None, None], wins, wins + tie)


def _fitted(wins: FloatArray, start: FloatArray) -> FloatArray:
    """Abilities (m, n), mean 0, that maximise the likelihoods of `wins` (m, n, n).

    Newton's steps times ln(1 + r) / r, where r is the largest change of a difference of abilities.
    Along a step the third derivative is at most r times the second, so that the likelihood rises
    from any start (Sun and Tran-Dinh 2019, Mathematical Programming 178, 145-213). Near the maximum
    the factor goes to 1.
    """
    ability = np.array(np.broadcast_to(start, wins.shape[:2]))
    active = np.arange(len(wins))
    met = wins + wins.transpose(0, 2, 1)
    for _ in range(_MOST_STEPS):
        gap = ability[active, :, None] - ability[active, None, :]
        gradient = (wins[active] - met[active] * (0.5 + 0.5 * np.tanh(gap / 2))).sum(axis=2)
        matrix = _information(met[active], gap)
        step = np.linalg.solve(matrix + 1 / wins.shape[1], gradient[:, :, None])[:, :, 0]
        reach = np.ptp(step, axis=1)
        shortened = np.log1p(reach) / np.maximum(reach, 1e-300)
        ability[active] += np.where(reach > 0, shortened, 1.0)[:, None] * step
        active = active[reach > _STEP_TOLERANCE]
        if not len(active):
            break
    centred: FloatArray = ability - ability.mean(axis=1, keepdims=True)
    return centred


def _information(met: FloatArray, gap: FloatArray) -> FloatArray:
    """The information matrices (m, n, n) of so many meetings at these gaps; rows sum to 0."""
    # cosh keeps a variance above 0 where a probability is rounded to 1.
    off = met / (4 * np.cosh(np.clip(gap / 2, -300, 300)) ** 2)
    n = off.shape[1]
    matrix: FloatArray = -off
    matrix[:, np.arange(n), np.arange(n)] = off.sum(axis=2) - off[:, np.arange(n), np.arange(n)]
    return matrix


def _covariance(wins: FloatArray, ability: FloatArray) -> FloatArray:
    """The covariance (n, n) of the abilities under the mean-0 constraint."""
    n = len(ability)
    gap = ability[:, None] - ability[None, :]
    matrix = _information((wins + wins.T)[None], gap[None])[0]
    return np.asarray(np.linalg.inv(matrix + 1 / n) - 1 / n)


def _bootstrap(votes: _Votes, start: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Abilities (resamples, n) of resampled clusters."""
    n = votes.n
    place = (votes.cells, votes.units)
    drawn = [
        _fitted(_with_prior(wins.reshape(-1, n, n)), start)
        for wins in resampled_sums(votes.parts, place, n * n, resamples, seed)
    ]
    return np.concatenate(drawn)


def _intervals(
    ability: FloatArray, drawn: FloatArray | None, covariance: FloatArray | None, confidence: float
) -> tuple[FloatArray, np.ndarray]:
    """The ends (2, n) of the abilities' intervals, and who is certainly better than whom (n, n)."""
    n = len(ability)
    if drawn is None:
        return np.full((2, n), np.nan), np.zeros((n, n), dtype=bool)
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    ends = np.quantile(drawn, tails, axis=0)
    # A loop over players: all pairs at once would hold resamples x n x n numbers.
    least = np.array([np.quantile(drawn[:, [i]] - drawn, tails[0], axis=0) for i in range(n)])
    if covariance is not None:
        z = z_quantile(confidence)
        variance = np.diag(covariance)
        half = z * np.sqrt(variance)
        ends = np.array([np.minimum(ends[0], ability - half), np.maximum(ends[1], ability + half)])
        apart = np.maximum(variance[:, None] + variance - 2 * covariance, 0)
        least = np.minimum(least, ability[:, None] - ability - z * np.sqrt(apart))
    return ends, least > 0


def _ranking(
    playing: np.ndarray,
    ability: FloatArray,
    error: FloatArray,
    ends: FloatArray,
    better: np.ndarray,
) -> Ranking:
    """The result for all players, from that of those `playing`."""
    n_players = len(playing)
    figures = np.full((4, n_players), np.nan)
    figures[:, playing] = np.stack([ability, error, *ends])
    rank_low = np.ones(n_players, dtype=np.int32)
    rank_high = np.full(n_players, n_players, dtype=np.int32)
    rank_low[playing] += better.sum(axis=0, dtype=np.int32)
    rank_high[playing] -= better.sum(axis=1, dtype=np.int32)
    return Ranking(figures[0], figures[1], figures[2], figures[3], rank_low, rank_high)
