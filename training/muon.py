"""Muon: momentum whose matrices are orthogonalised (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

_STEPS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315  # the quintic iteration's published coefficients


def orthogonal(matrix: Tensor) -> Tensor:
    """About U V^T of the matrix's singular value decomposition, by Newton and Schulz."""
    x = matrix
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.t()
    x = x / (x.norm() + 1e-7)
    for _ in range(_STEPS):
        square = x @ x.t()
        x = _A * x + (_B * square + _C * square @ square) @ x
    return x.t() if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised: each of a parameter's `n_parts` stacked matrices alone."""

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": 0.95, "decay": 0.01})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Move every parameter by its orthogonalised momentum."""
        for group in self.param_groups:
            updates = self._updates(group["params"], group["momentum"])
            for weight, update in zip(group["params"], updates, strict=True):
                weight.mul_(1 - group["lr"] * group["decay"])
                weight.add_(update, alpha=-group["lr"])

    def _updates(self, weights: Sequence[Tensor], momentum: float) -> list[Tensor]:
        """Each process orthogonalises its share of the matrices; the sum gives all to all."""
        n_ranks, rank = dist.get_world_size(), dist.get_rank()
        sizes = [weight.numel() for weight in weights]
        flat = torch.zeros(sum(sizes))
        parts = flat.split(sizes)
        for index, (weight, part) in enumerate(zip(weights, parts, strict=True)):
            state = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
            state.lerp_(weight.grad, 1 - momentum)
            if index % n_ranks == rank:
                part.copy_(self._update(weight, state, momentum).reshape(-1))
        dist.all_reduce(flat)
        return [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]

    @staticmethod
    def _update(weight: Tensor, state: Tensor, momentum: float) -> Tensor:
        n_parts = getattr(weight, "n_parts", 1)
        nesterov = weight.grad.lerp(state, momentum)
        update = torch.cat([orthogonal(part) for part in nesterov.chunk(n_parts, 0)], 0)
        return update * max(1.0, weight.shape[0] / n_parts / weight.shape[1]) ** 0.5
