"""Pre-training from nothing: two processes, averaged gradients, a fixed number of steps.

    python -m training.pretrain --out build/local-model

The same seed on the same kind of processor gives the same weights: batches are a function of the
seed, the sum of two gradients does not depend on their order, and `training/__init__.py` holds
every library to one instruction set. `training/card.json` has a hash of each phase's weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random
from time import monotonic
from typing import TypeAlias

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from training.muon import Muon
from training.network import Network, Shape
from training.samples import KINDS, PHASES, Shares, draw
from training.stream import MOST, Batch, Share, batch, batches, padded
from training.tokens import Encoder, learn
from training.wordings import Wordings, load

N_TOKENIZER_SAMPLES = 6000
N_WARM = 20
"""Steps in which the learning rates rise."""
Optimizers: TypeAlias = tuple[Muon, torch.optim.AdamW]
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 35),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
"""glibc would give every large tensor back to the system and ask for it again: half of the time."""
HINT_WEIGHT = 0.05
"""Of a hint's loss on one token; an answer's token has 1."""
MATRIX_LR, OTHER_LR = 0.014, 0.003


def main() -> None:
    """Learn the tokens, then the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", default="harness-1")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    make_tokenizer(options.out / "tokenizer.json", options.seed)
    (options.out / "meeting").unlink(missing_ok=True)
    os.environ.update(KEEP_MEMORY)
    mp.spawn(_rank, args=(options,), nprocs=Share.n_ranks)


def make_tokenizer(path: Path, seed: str) -> None:
    """Learn the tokens from texts of all kinds."""
    words, (first, _, whole, *_) = load(), PHASES
    texts = []
    for number in range(N_TOKENIZER_SAMPLES):
        mix = whole.mix if number % 4 else first.mix
        sample = draw(Random(f"{seed}/tokens/{number}"), words, mix, whole.shares)
        texts += [text for _, text, _ in sample.parts]
    learn(texts, Shape().vocab_size, path)


def optimizers(network: Network) -> Optimizers:
    """Muon for the matrices of the layers and the copy head, AdamW for all else."""
    matrices, others = [], []
    for name, weight in network.named_parameters():
        if weight.ndim == 2 and not any(
            part in name for part in ("embed", "marks", "conv", "hint")
        ):
            weight.n_parts = 3 if "qkv" in name else 2 if "gate_up" in name else 1  # type: ignore[attr-defined]
            matrices.append(weight)
        else:
            others.append(weight)
    return Muon(matrices, MATRIX_LR), torch.optim.AdamW(
        others, OTHER_LR, betas=(0.9, 0.98), weight_decay=0.0
    )


def step_loss(network: Network, batch: Batch) -> Tensor:
    """The sum of the batch's losses: of the negative logarithms, each by its weight."""
    h, states = network.hidden(batch.tokens, batch.layout)
    found = network.head(
        h, batch.layout.kept[0], batch.layout.seen, batch.tokens, batch.at, batch.targets
    )
    wrong = network.hinted(states, batch.hints, batch.facts)
    return HINT_WEIGHT * wrong - (found * batch.weights).sum()


def compile_parts(network: Network) -> None:
    """Compile the layer and the head apart, for rows of any length."""
    for layer in network.layers:
        layer.compile(dynamic=True)
    network.hinted = torch.compile(network.hinted, dynamic=True)  # type: ignore[method-assign]
    network.head = torch.compile(network.head, dynamic=True)  # type: ignore[method-assign]


