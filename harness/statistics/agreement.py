"""How far two raters agree beyond chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cohen_kappa(a: NDArray[np.int_], b: NDArray[np.int_], n_categories: int) -> float | None:
    """Cohen's kappa of two raters' categories, 0 to `n_categories` - 1, on the same items.

    None where it is undefined: without items, or where chance alone would agree on everything.
    """
    if not len(a):
        return None
    shares = [np.bincount(rater, minlength=n_categories) / len(a) for rater in (a, b)]
    by_chance = float(shares[0] @ shares[1])
    if by_chance == 1.0:
        return None
    return (float(np.mean(a == b)) - by_chance) / (1 - by_chance)
