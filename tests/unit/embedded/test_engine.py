"""Many requests at once: the same answers however they meet, and slots that come free again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from tiny_models import CONFIG

from harness.core.chat import ServiceError
from harness.embedded.engine import Engine, Generated, Request
from harness.embedded.network import Network
from harness.embedded.sampling import Sampling
from harness.embedded.slots import Slots, Turn
from harness.embedded.weights import read_config, read_listing, read_weights
from harness.embedded.workers import Workers

N_VOCABULARY, MOST = CONFIG["vocab_size"], CONFIG["max_tokens"]


@pytest.fixture(scope="module", name="network")
def _network(models: Path) -> Network:
    listing = read_listing(models)
    return Network(read_config(listing), read_weights(listing, "desk-base"))


@pytest.fixture(name="workers")
def _workers() -> Iterator[Workers]:
    with closing(Workers(3)) as workers:
        yield workers


@pytest.fixture(name="engine")
def _engine(network: Network, workers: Workers) -> Iterator[Engine]:
    with closing(Engine(network, workers)) as engine:
        yield engine


def tokens(n: int, seed: int = 0) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).integers(0, N_VOCABULARY, n).tolist())


def request(*parts: tuple[int, ...], **options: Any) -> Request:
    turns = tuple((Turn(part, whole=True),) for part in parts)
    return Request(**{"parts": turns, "max_new_tokens": 12, "ends": frozenset()} | options)


def answers(engine: Engine, asked: Request) -> Generated:
    return engine.submit(asked).result()


def numbers(answer: Generated) -> tuple[Any, ...]:
    return answer.tokens, answer.logprobs, answer.finish


def many(n: int = 30) -> list[Request]:
    """Requests of all lengths; of two system prompts, with and without examples, some sampled."""
    r = np.random.default_rng(7)
    found = []
    for i in range(n):
        own = tokens(int(r.integers(1, 90)), 100 + i)
        parts = (tokens(50, i % 2), tokens(33, 2), own) if i % 3 else (tokens(50, i % 2), own)
        sampling = Sampling(1.0, 0.9, 50, seed=i) if i % 4 == 0 else Sampling()
        new = int(r.integers(1, 30))
        asked = request(*parts, max_new_tokens=new, sampling=sampling, n_kept=len(parts) - 1)
        found.append(asked)
    return found


def all_answers(engine: Engine, asked: Sequence[Request], concurrency: int) -> list[Any]:
    with ThreadPoolExecutor(concurrency) as pool:
        return [numbers(answer) for answer in pool.map(lambda q: answers(engine, q), asked)]


def test_answers_are_the_same_bits_whatever_runs_beside_them(
    network: Network, workers: Workers
) -> None:
    asked = many()
    wanted = []
    for each in asked:
        with closing(Engine(network, workers)) as engine:  # alone, with nothing remembered
            wanted.append(numbers(answers(engine, each)))
    for seed, concurrency in enumerate((1, 4, 16, 16)):
        order = np.random.default_rng(seed).permutation(len(asked))
        with closing(
            Engine(network, workers, prefix_bytes=10**5 if seed == 3 else 10**8)
        ) as engine:
            found = all_answers(engine, [asked[i] for i in order], concurrency)
        assert found == [wanted[i] for i in order]


def test_two_engines_side_by_side_are_the_same(network: Network, workers: Workers) -> None:
    asked = many(12)
    with closing(Engine(network, workers)) as one, closing(Engine(network, workers)) as other:
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda engine: all_answers(engine, asked, 6), (one, other)))
        assert found[0] == found[1] == all_answers(one, asked, 1)


def test_a_beginning_that_is_kept_is_read_once(engine: Engine) -> None:
    first = request(tokens(50), tokens(30, 1), tokens(9, 2), n_kept=2)
    other = request(tokens(50), tokens(30, 3), tokens(9, 2), n_kept=2)
    assert [answers(engine, asked).n_cached for asked in (first, first, other)] == [0, 80, 50]
    assert answers(engine, request(tokens(50), tokens(9))).n_cached == 0


def test_the_least_recently_used_beginnings_are_forgotten(
    network: Network, workers: Workers
) -> None:
    with closing(Engine(network, workers)) as engine:
        answers(engine, request(tokens(64), (1,), n_kept=1))
        size = engine._prefixes._n_bytes
    with closing(Engine(network, workers, prefix_bytes=2 * size)) as engine:
        seen = [
            answers(engine, request(tokens(64, seed), (1,), n_kept=1)).n_cached
            for seed in (1, 2, 1, 3, 1, 2)
        ]
    assert seen == [0, 0, 64, 0, 64, 0]


def test_it_ends_before_an_end_token(engine: Engine) -> None:
    whole = answers(engine, request(tokens(20)))
    assert (whole.finish, len(whole.tokens), whole.n_tokens) == ("length", 12, 12)
    end = whole.tokens[5]
    first = whole.tokens.index(end)
    cut = answers(engine, request(tokens(20), ends=frozenset([end])))
    assert (cut.finish, cut.tokens) == ("stop", whole.tokens[:first])
    assert cut.n_tokens == first + 1
    assert cut.logprobs == whole.logprobs[: first + 1]


def test_it_ends_when_it_is_told(engine: Engine) -> None:
    whole = answers(engine, request(tokens(20)))
    cut = answers(engine, request(tokens(20), until=lambda found: len(found) == 3))
    assert (cut.finish, cut.tokens) == ("stop", whole.tokens[:3])


def test_log_probabilities_are_those_of_the_tokens(network: Network, engine: Engine) -> None:
    found = answers(engine, request(tokens(20), max_new_tokens=1))
    slots = Slots(network.config, 8)
    slots.start(0)
    network.prefill(slots, 0, [Turn(tokens(20), whole=True)])
    p = network.next_tokens(slots, [0])[0]
    assert found.tokens == (int(p.argmax()),)
    assert found.logprobs == (float(np.log(p.max())),)


def test_the_first_token_has_a_time(engine: Engine) -> None:
    began = perf_counter()
    found = answers(engine, request(tokens(20)))
    assert began < found.first_s < perf_counter()


@pytest.mark.parametrize(("n", "new"), [(MOST, 1), (MOST - 11, 12), (10_000, 1)])
def test_what_does_not_fit_is_refused_at_once(engine: Engine, n: int, new: int) -> None:
    with pytest.raises(ServiceError, match=f"do not fit into {MOST} tokens") as raised:
        engine.submit(request(tokens(n), max_new_tokens=new))
    assert raised.value.kind == "context_too_long"


def test_what_just_fits_is_answered(engine: Engine) -> None:
    assert len(answers(engine, request(tokens(MOST - 12))).tokens) == 12


def test_more_requests_than_slots(network: Network, workers: Workers) -> None:
    with closing(Engine(network, workers, n_slots=3)) as engine:
        assert len(all_answers(engine, many(), 30)) == 30


def test_a_cancelled_request_frees_its_slot(network: Network, workers: Workers) -> None:
    """With one slot, the second is answered only if the first, which blocks it, lets go."""
    began, go_on = threading.Event(), threading.Event()

    def block(_: Sequence[int]) -> bool:
        began.set()
        assert go_on.wait(60)
        return False

    with closing(Engine(network, workers, n_slots=1)) as engine:
        first = engine.submit(request(tokens(20), max_new_tokens=200, until=block))
        second = engine.submit(request(tokens(20)))
        third = engine.submit(request(tokens(20)))
        assert began.wait(60)
        assert first.cancel()
        assert second.cancel()
        go_on.set()
        assert len(third.result().tokens) == 12
        with pytest.raises(CancelledError):
            first.result()


def test_closing_cancels_what_is_not_answered(network: Network, workers: Workers) -> None:
    go_on = threading.Event()
    engine = Engine(network, workers, n_slots=1)
    waits = [
        engine.submit(request(tokens(9), max_new_tokens=200, until=lambda _: not go_on.wait(60)))
        for _ in range(2)
    ]
    closing_thread = threading.Thread(target=engine.close)
    closing_thread.start()
    with engine._changed:
        engine._changed.wait_for(lambda: engine._closed, 60)
    go_on.set()
    closing_thread.join()
    for future in waits:
        with pytest.raises(CancelledError):
            future.result()
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit(request(tokens(9)))


def test_a_fault_is_told_to_all_who_wait(network: Network, workers: Workers) -> None:
    def fail(_: Sequence[int]) -> bool:
        raise ZeroDivisionError("a fault")

    engine = Engine(network, workers)
    with pytest.raises(ZeroDivisionError, match="a fault"):
        answers(engine, request(tokens(9), until=fail))
    engine.close()


def test_what_must_never_be_written_is_not(engine: Engine) -> None:
    free = answers(engine, request(tokens(30)))
    banned = tuple(dict.fromkeys(free.tokens))[:3]
    held = answers(engine, request(tokens(30), never=banned))
    assert not set(banned) & set(held.tokens)
    assert len(held.tokens) == len(free.tokens)
