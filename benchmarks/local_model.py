"""The embedded model's speed, beside the products of matrices that it cannot do without.

    python benchmarks/local_model.py [FOLDER]

FOLDER holds models as harness has them; without it, random weights of their size are taken. The
limit is the time of the bare products with the weights, of the same shapes, in the same process:
what attention, norms, Python and threads add is the rest. One BLAS thread, as in `harness run`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as harness.cli.main does
sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

import numpy as np
import tiny_models
from measure import conditions, show

from harness.embedded.engine import Engine, Request
from harness.embedded.network import STEP_ROWS, Matrix, Network
from harness.embedded.slots import Slots, Turn
from harness.embedded.weights import read_config, read_listing, read_weights

N_SHARED, N_OWN, N_NEW = 100, 250, 35
"""Tokens of a prompt that many requests share, of the rest of it, and of an answer."""


def best_s(work: Callable[[], Any], repeats: int = 10) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


class Limit:
    """The products with all weights of a layer, or with those of the vocabulary."""

    def __init__(self, network: Network) -> None:
        c = network.config
        r = np.random.default_rng(0)
        shapes = [(3 * c.d_model, c.d_model), (c.d_model, c.d_model), (2 * c.d_ff, c.d_model)]
        shapes = [*shapes, (c.d_model, c.d_ff)] * c.n_layers + [(2 * c.d_copy, c.d_model)]
        head = [(c.vocab_size, c.d_model), (c.d_copy, c.d_model)]
        self._body, self._head = (
            [(Matrix(r.standard_normal(s).astype(np.float32)), s[1]) for s in part]
            for part in (shapes, head)
        )

    def prefill_s(self, n: int) -> float:
        return best_s(lambda: self._products(self._body, n, None))

    def step_s(self, n: int) -> float:
        padded = n + -n % STEP_ROWS
        return best_s(lambda: self._products(self._body + self._head, padded, STEP_ROWS), 50)

    def _products(self, matrices: list[tuple[Matrix, int]], n: int, rows: int | None) -> None:
        inputs = {n_in: np.ones((n, n_in), np.float32) for _, n_in in matrices}
        for matrix, n_in in matrices:
            matrix(inputs[n_in], rows)


def parts(network: Network) -> list[dict[str, Any]]:
    """Reading a prompt, and one step, without an engine."""
    limit, slots = Limit(network), Slots(network.config, 16)
    drawn = np.random.default_rng(1).integers(0, network.config.vocab_size, N_SHARED + N_OWN)
    tokens = tuple(drawn.tolist())

    def read(slot: int = 0) -> None:
        slots.start(slot)
        network.prefill(slots, slot, [Turn(tokens, whole=True)])

    rows: list[dict[str, Any]] = []
    for slot in range(16):
        read(slot)
    took, bound = best_s(read), limit.prefill_s(len(tokens))
    rows.append(_row(f"prompt of {len(tokens)} tokens", len(tokens), took, bound))
    for n in (1, 4, 8, 16):
        used = list(range(n))

        def step(used: list[int] = used) -> None:
            network.step(slots, tokens[: len(used)], used)
            network.next_tokens(slots, used)
            slots.lengths[used] -= 1

        rows.append(_row(f"step of {n} sequences", n, best_s(step, 50), limit.step_s(n)))
    return rows


def _row(what: str, n_tokens: int, took_s: float, limit_s: float) -> dict[str, Any]:
    return {
        "work": what,
        "tokens/s": n_tokens / took_s,
        "ms": took_s * 1e3,
        "products alone, ms": limit_s * 1e3,
        "share of products": limit_s / took_s,
    }


async def answered(engines: list[Engine], n: int, concurrency: int) -> float:
    """Seconds for `n` requests, `concurrency` at a time, dealt out among the engines."""
    r = np.random.default_rng(2)
    shared = tuple(r.integers(0, 3000, N_SHARED).tolist())
    waiting = iter([(shared, tuple(r.integers(0, 3000, N_OWN).tolist())) for _ in range(n)])

    async def work(i: int) -> None:
        for prompt in waiting:
            request = Request(prompt, N_NEW, frozenset(), n_kept=1)
            await asyncio.wrap_future(engines[i % len(engines)].submit(request))

    began = time.perf_counter()
    await asyncio.gather(*(work(i) for i in range(concurrency)))
    return time.perf_counter() - began


def engines(networks: list[Network], n: int = 96) -> list[dict[str, Any]]:
    """Whole requests by the number at a time, with one model and with two."""
    rows = []
    for n_models, concurrency in ((1, 1), (1, 8), (1, 16), (2, 8), (2, 16), (2, 32)):
        running = [Engine(network) for network in networks[:n_models]]
        asyncio.run(answered(running, 4, 4))
        cpu = time.process_time()
        took = asyncio.run(answered(running, n, concurrency))
        row: dict[str, Any] = {"models": n_models, "at a time": concurrency}
        row |= {"requests/s": n / took, "CPU ms a request": (time.process_time() - cpu) / n * 1e3}
        row |= {"new tokens/s": n * N_NEW / took, "2100 requests, s": 2100 * took / n}
        rows.append(row)
        for engine in running:
            engine.close()
    return rows


def main(folder: Path) -> dict[str, Any]:
    listing = read_listing(folder)
    config = read_config(listing)
    networks = [Network(config, read_weights(listing, name)) for name in list(listing.files)[:2]]
    found = {"conditions": conditions(), "parts": parts(networks[0])}
    show("Parts", found["parts"])
    found["engines"] = engines(networks)
    show(f"{N_SHARED} shared + {N_OWN} tokens in, {N_NEW} out", found["engines"])
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        given = sys.argv[1:]
        main(
            Path(given[0])
            if given
            else tiny_models.write_models(Path(scratch), tiny_models.FULL_SIZE)
        )
