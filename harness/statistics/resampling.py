"""Cluster bootstrap of sums: whole clusters are drawn, a chunk of resamples at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.core.score import FloatArray

_CHUNK_CELLS = 4_000_000
"""Numbers held at once, per array: 32 MB."""


def resampled_sums(
    parts: FloatArray,
    place: tuple[np.ndarray, np.ndarray],
    n_cells: int,
    resamples: int,
    seed: int,
) -> Iterator[FloatArray]:
    """Sums by cell of as many clusters as there are, drawn with replacement.

    Args:
        parts: shape (n,), what each entry adds.
        place: the cell and the cluster of each entry, both (n,), codes from 0; no cluster empty.
        n_cells: how many cells there are.
        resamples: how many.
        seed: of the generator; the draws depend on it and the number of clusters alone.

    Yields:
        Shape (chunk, n_cells), until `resamples` rows were given.
    """
    from scipy.sparse import coo_array

    cells, clusters = place
    n_clusters = int(clusters.max()) + 1
    some = parts != 0
    entries = (parts[some], (cells[some], clusters[some]))
    sums = coo_array(entries, shape=(n_cells, n_clusters)).tocsr()
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // max(n_clusters, n_cells))
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        picked = generator.integers(0, n_clusters, (size, n_clusters))
        picked += np.arange(size)[:, None] * n_clusters
        often = np.bincount(picked.ravel(), minlength=size * n_clusters)
        yield (sums @ often.reshape(size, n_clusters).T.astype(np.float64)).T
