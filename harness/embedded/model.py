"""An embedded model made ready: its tokenizer, and its network at work."""

from __future__ import annotations

from dataclasses import dataclass

from harness.embedded.engine import Engine
from harness.embedded.network import Network
from harness.embedded.tokenizer import Tokenizer
from harness.embedded.weights import TOKENIZER, Listing, read_checked, read_config, read_weights
from harness.embedded.workers import Workers


@dataclass(frozen=True, slots=True)
class Model:
    """What answers by the tokens of one model. `max_tokens` bounds prompt and answer together."""

    tokenizer: Tokenizer
    engine: Engine
    max_tokens: int


def load_model(listing: Listing, name: str, workers: Workers) -> Model:
    """Read a model's files and start its engine; `engine.close` ends it.

    Raises:
        ValueError: if a file is missing, damaged, or does not fit the others.
    """
    config = read_config(listing)
    tokenizer = Tokenizer(read_checked(listing, TOKENIZER))
    if tokenizer.vocab_size != config.vocab_size:
        n = f"{tokenizer.vocab_size} tokens in {TOKENIZER}, {config.vocab_size} in the network"
        raise ValueError(f"the files in {listing.folder} do not fit each other: {n}")
    network = Network(config, read_weights(listing, name))
    return Model(tokenizer, Engine(network, workers), config.max_tokens)
