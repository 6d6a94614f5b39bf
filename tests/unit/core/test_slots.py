"""The places of a run's trials, against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.slots import Slots

SIZES = st.integers(1, 4)


def slots_of(n_variants: int, n_examples: int, n_repeats: int) -> Slots:
    variants = [f"v{i}" for i in range(n_variants)]
    return Slots.of(variants, [f"e{i}" for i in range(n_examples)], n_repeats)


@given(SIZES, SIZES, SIZES)
def test_a_slot_is_a_flat_index(n_variants: int, n_examples: int, n_repeats: int) -> None:
    slots = slots_of(n_variants, n_examples, n_repeats)
    numbers = np.arange(len(slots)).reshape(slots.shape)
    for (v, e, r), number in np.ndenumerate(numbers):
        assert slots.index(f"v{v}", f"e{e}", r) == number
    assert list(slots.by_example()) == numbers.transpose(1, 0, 2).reshape(-1).tolist()


def test_what_is_none_of_the_run() -> None:
    slots = slots_of(2, 2, 2)
    with pytest.raises(KeyError):
        slots.index("v2", "e0", 0)
    with pytest.raises(KeyError):
        slots.index("v0", "e2", 0)
    for repeat in (-1, 2):
        with pytest.raises(ValueError, match="repeat"):
            slots.index("v0", "e0", repeat)
