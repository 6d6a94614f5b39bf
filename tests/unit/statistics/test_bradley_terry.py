"""The Bradley-Terry ranking: its estimates, its bootstrap, and data that have no finite answer."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics import resampling
from harness.statistics.bradley_terry import bradley_terry


def _votes(seed=0, n=600, ability=(0.8, 0.2, 0.0, -0.3, -0.7), ties=0.2):
    """Votes of players with these abilities."""
    rng = np.random.default_rng(seed)
    ability = np.asarray(ability)
    first = rng.integers(0, len(ability), n)
    second = (first + rng.integers(1, len(ability), n)) % len(ability)
    preference = (rng.random(n) < 1 / (1 + np.exp(ability[first] - ability[second]))).astype(float)
    preference[rng.random(n) < ties] = 0.5
    return first, second, preference


def _arrays(ranking):
    return [getattr(ranking, name) for name in ranking.__slots__]


@pytest.mark.filterwarnings("ignore:Using freq_weights")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_abilities_and_errors_are_those_of_a_binomial_regression(seed):
    first, second, _ = _votes(seed)
    rng = np.random.default_rng(seed)
    preference, weights = rng.random(600), rng.choice([0.5, 1.0, 3.0], 600)
    ranking = bradley_terry(first, second, preference, 5, weights=weights, resamples=2)
    design = np.eye(5)[second] - np.eye(5)[first]
    fit = sm.GLM(
        preference, design[:, 1:], family=sm.families.Binomial(), freq_weights=weights
    ).fit(tol=1e-14)
    centring = (np.eye(5) - 0.2)[:, 1:]
    assert ranking.ability == pytest.approx(centring @ fit.params, abs=1e-9)
    errors = np.sqrt(np.diag(centring @ fit.cov_params() @ centring.T))
    assert ranking.standard_error == pytest.approx(errors, rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(8, 60))
def test_at_the_maximum_every_player_won_as_often_as_expected(seed, n_players, n):
    rng = np.random.default_rng(seed)
    ring = np.arange(n_players)
    first = np.concatenate([ring, rng.integers(0, n_players, n)])
    second = (first + 1 + rng.integers(0, n_players - 1, len(first))) % n_players
    second[:n_players] = (ring + 1) % n_players  # a ring of wins: a finite maximum exists
    preference = np.concatenate([np.ones(n_players), rng.choice([0.0, 0.5, 1.0], n)])
    ability = bradley_terry(first, second, preference, n_players, resamples=1).ability
    expected = 1 / (1 + np.exp(ability[first] - ability[second]))
    surplus = np.bincount(second, preference - expected, n_players)
    surplus -= np.bincount(first, preference - expected, n_players)
    assert surplus == pytest.approx(np.zeros(n_players), abs=1e-8)
    assert ability.mean() == pytest.approx(0, abs=1e-12)


def test_a_tie_is_half_a_win_to_each():
    first, second, preference = _votes(4)
    tied = preference == 0.5
    split = bradley_terry(
        np.concatenate([first, first[tied]]),
        np.concatenate([second, second[tied]]),
        np.concatenate([np.where(tied, 0.0, preference), np.ones(tied.sum())]),
        5,
        weights=np.concatenate([np.where(tied, 0.5, 1.0), np.full(tied.sum(), 0.5)]),
        resamples=1,
    )
    whole = bradley_terry(first, second, preference, 5, resamples=1)
    assert tied.sum() > 50
    assert whole.ability == pytest.approx(split.ability, abs=1e-10)
    assert whole.standard_error == pytest.approx(split.standard_error, rel=1e-10)


def test_the_order_of_a_pair_and_the_players_codes_do_not_matter():
    first, second, preference = _votes(5)
    whole = bradley_terry(first, second, preference, 5)
    turned = np.arange(600) % 2 == 0
    code = np.array([3, 0, 4, 1, 2])
    other = bradley_terry(
        code[np.where(turned, second, first)],
        code[np.where(turned, first, second)],
        np.where(turned, 1 - preference, preference),
        5,
    )
    for ours, theirs in zip(_arrays(whole), _arrays(other), strict=True):
        assert theirs[code] == pytest.approx(ours, abs=1e-9)


def test_independent_votes_the_bootstrap_is_as_wide_as_the_information_says():
    first, second, preference = _votes(6, n=2000, ties=0.0)
    ranking = bradley_terry(first, second, preference, 5, resamples=4000)
    half = (ranking.high - ranking.low) / 2
    assert half == pytest.approx(1.96 * ranking.standard_error, rel=0.08)
    assert (ranking.low < ranking.ability).all()
    assert (ranking.ability < ranking.high).all()


def test_repeating_every_vote_within_its_cluster_adds_no_information():
    first, second, preference = _votes(7)
    once = bradley_terry(first, second, preference, 5)
    tenfold = bradley_terry(
        *(np.repeat(column, 10) for column in (first, second, preference)),
        5,
        clusters=np.repeat(np.arange(600), 10),
    )
    assert tenfold.low == pytest.approx(once.low, abs=1e-9)
    assert tenfold.high == pytest.approx(once.high, abs=1e-9)
    assert (tenfold.rank_low == once.rank_low).all()
    assert tenfold.standard_error == pytest.approx(once.standard_error / np.sqrt(10))


def test_the_bootstrap_does_not_depend_on_its_chunks_but_on_its_seed(monkeypatch):
    first, second, preference = _votes(8, n=100)
    at_once = bradley_terry(first, second, preference, 5, resamples=50)
    monkeypatch.setattr(resampling, "_CHUNK_CELLS", 700)
    in_parts = bradley_terry(first, second, preference, 5, resamples=50)
    other_seed = bradley_terry(first, second, preference, 5, resamples=50, seed=1)
    assert in_parts.low == pytest.approx(at_once.low, abs=1e-9)
    assert np.abs(other_seed.low - at_once.low).max() > 1e-3


def test_ranks_are_certain_where_the_data_are_and_open_where_not():
    apart = bradley_terry(*_votes(9, n=6000, ability=(3.0, 1.5, 0.0, 0.0, -2.0)), 5)
    assert apart.rank_low.tolist() == [1, 2, 3, 3, 5]
    assert apart.rank_high.tolist() == [1, 2, 4, 4, 5]
    alike = bradley_terry(*_votes(9, n=60, ability=(0.0, 0.0, 0.0)), 3)
    assert alike.rank_low.tolist() == [1, 1, 1]
    assert alike.rank_high.tolist() == [3, 3, 3]


@pytest.mark.parametrize("k", [1, 3, 200])
def test_a_player_that_never_lost_is_finite_and_differs_as_half_a_win_would_make_it(k):
    zeros = np.zeros(k, dtype=int)
    ranking = bradley_terry(zeros, zeros + 1, np.zeros(k), 2)
    assert ranking.ability[0] - ranking.ability[1] == pytest.approx(np.log(2 * k + 1))
    if k == 1:  # one cluster has no spread to show
        assert np.isnan(ranking.low).all()
    else:  # all resamples are alike: the interval is the information's
        assert (ranking.high - ranking.low >= 3.9 * ranking.standard_error).all()
    certain = k == 200
    assert ranking.rank_high.tolist() == ([1, 2] if certain else [2, 2])
    assert ranking.rank_low.tolist() == ([1, 2] if certain else [1, 1])


def test_nothing_is_added_where_a_finite_maximum_exists():
    first, second = np.array([0, 0, 0, 0, 0]), np.array([1, 1, 1, 1, 1])
    ranking = bradley_terry(first, second, np.array([0.0, 0.0, 0.0, 0.0, 1.0]), 2)
    assert ranking.ability[0] - ranking.ability[1] == pytest.approx(np.log(4), abs=1e-12)


def test_a_long_chain_of_wins_without_a_loss_stays_finite():
    first = np.repeat(np.arange(29), 50)
    ranking = bradley_terry(first, first + 1, np.zeros(len(first)), 30, resamples=20)
    assert np.isfinite(np.stack(_arrays(ranking))).all()
    assert (np.diff(ranking.ability) < 0).all()


def test_near_certain_probabilities_converge():
    first, second = np.array([0, 1]), np.array([1, 2])
    ranking = bradley_terry(first, second, np.array([1e-9, 1e-12]), 3, resamples=2)
    assert ranking.ability[0] - ranking.ability[1] == pytest.approx(np.log(1e9), rel=1e-6)
    assert ranking.ability[1] - ranking.ability[2] == pytest.approx(np.log(1e12), rel=1e-4)


def test_a_player_without_votes_is_left_out_and_may_have_any_rank():
    first, second, preference = _votes(10, n=3000, ability=(1.5, -1.5))
    ranking = bradley_terry(first * 2, second * 2, preference, 3)
    assert np.isnan([ranking.ability[1], ranking.standard_error[1], ranking.low[1]]).all()
    assert ranking.ability[[0, 2]].sum() == pytest.approx(0, abs=1e-12)
    assert ranking.rank_low.tolist() == [1, 1, 2]
    assert ranking.rank_high.tolist() == [2, 3, 3]


def test_votes_of_weight_0_are_no_votes():
    ranking = bradley_terry(np.array([0]), np.array([1]), np.array([1.0]), 2, weights=np.zeros(1))
    assert np.isnan(ranking.ability).all()
    assert ranking.rank_high.tolist() == [2, 2]


def test_groups_that_never_met_are_named():
    first, second = np.array([0, 1, 3]), np.array([1, 0, 4])
    with pytest.raises(ValueError, match="never met, not even through others: 0, 1 / 3, 4"):
        bradley_terry(first, second, np.array([0.5, 1.0, 0.0]), 5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"preference": np.array([0.0, np.nan])}, "preference"),
        ({"preference": np.array([0.0, 1.01])}, "preference"),
        ({"preference": np.array([0.0])}, "length"),
        ({"second": np.array([1, 2])}, "outside 0 to 1"),
        ({"first": np.array([-1, 0])}, "outside 0 to 1"),
        ({"second": np.array([1, 0])}, "itself"),
        ({"weights": np.array([1.0, -1.0])}, "weight"),
        ({"weights": np.array([1.0, np.inf])}, "weight"),
        ({"clusters": np.array([0])}, "length"),
    ],
)
def test_malformed_votes_are_refused(changed, message):
    votes = {
        "first": np.array([0, 0]),
        "second": np.array([1, 1]),
        "preference": np.array([0.0, 1.0]),
    }
    with pytest.raises(ValueError, match=message):
        bradley_terry(**{**votes, **changed}, n_players=2)
