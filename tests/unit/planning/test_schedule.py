"""The randomised blocks."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from harness.planning.schedule import schedule


@given(st.integers(1, 5), st.integers(1, 12), st.integers(1, 3), st.integers(0, 2**63 - 1))
def test_every_trial_once_in_whole_blocks(n_variants: int, n: int, repeats: int, seed: int) -> None:
    variants = [f"v{i}" for i in range(n_variants)]
    trials = list(schedule(variants, n, repeats, seed))
    assert Counter((t.variant, t.example, t.repeat) for t in trials) == Counter(
        (v, e, r) for v in variants for e in range(n) for r in range(repeats)
    )
    blocks = [list(block) for _, block in groupby(trials, key=lambda t: t.block)]
    assert [block[0].block for block in blocks] == list(range(n * repeats))
    for block in blocks:
        assert len({(t.example, t.repeat) for t in block}) == 1
        assert {t.variant for t in block} == set(variants)
    assert list(schedule(variants, n, repeats, seed)) == trials


def test_each_variant_is_first_about_equally_often() -> None:
    trials = list(schedule(["a", "b"], 2000, 1, 3))
    first = Counter(trial.variant for trial in trials[::2])
    assert abs(first["a"] - 1000) < 120  # 5 standard deviations


def test_the_order_of_examples_is_drawn() -> None:
    examples = [trial.example for trial in schedule(["a"], 100, 1, 0)]
    assert examples != sorted(examples)
    assert examples != [trial.example for trial in schedule(["a"], 100, 1, 1)]
