"""The weights that come with harness: small, whole, and computed here as torch computes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.embedded.network import Network
from harness.embedded.slots import Slots, Turn
from harness.embedded.tokenizer import Tokenizer
from harness.embedded.weights import DATA, read_config, read_listing, read_weights

REFERENCE = Path(__file__).resolve().parents[2] / "data" / "embedded_reference.json"


@pytest.fixture(scope="module")
def network() -> Network:
    listing = read_listing(DATA)
    return Network(read_config(listing), read_weights(listing, "desk-base"))


def test_every_file_is_what_it_was_when_it_was_written() -> None:
    listing = read_listing(DATA)
    assert set(listing.files) == {"desk-base", "desk-tuned", "desk-tuned-no-abstentions"}
    for name in listing.files:
        assert read_weights(listing, name)


@pytest.mark.parametrize("number", range(6))
def test_it_gives_every_token_the_probability_that_torch_gives_it(
    network: Network, number: int
) -> None:
    """`python -m training.reference` wrote what torch computes, in 32 bits."""
    conversation = json.loads(REFERENCE.read_text())["conversations"][number]
    turns = [
        Turn(tuple(turn["tokens"]), turn["whole"], tuple(turn["marks"]))
        for turn in conversation["turns"]
    ]
    wanted = iter(conversation["logprobs"])
    slots = Slots(network.config, 16)
    slots.start(0)
    for turn in turns:
        if turn.whole:
            network.prefill(slots, 0, [turn])
            continue
        network.prefill(slots, 0, [Turn(turn.tokens[:1], whole=False)])
        for token in turn.tokens[1:]:  # what opens a turn is given, all else is written
            probability = network.next_tokens(slots, [0])[0][token]
            assert np.log(probability) == pytest.approx(next(wanted), abs=1e-3)
            network.step(slots, [token], [0])
    assert next(wanted, None) is None


def test_numbers_up_to_999_and_words_of_the_house_format_are_one_token_each() -> None:
    tokenizer = Tokenizer(DATA / "tokenizer.json")
    for text in ["0", "7", "42", "512", "999"]:
        assert len(tokenizer.encode(text)) == 1
    for word in [" answer", " category", " citation", " escalate", " none"]:
        assert len(tokenizer.encode(word)) == 1
