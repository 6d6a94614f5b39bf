"""What torch computes from the shipped weights, for a test of the runtime that needs no torch.

python -m training.reference --base build/local-model --out tests/data/embedded_reference.json
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import torch

from training.finetune import base_network
from training.network import Network
from training.samples import Sample, numbered
from training.stream import batch
from training.tokens import Encoder, Row
from training.wordings import load

N_SAMPLES = 6


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="the folder of the training")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network, words = base_network(options.base / "base.pt"), load()
    encoder = Encoder(options.base / "tokenizer.json")
    rows = []
    for number in range(N_SAMPLES):
        row = encoder.encode(first_thread(numbered(words, "reference", -1, number)))
        tokens = zip(row.ids, row.marks, row.blocks, row.read, strict=True)
        turns = [
            {"whole": read, "tokens": [one[0] for one in turn], "marks": [one[1] for one in turn]}
            for (_, read), found in itertools.groupby(tokens, key=lambda one: one[2:])
            for turn in [list(found)]
        ]
        rows.append({"turns": turns, "logprobs": logprobs(network, row)})
    text = json.dumps({"conversations": rows}) + "\n"
    options.out.write_text(text, encoding="utf-8")


def first_thread(sample: Sample) -> Sample:
    """The conversation up to where its second thread begins."""
    return Sample(sample.parts[: sample.branches[1]] if len(sample.branches) > 1 else sample.parts)


@torch.no_grad()
def logprobs(network: Network, row: Row) -> list[float]:
    """The logarithm of the probability of every token that is written, in 32 bits."""
    made = batch([row], len(row.ids))
    found = network.log_likelihood(made.tokens, made.layout, made.at, made.targets)
    return [round(float(one), 5) for one in found[made.weights > 0]]


if __name__ == "__main__":
    main()
