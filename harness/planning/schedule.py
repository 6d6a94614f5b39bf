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
    for block, cell in enumerate(generator.permutation(n_examples * n_repeats)):
        repeat, example = divmod(int(cell), n_examples)
        for index in generator.permutation(len(variants)):
            yield Trial(variants[index], example, repeat, block)
