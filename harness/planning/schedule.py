"""In what order trials run: randomised blocks, so that a drifting service hurts all alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.core.trial import Trial


def schedule(
    variants: Sequence[str], n_examples: int, n_repeats: int, seed: int
) -> Iterator[Trial]:
    """Every trial once. A block holds all variants of one example and repeat.

    The order of the blocks and of the variants inside each are drawn from `seed`. This is the
    randomised complete block design (Fisher, The Design of Experiments, 1935).
    """
    generator = np.random.default_rng(seed)
    cells = generator.permutation(n_examples * n_repeats)
    orders = np.tile(np.arange(len(variants), dtype=np.int32), (len(cells), 1))
    for block, order in enumerate(generator.permuted(orders, axis=1)):
        repeat, example = divmod(int(cells[block]), n_examples)
        for index in order:
            yield Trial(variants[index], example, repeat, block)
