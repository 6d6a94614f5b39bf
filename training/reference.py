"""What torch computes from the shipped weights, for a test of the runtime that needs no torch.

python -m training.reference --base build/local-model --out tests/data/embedded_reference.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from training.finetune import base_network
from training.network import Network
from training.samples import numbered
from training.tokens import Encoder
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
        ids, _ = encoder.encode(numbered(words, "reference", -1, number))
        ids = ids[:400]
        rows.append({"tokens": ids, "logprobs": logprobs(network, ids)})
    text = json.dumps({"conversations": rows}) + "\n"
    options.out.write_text(text, encoding="utf-8")


@torch.no_grad()
def logprobs(network: Network, ids: list[int]) -> list[float]:
    """The logarithm of the probability of every token but the first, in 32 bits."""
    tokens, targets = torch.tensor([ids[:-1]]), torch.tensor([ids[1:]])
    h = network.hidden(tokens)
    written = F.linear(h, network.embed.weight).log_softmax(-1).gather(-1, targets[..., None])
    sentinel, scores = network.copy_scores(h)
    shares = torch.cat([sentinel, scores], -1).log_softmax(-1)
    same = tokens[:, None, :] == targets[:, :, None]
    copied = shares[..., 1:].masked_fill(~same, -1e9).logsumexp(-1)
    mixed = torch.logaddexp(shares[..., 0] + written[..., 0], copied)
    return [round(float(one), 5) for one in mixed[0]]


if __name__ == "__main__":
    main()
