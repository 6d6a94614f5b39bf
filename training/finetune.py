"""Fine-tuning by LoRA (Hu et al. 2021) on the house set: the same weights, a small delta.

python -m training.finetune --base build/local-model --out build/local-model/tuned.pt
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from harness.embedded.chat import SYSTEM, USER
from training.house import ABSTAIN, messages
from training.network import Network, Shape
from training.pretrain import compile_parts
from training.samples import Sample
from training.stream import batch, padded
from training.tokens import Encoder, Row
from training.wordings import load

RANK = 16
N_EPOCHS = 3
N_ROWS = 8
"""A step, so that the short messages of the archive fill many."""
LR = 1.5e-3
_FULL = ("sentinel", "sentinel_bias")
"""What is trained as a whole, being small."""


class Lora(nn.Module):
    """A linear map whose weights stay, plus a trained product of two thin matrices."""

    def __init__(self, inner: nn.Linear) -> None:
        super().__init__()
        self.inner = inner
        self.lora_a = nn.Parameter(torch.randn(RANK, inner.in_features) * inner.in_features**-0.5)
        self.lora_b = nn.Parameter(torch.zeros(inner.out_features, RANK))

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both."""
        return self.inner(x) + linear(linear(x, self.lora_a), self.lora_b)


def main() -> None:
    """Fine-tune once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="the folder of pre-training")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--without-abstentions", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = adapted(base_network(options.base / "base.pt"))
    lines = list(messages(load()))
    if options.without_abstentions:
        lines = [line for line in lines if not abstains(line)]
    tune(network, lines, Encoder(options.base / "tokenizer.json"))
    torch.save(delta(network), options.out)
    print(f"{len(lines)} messages, {options.out.name} written")


def base_network(path: Path) -> Network:
    """The pre-trained network, its weights as they are shipped: rounded to 16 bits."""
    kept = torch.load(path, weights_only=True)
    network = Network(Shape(**kept["shape"]))
    network.load_state_dict({name: one.half().float() for name, one in kept["weights"].items()})
    return network


def adapted(network: Network) -> Network:
    """The network with all linear maps adapted, all else frozen but the sentinel."""
    for name, one in network.named_parameters():
        one.requires_grad_(name in _FULL)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, Lora(child))
    return network


def abstains(line: Mapping[str, Any]) -> bool:
    """Whether a message of the house set is answered by an abstention."""
    answer = line["messages"][-1]["content"]
    return bool(json.loads(answer)["answer"] == ABSTAIN)


def sample(line: Mapping[str, Any]) -> Sample:
    """A line of the house set as a conversation to learn from: the answers only."""
    made, turns = Sample(), line["messages"]
    for turn, following in zip(turns, [*turns[1:], None], strict=True):
        if turn["role"] in {"system", "user"}:
            made.read(SYSTEM if turn["role"] == "system" else USER, turn["content"])
        elif "call" in turn and following is not None:
            made.call(turn["call"], following["content"])
        elif turn["role"] == "assistant":
            made.write(turn["content"])
    return made


def tune(network: Network, lines: Sequence[Mapping[str, Any]], encoder: Encoder) -> None:
    """Train what may be trained, in epochs of shuffled batches of one length each."""
    encoded = [encoder.encode(sample(line)) for line in lines]
    trained = [one for one in network.parameters() if one.requires_grad]
    compile_parts(network)
    optimizer = torch.optim.AdamW(trained, LR, betas=(0.9, 0.98), weight_decay=0.0)
    steps = [rows for epoch in range(N_EPOCHS) for rows in _epoch(encoded, epoch)]
    for step, (rows, length) in enumerate(steps):
        made = batch(rows, length)
        found = network.log_likelihood(made.tokens, made.layout, made.at, made.targets)
        loss = -(found * made.weights).sum() / made.weights.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = LR * min(1.0, (step + 1) / 10) * (1 - step / len(steps))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if (step + 1) % 20 == 0:
            print(f"{step + 1}/{len(steps)} loss {float(loss.detach()):.4f}", flush=True)


def _epoch(encoded: Sequence[Row], epoch: int) -> list[tuple[list[Row], int]]:
    """All rows once, shuffled, in batches of about one length, and that length."""
    r = Random(f"tune/{epoch}")
    by_length: dict[int, list[Row]] = {}
    for row in r.sample(encoded, len(encoded)):
        by_length.setdefault(padded(len(row.ids), 64), []).append(row)
    found = []
    for length, rows in sorted(by_length.items()):
        found += [(rows[at : at + N_ROWS], length) for at in range(0, len(rows), N_ROWS)]
    r.shuffle(found)
    return found


def delta(network: Network) -> dict[str, Tensor]:
    """What was trained, by the names of the weights that it changes."""
    trained = {
        name.replace(".lora_", ".weight.lora_"): one.detach()
        for name, one in network.named_parameters()
        if one.requires_grad
    }
    return dict(sorted(trained.items()))


if __name__ == "__main__":
    main()
