"""Agreement of raters: oracles, published examples, and where a figure is undefined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from harness.statistics.agreement import (
    agree,
    agreement,
    cohen_kappa,
    confusion,
    krippendorff_alpha,
)
from harness.statistics.binomial import share_interval


def _raters(seed=0, n=200, n_categories=3, alike=0.6):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, n_categories, n).astype(np.int32)
    b = rng.integers(0, n_categories, n).astype(np.int32)
    return a, np.where(rng.random(n) < alike, a, b).astype(np.int32)


@pytest.mark.parametrize("seed", range(5))
def test_kappa_and_confusion_are_scikit_learns(seed):
    a, b = _raters(seed)
    assert cohen_kappa(a, b, 3) == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)
    assert (confusion(a, b, 3) == confusion_matrix(a, b, labels=[0, 1, 2])).all()
    assert cohen_kappa(a, b, 7) == cohen_kappa(a, b, 3)
    assert agreement(a, b) == (np.mean(a == b), 200)


def test_confusion_has_the_first_rater_in_its_rows():
    table = confusion(np.array([0, 0, 1]), np.array([1, 1, 0]), 2)
    assert table.tolist() == [[0, 2], [1, 0]]
    assert table.dtype == np.int32


def test_kappa_is_undefined_where_chance_agrees_always():
    ones = np.ones(5, dtype=np.int32)
    assert cohen_kappa(ones, ones, 3) is None
    assert cohen_kappa(ones[:0], ones[:0], 3) is None
    assert cohen_kappa(ones, ones - 1, 3) == 0.0
    assert agreement(ones[:0], ones[:0]) == (None, 0)


def test_codes_out_of_range_or_of_unequal_length_are_refused():
    a = np.array([0, 1, 2], dtype=np.int32)
    for call in (confusion, cohen_kappa, agree):
        with pytest.raises(ValueError, match="outside 0 to 1"):
            call(a, a, 2)
        with pytest.raises(ValueError, match="outside 0 to 2"):
            call(a, a - 1, 3)
        with pytest.raises(ValueError, match="length"):
            call(a, a[:2], 3)
    with pytest.raises(ValueError, match="length"):
        agreement(a, a[:1])
    with pytest.raises(ValueError, match="length"):
        agree(a, a, 3, clusters=a[:2])
    with pytest.raises(ValueError, match="outside -1 to 1"):
        krippendorff_alpha(a[None], 2)


def _codes(*rows):
    """Rows of digits or letters, a dot where a rater gave none."""
    names = sorted(set("".join(rows)) - {"."})
    return np.array([[names.index(c) if c != "." else -1 for c in row] for row in rows]), len(names)


@pytest.mark.parametrize(
    ("rows", "alpha"),
    [  # Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, sections A, B and C
        (("0100000010", "1110010000"), 0.095),
        (("aabbdcccedda", "babbbccceddd"), 0.692),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743),
    ],
)
def test_alpha_of_the_published_examples(rows, alpha):
    codes, n_categories = _codes(*rows)
    assert krippendorff_alpha(codes, n_categories) == pytest.approx(alpha, abs=0.0005)
    assert krippendorff_alpha(codes[::-1], n_categories + 2) == pytest.approx(alpha, abs=0.0005)


def test_alpha_of_two_raters_is_scotts_pi_corrected_for_the_sample():
    a, b = _raters(6)
    shares = np.bincount(np.concatenate([a, b])) / 400
    chance = (shares**2).sum()
    pi = (np.mean(a == b) - chance) / (1 - chance)
    expected = 1 - (1 - pi) * (400 - 1) / 400
    assert krippendorff_alpha(np.stack([a, b]), 3) == pytest.approx(expected, abs=1e-12)


def test_alpha_is_undefined_without_pairs_or_without_variety():
    assert krippendorff_alpha(np.array([[0, -1], [-1, 1]]), 2) is None
    assert krippendorff_alpha(np.array([[1, 1], [1, 1]]), 2) is None
    assert krippendorff_alpha(np.empty((2, 0), dtype=np.int32), 2) is None


def test_intervals_of_independent_items():
    a, b = _raters(7, n=400)
    found = agree(a, b, 3)
    same = agree(a, b, 3, clusters=np.arange(400)[::-1] * 3)
    assert (found.low, found.high) == share_interval(int((a == b).sum()), 400, 0.95)
    assert (same.low, same.high) == (found.low, found.high)
    assert found.kappa == cohen_kappa(a, b, 3)
    # With even margins kappa is the share, stretched by 1 / (1 - 1/3).
    assert found.kappa_high - found.kappa_low == pytest.approx(
        1.5 * (found.high - found.low), rel=0.08
    )
    assert found.kappa_low < found.kappa < found.kappa_high
    assert agree(a, b, 3, seed=1).kappa_low != found.kappa_low
    assert agree(a, b, 3, confidence=0.8).kappa_low > found.kappa_low


def test_repeating_every_item_within_its_cluster_adds_no_information():
    a, b = _raters(8, n=150)
    once = agree(a, b, 3)
    often = agree(np.repeat(a, 6), np.repeat(b, 6), 3, clusters=np.repeat(np.arange(150), 6))
    assert often.kappa_low == pytest.approx(once.kappa_low, abs=1e-12)
    assert often.kappa_high == pytest.approx(once.kappa_high, abs=1e-12)
    assert often.high - often.low > 0.9 * (once.high - once.low)


def test_perfect_agreement_does_not_make_kappa_certain():
    a, _ = _raters(9, n=40, n_categories=2)
    found = agree(a, a, 2)
    assert (found.share, found.kappa, found.kappa_high) == (1.0, 1.0, 1.0)
    assert found.low == pytest.approx(0.912, abs=0.001)  # Clopper and Pearson, 40 of 40
    assert 0.8 < found.kappa_low < 0.85


def test_where_nothing_can_be_said():
    empty = np.empty(0, dtype=np.int32)
    assert agree(empty, empty, 2).share is None
    ones = np.ones(20, dtype=np.int32)
    alike = agree(ones, ones, 2)
    assert (alike.share, alike.kappa, alike.kappa_low) == (1.0, None, None)
    a, b = _raters(10, n=20)
    one_cluster = agree(a, b, 3, clusters=ones)
    assert one_cluster.kappa == cohen_kappa(a, b, 3)
    assert (one_cluster.low, one_cluster.kappa_low, one_cluster.kappa_high) == (None, None, None)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), st.integers(1, 30), st.integers(0, 10**6))
def test_kappa_is_symmetric_and_lies_in_its_own_interval_or_bounds(n_categories, n, seed):
    a, b = _raters(seed, n, n_categories)
    found = agree(a, b, n_categories, resamples=50)
    turned = agree(b, a, n_categories, resamples=50)
    assert found.kappa == pytest.approx(turned.kappa, abs=1e-12) or found.kappa is turned.kappa
    if found.kappa is not None:
        assert -1 <= found.kappa_low <= found.kappa_high <= 1