def _rank(rank: int, options: argparse.Namespace) -> None:
    """One of the processes: its share of every batch."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    share = Share(rank)
    meeting = (options.out / "meeting").resolve().as_uri()
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=share.n_ranks)
    words, encoder = load(), Encoder(options.out / "tokenizer.json")
    network = Network(Shape(vocab_size=encoder.n_tokens))
    for weight in network.parameters():
        dist.broadcast(weight.data, 0)
    compile_parts(network)
    for index in range(len(PHASES)):
        after = options.out / f"phase{index}.pt"
        if after.exists():  # of an interrupted training: a phase depends on nothing but its start
            network.load_state_dict(torch.load(after, weights_only=True)["weights"])
            continue
        done = _phase(
            network, index, batches(words, encoder, options.seed, index, share), words, encoder
        )
        if rank == 0:  # the numbers first: they are there whenever the weights are
            write_json(
                options.out / f"phase{index}.json", {**done, "weights_sha256": digest(network)}
            )
            save(network, after)
        dist.barrier()
    if rank == 0:
        save(network, options.out / "base.pt")
        card = [read_json(options.out / f"phase{index}.json") for index in range(len(PHASES))]
        whole = {"seed": options.seed, "phases": card, "weights_sha256": digest(network)}
        write_json(options.out / "card.json", whole)
    dist.destroy_process_group()


def _phase(
    network: Network, index: int, stream: Iterator[Batch], words: Wordings, encoder: Encoder
) -> dict[str, int]:
    """All steps of a phase. What `card.json` says of it."""
    both = optimizers(network)
    phase, first = PHASES[index], dist.get_rank() == 0
    shown, n_tokens, n_drawn, began = torch.zeros(2), 0, torch.zeros(1), monotonic()
    for step in range(1, phase.n_steps + 1):
        drawn = next(stream)
        loss = step_loss(network, drawn)
        loss.backward()  # type: ignore[no-untyped-call]
        shown += _averaged(network, loss, drawn.weights.sum())
        n_tokens += drawn.tokens.numel() * dist.get_world_size()
        n_drawn[0] = drawn.n_drawn
        start, end = phase.rate
        warm = min(1.0, step / N_WARM)
        _move(both, warm * (start + (end - start) * step / phase.n_steps))
        network.zero_grad(set_to_none=True)
        if first and step % 20 == 0:
            mean, took = float(shown[0] / shown[1]), monotonic() - began
            now = digest(network)[:12]
            print(
                f"phase {index} step {step} loss {mean:.4f} {took:.0f} s, weights {now}", flush=True
            )
            shown.zero_()
        if first and (step % 200 == 0 or step == 100):
            print(f"  sure and right: {probed(network, words, encoder)}", flush=True)
    dist.all_reduce(n_drawn, dist.ReduceOp.MAX)  # the processes draw at their own pace
    return {"n_steps": phase.n_steps, "n_samples": int(n_drawn), "n_tokens": n_tokens}


@torch.no_grad()
def probed(network: Network, words: Wordings, encoder: Encoder) -> str:
    """Per kind, the percent of new conversations in which every token is likelier than not.

    Of these, greedy decoding writes every token right. First those whose answer is there, then
    those whose answer is not.
    """
    told = []
    for kind in ("look_ups", "easy", "compact", "passages", "tool"):
        shares = []
        for missing in (0.0, 1.0):
            made = (KINDS[kind](Random(f"probe/{n}"), words, Shares(missing)) for n in range(24))
            rows = [row for row in map(encoder.encode, made) if len(row.ids) <= MOST]
            whole = batch(rows, padded(max(len(row.ids) for row in rows)))
            found = network.log_likelihood(whole.tokens, whole.layout, whole.at, whole.targets)
            right = ((found > math.log(0.5)) | (whole.weights == 0)).all(1)
            shares.append(f"{100 * float(right.float().mean()):.0f}")
        told.append(f"{kind} {'/'.join(shares)}")
    return ", ".join(told)


def _move(both: Optimizers, factor: float) -> None:
    for optimizer, lr in zip(both, (MATRIX_LR, OTHER_LR), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = lr * factor
        optimizer.step()


def _averaged(network: Network, loss: Tensor, weight: Tensor) -> Tensor:
    """Sum losses, weights and gradients over the processes; scale the gradients; clip to 1.

    Returns: the sums of losses and of weights, shape (2,).
    """
    sums = torch.stack([loss.detach(), weight])
    dist.all_reduce(sums)
    flat = torch.cat([one.grad.reshape(-1) for one in network.parameters()])  # type: ignore[union-attr]
    dist.all_reduce(flat)
    flat /= sums[1]
    flat *= min(1.0, 1.0 / (float(flat.norm()) + 1e-6))
    at = 0
    for one in network.parameters():
        one.grad = flat[at : at + one.numel()].view_as(one)
        at += one.numel()
    return sums


def write_json(path: Path, value: object) -> None:
    """Write a value as a JSON file."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, int | str]:
    """The value of a JSON file."""
    found: dict[str, int | str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def save(network: Network, path: Path) -> None:
    """Write the weights with their shape, whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save({"shape": asdict(network.shape), "weights": network.state_dict()}, partial)
    partial.replace(path)


def digest(network: Network) -> str:
    """A hash of all weights."""
    found = hashlib.sha256()
    for name, weight in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(weight.contiguous().numpy().tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
