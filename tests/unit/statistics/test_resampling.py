"""Drawing whole clusters."""

import numpy as np
import pytest

from harness.statistics import resampling
from harness.statistics.resampling import resampled_sums

PARTS = np.array([1.0, 2.0, 0.0, 0.5, 4.0])
CELLS = np.array([0, 1, 1, 0, 2])
CLUSTERS = np.array([0, 0, 1, 2, 2])


def _drawn(resamples, seed=0):
    return np.concatenate(
        list(resampled_sums(PARTS, (CELLS, CLUSTERS), 3, resamples=resamples, seed=seed))
    )


def test_each_resample_is_the_sum_of_as_many_whole_clusters():
    possible = {
        tuple(by_cluster.sum(axis=0))
        for picks in np.ndindex(3, 3, 3)
        for by_cluster in [np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.5, 0.0, 4.0]])[[*picks]]]
    }
    seen = {tuple(row) for row in _drawn(2000)}
    assert seen == possible


def test_on_average_a_resample_is_the_data():
    sums = np.bincount(CELLS, PARTS)
    assert _drawn(40_000).mean(axis=0) == pytest.approx(sums, rel=0.02)


def test_chunks_change_nothing_and_the_seed_does(monkeypatch):
    at_once = _drawn(30)
    monkeypatch.setattr(resampling, "_CHUNK_CELLS", 20)
    assert (_drawn(30) == at_once).all()
    assert (_drawn(30, seed=1) != at_once).any()
