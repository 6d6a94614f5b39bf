"""Answers many requests at once with one network, in a thread of its own.

Up to `n_slots` sequences decode together; a new one takes a slot as soon as one is free, and its
prompt is read before the next step. A prompt comes in parts, each of which is read by itself; after
a part that is to be kept, the state is remembered, so that a later prompt that begins with the same
parts goes on from there, with the same numbers as if it had been read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, TypeAlias

import numpy as np

from harness.core.chat import ServiceError
from harness.embedded.network import STEP_ROWS, Network
from harness.embedded.sampling import GREEDY, Sampler, Sampling
from harness.embedded.slots import Floats, Prefix, Slots, Turn

N_SLOTS = 16
PREFIX_BYTES = 64_000_000
"""What the remembered beginnings of prompts may take in all."""

Finish: TypeAlias = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Request:
    """What to go on from and how far.

    `parts` are the prompt, at least one turn in each; the first `n_kept` of them are remembered.
    The answer ends before a token of `ends`, after `max_new_tokens`, or when `until`, asked after
    every token, says so.
    """

    parts: tuple[tuple[Turn, ...], ...]
    max_new_tokens: int
    ends: frozenset[int]
    sampling: Sampling = GREEDY
    n_kept: int = 0
    until: Callable[[Sequence[int]], bool] | None = None

    @property
    def n_tokens(self) -> int:
        """How many tokens the prompt has."""
        return sum(len(turn.tokens) for part in self.parts for turn in part)


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer's tokens with the natural logarithm of each one's probability.

    `n_tokens` counts the token that ended it too; `n_cached` are those of the prompt that were not
    read anew. `first_s` is when the first token was there, on the clock `time.perf_counter`.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish: Finish
    n_tokens: int
    n_cached: int
    first_s: float


@dataclass(slots=True)
class _Running:
    """A sequence in a slot."""

    request: Request
    future: Future[Generated]
    sampler: Sampler
    n_cached: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    first_s: float = 0.0


class Engine:
    """A network at work. Used from any thread."""

    def __init__(
        self, network: Network, n_slots: int = N_SLOTS, prefix_bytes: int = PREFIX_BYTES
    ) -> None:
        self._network = network
        self._n_slots = n_slots
        self._slots = Slots(network.config, n_slots + -n_slots % STEP_ROWS)
        self._prefixes = _Prefixes(prefix_bytes)
        self._running: dict[int, _Running] = {}
        self._waiting: deque[tuple[Request, Future[Generated]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="embedded model", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Future[Generated]:
        """Have a request answered; cancelling the future frees its slot.

        Raises:
            ServiceError: `context_too_long`, if prompt and answer together do not fit.
            RuntimeError: if the engine is closed.
        """
        n, most = request.n_tokens, self._network.config.max_tokens
        if n + request.max_new_tokens > most:
            what = f"{n} tokens of the prompt and {request.max_new_tokens} of the answer"
            raise ServiceError("context_too_long", f"{what} do not fit into {most} tokens")
        future: Future[Generated] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the engine is closed")
            self._waiting.append((request, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """End the thread; requests that are not answered are cancelled."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        try:
            while self._admit():
                self._step()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            self._give_up(error)
        else:
            self._give_up(None)

    def _admit(self) -> bool:
        """Fill free slots from those that wait; False once the engine is closed."""
        while not self._closed:
            for slot in [slot for slot, seq in self._running.items() if seq.future.cancelled()]:
                del self._running[slot]
            found = self._next_waiting()
            if found is not None:
                self._start(*found)
            elif self._running:
                return True
        return False

    def _next_waiting(self) -> tuple[Request, Future[Generated]] | None:
        """A request for which there is a slot; if there is nothing to do at all, waits for one."""
        with self._changed:
            while not (self._waiting or self._running or self._closed):
                self._changed.wait()
            if not self._waiting or len(self._running) == self._n_slots:
                return None
            return self._waiting.popleft()

    def _start(self, request: Request, future: Future[Generated]) -> None:
        """Read a prompt into a free slot, and choose the first token."""
        if future.cancelled():
            return
        slot = next(i for i in range(self._n_slots) if i not in self._running)
        network, slots = self._network, self._slots
        n_read, prefix = self._prefixes.longest(request.parts[: request.n_kept])
        slots.start(slot, prefix)
        n_cached = int(slots.lengths[slot])
        for i in range(n_read, len(request.parts)):
            network.prefill(slots, slot, request.parts[i])
            if i < request.n_kept:
                prefix = slots.saved(slot)
                self._prefixes.keep(request.parts[: i + 1], prefix)
                slots.start(slot, prefix)  # as others do that find it
        self._running[slot] = _Running(request, future, Sampler(request.sampling), n_cached)
        self._choose([slot])

    def _step(self) -> None:
        """Read the token chosen last, and choose the next, of every running sequence."""
        rows = list(self._running)
        tokens = [self._running[slot].tokens[-1] for slot in rows]
        self._network.step(self._slots, tokens, rows)
        self._choose(rows)

    def _choose(self, rows: list[int]) -> None:
        probabilities = self._network.next_tokens(self._slots, rows)
        for slot, row in zip(rows, probabilities, strict=True):
            seq = self._running[slot]
            finish = _take(seq, row)
            if finish is not None:
                del self._running[slot]
                _resolve(seq, finish)

    def _give_up(self, error: BaseException | None) -> None:
        with self._changed:
            self._closed = True
            waiting = [future for _, future in self._waiting]
            self._waiting.clear()
        for future in [*waiting, *(seq.future for seq in self._running.values())]:
            if error is None:
                future.cancel()
            elif future.set_running_or_notify_cancel():
                future.set_exception(error)
        self._running.clear()


def _take(seq: _Running, probabilities: Floats) -> Finish | None:
    """Choose a sequence's next token; how it ended, if it did."""
    request, token = seq.request, seq.sampler.draw(probabilities)
    if not seq.first_s:
        seq.first_s = perf_counter()
    seq.logprobs.append(float(np.log(probabilities[token])))
    if token in request.ends:
        return "stop"
    seq.tokens.append(token)
    if request.until is not None and request.until(seq.tokens):
        return "stop"
    return "length" if len(seq.tokens) == request.max_new_tokens else None


def _resolve(seq: _Running, finish: Finish) -> None:
    if not seq.future.set_running_or_notify_cancel():
        return  # cancelled meanwhile
    seq.future.set_result(
        Generated(
            tuple(seq.tokens),
            tuple(seq.logprobs),
            finish,
            len(seq.logprobs),
            seq.n_cached,
            seq.first_s,
        )
    )


_Parts: TypeAlias = tuple[tuple[Turn, ...], ...]


class _Prefixes:
    """States after the first parts of prompts; the least recently used ones go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._n_bytes = 0
        self._kept: OrderedDict[_Parts, Prefix] = OrderedDict()

    def longest(self, parts: _Parts) -> tuple[int, Prefix | None]:
        """Of how many of the first `parts` the state is known, and that state."""
        for n in range(len(parts), 0, -1):
            if parts[:n] in self._kept:
                self._kept.move_to_end(parts[:n])
                return n, self._kept[parts[:n]]
        return 0, None

    def keep(self, parts: _Parts, prefix: Prefix) -> None:
        """Remember a state."""
        if prefix.nbytes > self._most_bytes:
            return
        self._kept[parts] = prefix
        self._n_bytes += prefix.nbytes
        while self._n_bytes > self._most_bytes:
            _, gone = self._kept.popitem(last=False)
            self._n_bytes -= gone.nbytes
