"""The network: what its formulas say, however a sequence is cut into parts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_network import probabilities
from tiny_models import CONFIG

from harness.embedded.network import Network
from harness.embedded.slots import Slots
from harness.embedded.weights import read_config, read_listing, read_weights

N_VOCABULARY = CONFIG["vocab_size"]
KNOWN: dict[str, tuple[Network, dict[str, Any]]] = {}


def network(folder: Path, model: str = "desk-base") -> tuple[Network, dict[str, Any]]:
    if model not in KNOWN:
        listing = read_listing(folder)
        weights = read_weights(listing, model)
        KNOWN[model] = Network(read_config(listing), weights), weights
    return KNOWN[model]


@pytest.mark.parametrize("model", ["desk-base", "desk-tuned"])
@settings(max_examples=10)
@given(
    seed=st.integers(0, 1000),
    cuts=st.lists(st.integers(1, 80), max_size=3),
    n_steps=st.integers(0, 5),
    shares=st.booleans(),
)
def test_it_computes_its_formulas(
    models: Path, model: str, seed: int, cuts: list[int], n_steps: int, shares: bool
) -> None:
    net, weights = network(models, model)
    n = 1 + sum(cuts)
    tokens = np.random.default_rng(seed).integers(0, N_VOCABULARY, n + n_steps).tolist()
    wanted = probabilities(CONFIG, weights, tokens)
    slots = Slots(net.config, 16)
    slot = seed % 16
    slots.start(slot)
    edges = np.cumsum([0, 1, *cuts]).tolist()
    for a, b in pairwise(edges):
        net.prefill(slots, slot, tokens[a:b])
        if shares and a == 0:
            slots.start(slot, slots.saved(slot))
    for i in range(n_steps):
        found = net.next_tokens(slots, [slot])
        assert np.abs(found[0] - wanted[n + i - 1]).max() < 2e-5
        net.step(slots, [tokens[n + i]], [slot])
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
            net.prefill(slots, mate, others[: 5 + 11 * i])
        slots.start(slot)
        net.prefill(slots, slot, tokens[:40])
        slots.start(slot, slots.saved(slot))
        net.prefill(slots, slot, tokens[40:80])
        for token in tokens[80:]:
            net.step(slots, [*others[: len(mates)], token], [*mates, slot])
        found.add(net.next_tokens(slots, [*mates, slot])[-1].tobytes())
    assert len(found) == 1


def test_probabilities_add_up_to_one(models: Path) -> None:
    net, _ = network(models)
    slots = Slots(net.config, 8)
    slots.start(0)
    net.prefill(slots, 0, [1, 2, 3])
    assert net.next_tokens(slots, [0]).sum() == pytest.approx(1, abs=1e-5)


def test_a_missing_array_is_told(models: Path) -> None:
    net, weights = network(models)
    fewer = {name: array for name, array in weights.items() if name != "layers.1.out"}
    with pytest.raises(ValueError, match=r"the weights hold no layers\.1\.out"):
        Network(net.config, fewer)
