"""Answers many requests at once with one network, in threads that engines share.

Up to `n_slots` sequences have a place at a time: while the prompt of one is read, the answers of
others go on. A prompt comes in parts, each of which is read by itself; after a part that is to be
kept, the state is remembered, so that a later prompt that begins with the same parts goes on from
there, with the same numbers as if it had been read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Literal, TypeAlias

import numpy as np

from harness.core.chat import ServiceError
from harness.embedded.network import STEP_ROWS, Network
from harness.embedded.sampling import GREEDY, Sampler, Sampling
from harness.embedded.slots import Floats, Prefix, Slots, Turn
from harness.embedded.workers import Job, Workers

N_SLOTS = 16
PREFIX_BYTES = 64_000_000
"""What the remembered beginnings of prompts may take in all."""

Finish: TypeAlias = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Request:
    """What to go on from and how far.

    `parts` are the prompt, at least one turn in each; the first `n_kept` of them are remembered.
    The answer ends before a token of `ends`, after `max_new_tokens`, or when `until`, asked after
    every token, says so. It holds no token of `never`.
    """

    parts: tuple[tuple[Turn, ...], ...]
    max_new_tokens: int
    ends: frozenset[int]
    sampling: Sampling = GREEDY
    n_kept: int = 0
    until: Callable[[Sequence[int]], bool] | None = None
    never: tuple[int, ...] = ()

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
        self,
        network: Network,
        workers: Workers,
        n_slots: int = N_SLOTS,
        prefix_bytes: int = PREFIX_BYTES,
    ) -> None:
        self._network = network
        self._workers = workers
        self._n_slots = n_slots
        self._slots = Slots(network.config, n_slots + -n_slots % STEP_ROWS)
        self._prefixes = _Prefixes(prefix_bytes)
        self._changed = workers.changed  # holds what follows
        self._waiting: deque[tuple[Request, Future[Generated]]] = deque()
        self._taken: dict[int, Future[Generated]] = {}
        self._running: dict[int, _Running] = {}
        self._writes = False
        self._n_jobs = 0
        self._closed = False
        self._fault: BaseException | None = None
        workers.add(self)

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
            self._changed.notify_all()  # whoever closes an engine waits for it too
        return future

    def close(self) -> None:
        """Wait for the jobs at work; requests that are not answered are cancelled."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._n_jobs)
            self._give_up()
        self._workers.remove(self)

    def next_read(self) -> Job | None:
        """The reading of a prompt into a free slot (see `Source`)."""
        while self._waiting and len(self._taken) < self._n_slots and not self._closed:
            request, future = self._waiting.popleft()
            if not future.cancelled():
                slot = next(i for i in range(self._n_slots) if i not in self._taken)
                self._taken[slot] = future
                return self._job(partial(self._begin, slot, request, future))
        return None

    def next_write(self) -> Job | None:
        """The next token of every sequence that is being written (see `Source`)."""
        if self._writes or self._closed:
            return None
        for slot in [slot for slot, seq in self._running.items() if seq.future.cancelled()]:
            self._free(slot)
        if not self._running:
            return None
        self._writes = True
        running = dict(self._running)
        return self._job(partial(self._step, running))

    @property
    def n_writing(self) -> int:
        """How many sequences are being written."""
        return len(self._running)

    def _job(self, work: Job) -> Job:
        """What a worker does: the work, and what must be true after it."""
        self._n_jobs += 1

        def job() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - told to whoever waits
                self._fault = error
            with self._changed:
                self._n_jobs -= 1
                self._closed |= self._fault is not None
                self._changed.notify_all()
                if self._closed and not self._n_jobs:
                    self._give_up()

        return job

    def _begin(self, slot: int, request: Request, future: Future[Generated]) -> None:
        """Read a prompt into a slot, and choose the first token."""
        n_cached = self._read(slot, request)
        seq = _Running(request, future, Sampler(request.sampling), n_cached)
        self._choose({slot: seq})

    def _read(self, slot: int, request: Request) -> int:
        """Read a prompt into a slot; how many of its tokens were known."""
        network, slots = self._network, self._slots
        n_read, prefix = self._prefixes.longest(request.parts[: request.n_kept])
        slots.start(slot, prefix)
        n_cached = int(slots.lengths[slot])
        for i in range(n_read, len(request.parts)):
            network.prefill(slots, slot, request.parts[i])
            if i < request.n_kept:
                prefix = self._prefixes.keep(request.parts[: i + 1], slots.saved(slot))
                slots.start(slot, prefix)  # as others do that find it
        return n_cached

    def _step(self, running: dict[int, _Running]) -> None:
        """Read the token chosen last, and choose the next, of running sequences."""
        tokens = [seq.tokens[-1] for seq in running.values()]
        self._network.step(self._slots, tokens, list(running))
        self._choose(running)
        with self._changed:
            self._writes = False

    def _choose(self, chosen: dict[int, _Running]) -> None:
        """Choose the next token of sequences; those that go on are running, others are over."""
        probabilities = self._network.next_tokens(self._slots, list(chosen))
        for (slot, seq), row in zip(chosen.items(), probabilities, strict=True):
            finish = _take(seq, row)
            with self._changed:
                if finish is None:
                    self._running[slot] = seq
                else:
                    self._free(slot)
            if finish is not None:
                _resolve(seq, finish)

    def _free(self, slot: int) -> None:
        del self._taken[slot]
        self._running.pop(slot, None)

    def _give_up(self) -> None:
        futures = [*self._taken.values(), *(future for _, future in self._waiting)]
        for of in (self._taken, self._running, self._waiting):
            of.clear()
        for future in futures:
            if self._fault is None:
                future.cancel()
            elif future.set_running_or_notify_cancel():
                future.set_exception(self._fault)


def _take(seq: _Running, probabilities: Floats) -> Finish | None:
    """Choose a sequence's next token; how it ended, if it did."""
    request = seq.request
    if request.never:
        probabilities[list(request.never)] = 0.0
        probabilities /= probabilities.sum()
    token = seq.sampler.draw(probabilities)
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
        self._lock = threading.Lock()

    def longest(self, parts: _Parts) -> tuple[int, Prefix | None]:
        """Of how many of the first `parts` the state is known, and that state."""
        with self._lock:
            for n in range(len(parts), 0, -1):
                if parts[:n] in self._kept:
                    self._kept.move_to_end(parts[:n])
                    return n, self._kept[parts[:n]]
        return 0, None

    def keep(self, parts: _Parts, prefix: Prefix) -> Prefix:
        """Remember a state; the one to go on from, which may have been kept meanwhile."""
        if prefix.nbytes > self._most_bytes:
            return prefix
        with self._lock:
            if parts in self._kept:
                return self._kept[parts]
            self._kept[parts] = prefix
            self._n_bytes += prefix.nbytes
            while self._n_bytes > self._most_bytes:
                _, gone = self._kept.popitem(last=False)
                self._n_bytes -= gone.nbytes
        return prefix
