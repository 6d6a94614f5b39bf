"""The network: what its formulas say, however turns are read in parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain_network import probabilities
from tiny_models import CONFIG

from harness.embedded.network import Network
from harness.embedded.slots import Slots, Turn
from harness.embedded.weights import read_config, read_listing, read_weights

N_VOCABULARY = CONFIG["vocab_size"]
KNOWN: dict[str, tuple[Network, dict[str, Any]]] = {}


def turn(tokens: Sequence[int]) -> Turn:
    return Turn(tuple(tokens), whole=True)


def network(folder: Path, model: str = "desk-base") -> tuple[Network, dict[str, Any]]:
    if model not in KNOWN:
        listing = read_listing(folder)
        weights = read_weights(listing, model)
        KNOWN[model] = Network(read_config(listing), weights), weights
    return KNOWN[model]


turns = st.tuples(st.integers(1, 80), st.booleans())


@pytest.mark.parametrize("model", ["desk-base", "desk-tuned"])
@settings(max_examples=10)
@given(
    seed=st.integers(0, 1000),
    parts=st.lists(st.lists(turns, min_size=1, max_size=3), max_size=2),
    n_steps=st.integers(0, 5),
    shares=st.booleans(),
)
def test_it_computes_its_formulas(
    models: Path,
    model: str,
    seed: int,
    parts: list[list[tuple[int, bool]]],
    n_steps: int,
    shares: bool,
) -> None:
    net, weights = network(models, model)
    generator = np.random.default_rng(seed)
    read = [
        [Turn(tuple(generator.integers(0, N_VOCABULARY, n).tolist()), whole) for n, whole in part]
        for part in [*parts, [(1, False)]]
    ]
    written = tuple(generator.integers(0, N_VOCABULARY, n_steps).tolist())
    turns = [turn for part in read for turn in part]
    turns[-1] = Turn(turns[-1].tokens + written, whole=False)
    assume(sum(len(turn.tokens) for turn in turns) <= CONFIG["max_tokens"])
    wanted = probabilities(CONFIG, weights, turns)[-1 - n_steps :]
    slots = Slots(net.config, 16)
    slot = seed % 16
    slots.start(slot)
    for i, part in enumerate(read):
        net.prefill(slots, slot, part)
        if shares and i == 0:
            slots.start(slot, slots.saved(slot))
    for token, expected in zip(written, wanted, strict=False):
        assert np.abs(net.next_tokens(slots, [slot])[0] - expected).max() < 2e-5
        net.step(slots, [token], [slot])
    assert np.abs(net.next_tokens(slots, [slot])[0] - wanted[-1]).max() < 2e-5


def test_sequences_do_not_see_one_another(models: Path) -> None:
    """The same bits in every slot, alone or in company, whatever was there before."""
    net, _ = network(models)
    slots = Slots(net.config, 16)
    tokens = np.random.default_rng(3).integers(0, N_VOCABULARY, 90).tolist()
    others = np.random.default_rng(4).integers(0, N_VOCABULARY, 60).tolist()
    found = set()
    for slot in range(16):
        mates = [other for other in (2, 7, 9, 15) if other != slot][: slot % 4]
        for i, mate in enumerate(mates):
            slots.start(mate)
            net.prefill(slots, mate, [turn(others[: 5 + 11 * i])])
        slots.start(slot)
        net.prefill(slots, slot, [turn(tokens[:40])])
        slots.start(slot, slots.saved(slot))
        net.prefill(slots, slot, [turn(tokens[40:79]), Turn((tokens[79],), whole=False)])
        for token in tokens[80:]:
            net.step(slots, [*others[: len(mates)], token], [*mates, slot])
        found.add(net.next_tokens(slots, [*mates, slot])[-1].tobytes())
    assert len(found) == 1


def test_probabilities_add_up_to_one(models: Path) -> None:
    net, _ = network(models)
    slots = Slots(net.config, 8)
    slots.start(0)
    net.prefill(slots, 0, [turn([1, 2, 3])])
    assert net.next_tokens(slots, [0]).sum() == pytest.approx(1, abs=1e-5)


def test_a_missing_array_is_told(models: Path) -> None:
    net, weights = network(models)
    fewer = {name: array for name, array in weights.items() if name != "layers.1.out"}
    with pytest.raises(ValueError, match=r"the weights hold no layers\.1\.out"):
        Network(net.config, fewer)
