"""Plugin points. A plugin inherits nothing: it only has to have the right shape.

Of every retriever, reranker and toolbox, an option whose name ends in `_env` names an environment
variable, and an option `env` lists such names; `harness check` tells those that are not set, of
plugins within a plugin too. A provider tells its own in `problems`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from harness.core.chat import Completion, ModelRequest, ToolSpec
from harness.core.example import Example
from harness.core.passage import Chunk, Passage, Query, Ranking
from harness.core.pointwise import Verdicts
from harness.core.record import Record
from harness.core.score import FloatArray, Metric, ScoreOutcome
from harness.core.tools import ToolResult
from harness.core.values import JsonValue

T = TypeVar("T")


class Scorer(Protocol):
    """Gives one or more metrics for a record.

    A predicted class that no example expects counts as `(other)`, whatever a model made up. A
    scorer that knows classes in advance names them in an attribute `classes`; they are kept.
    """

    @property
    def metrics(self) -> Sequence[Metric]:
        """The metrics this scorer gives, in the order they are reported."""
        ...

    def score(self, example: Example, record: Record) -> Mapping[str, ScoreOutcome]:
        """An outcome for every metric id in `metrics`.

        Called for answers and for failures of the system under test, which score the metric's
        worst value (or weigh nothing in a ratio); never for failures of the infrastructure.
        A metric that does not apply to the example is `Unscored(..., applicable=False)` for
        every record of that example alike.
        """
        ...


class JudgedScorer(Scorer, Protocol):
    """A scorer whose verdicts a model gives, which is asked once all trials have ended.

    It has a class attribute `asks_judge = True`, and an option `judge`: how the model is asked, in
    the words of a variant. `criteria`, `show` and `repeats` are as in `RubricSpec`.
    """

    @property
    def id(self) -> str:
        """The scorer's name."""
        ...

    @property
    def criteria(self) -> Mapping[str, str]:
        """What each criterion means, by its name."""
        ...

    @property
    def show(self) -> Sequence[str]:
        """What the judge sees beside the answer."""
        ...

    @property
    def repeats(self) -> int:
        """How often it is asked about every answer."""
        ...

    def selects(self, example: Example) -> bool:
        """Whether answers to the example are judged."""
        ...

    def to_judge(self, example: Example, record: Record) -> str | None:
        """The answer as the judge is to see it; None if the scorer needs no verdict on it."""
        ...

    def given(self, verdicts: Verdicts) -> Scorer:
        """The scorer that tells these verdicts."""
        ...


class Provider(Protocol):
    """Asks models. A pydantic model whose fields are its options (`base_url` among them).

    One is built for each distinct provider and options of a run and shared by all variants. One
    that asks nobody else has a class attribute `in_process = True`: its answers are not cached. One
    that reads the clock as bytes come and go, however late our event loop is, has `stamps_bytes =
    True`: as many calls may be in flight from the first as were asked for.
    """

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """What tells this route to a model from another: SDK and version, API version, address."""
        ...

    def problems(self, request: ModelRequest) -> Sequence[str]:
        """What of a request this model does not take, each as a sentence; nothing is sent.

        Asked at `harness check` with the request that a variant would send (its messages empty).
        A parameter that is not sent, or that the model is known to refuse, must be told here.
        """
        ...

    async def open(self) -> None:
        """Make ready, untimed: import what is needed, in a thread where that takes long.

        Sends nothing. Called once before the first trial, from the loop that `complete` runs in.

        Raises:
            ServiceError: if it cannot be used.
        """
        ...

    async def complete(self, request: ModelRequest) -> Completion:
        """Make one attempt, within `request.timeout_s`; never retries by itself.

        Raises:
            ServiceError: if there is no whole answer.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; called once, from the loop that `complete` ran in."""
        ...


class Progress(Protocol):
    """Is told how a live run goes."""

    def begin(
        self, variants: Sequence[str], n_each: int, in_flight: int, before: Collection[Record]
    ) -> None:
        """Every variant has `n_each` trials, of which those in `before` have ended."""
        ...

    def ended(self, record: Record) -> None:
        """Another trial has ended."""
        ...

    def close(self) -> None:
        """No more trials will end, however the run went."""
        ...


class AnswerCache(Protocol):
    """Keeps answers of models between runs. Not for a provider that says `in_process = True`."""

    def get(self, key: str) -> Completion | None:
        """The answer that is kept for all that `key` covers."""
        ...

    def put(self, key: str, answer: Completion) -> None:
        """Keep an answer."""
        ...


class Budget(Protocol):
    """What a run may spend on calls of models, in US dollars."""

    async def reserve(self, most_usd: float) -> None:
        """Wait until a call that costs at most so much fits; the run ends if it never will."""
        ...

    async def settle(self, most_usd: float, cost_usd: float) -> None:
        """Give back what was reserved for a call, and count what it did cost."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors. A pydantic model whose fields are its options."""

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """What defines the vectors: model, address, hash of local weights."""
        ...

    async def embed(self, texts: Sequence[str]) -> tuple[FloatArray, float | None]:
        """Unit vectors of shape (texts, dimensions), and the cost in US dollars (None: unknown).

        Raises:
            ServiceError: if the endpoint fails.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Retriever(Protocol):
    """Finds passages. A pydantic model whose fields are its options."""

    @property
    def needs_corpus(self) -> bool:
        """Whether it searches chunks that harness makes, or an engine that a team runs."""
        ...

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """What defines the ranking beside its options: versions, address."""
        ...

    async def open(self, chunks: Sequence[Chunk], cache: Path) -> None:
        """Make ready, untimed: build the index, or load it from the folder `cache`.

        `cache` is of this corpus, this way of chunking and this retriever's options alone.
        """
        ...

    async def retrieve(self, query: Query) -> Ranking:
        """The best passages, best first; equal scores in the order of their ids.

        Raises:
            ServiceError: if the engine fails.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Reranker(Protocol):
    """Orders passages anew. A pydantic model whose fields are its options."""

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """What defines the ranking: model, address, hash of local weights."""
        ...

    async def open(self) -> None:
        """Make ready, untimed: import what is needed, load weights. Sends nothing.

        Raises:
            ServiceError: if it cannot be used.
        """
        ...

    async def rerank(self, query: str, passages: Sequence[Passage], limit: int) -> Ranking:
        """The best `limit` of the passages, best first, with their new scores.

        Raises:
            ServiceError: if the endpoint fails.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Toolbox(Protocol):
    """One or more tools. A pydantic model whose fields are its options."""

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """What defines the tools: address, hash of the code."""
        ...

    @property
    def names(self) -> Sequence[str] | None:
        """The names of the tools; None where only opening tells them."""
        ...

    def problems(self) -> Sequence[str]:
        """Why it could not be opened, each as a sentence; nothing is started or sent.

        Asked at `harness check`. Environment variables that are not set are told without it.
        """
        ...

    async def open(self) -> Sequence[ToolSpec]:
        """Start what the tools need, and tell which there are.

        Raises:
            ServiceError: if they cannot be had.
        """
        ...

    async def call(self, name: str, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """Call a tool; what goes wrong in it is a result, not an exception.

        What harness itself takes for it (a free process, say) is in the result's `queue_s`.
        """
        ...

    async def close(self) -> None:
        """End what was started."""
        ...


class Clock(Protocol):
    """Wall-clock time, so that tests can hold it still."""

    def now_iso(self) -> str:
        """The time in UTC, ISO 8601, to the second."""
        ...


class Timer(Protocol):
    """Time that passes, so that tests need not wait for it."""

    def now_s(self) -> float:
        """Seconds on a clock that never steps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class Paced(Generic[T]):
    """What a call gave at last, and what it took beside its successful attempt.

    `latency_s` is the successful attempt's. `queue_s` was waited for a place, a connection or our
    own event loop, `retry_wait_s` went to failed attempts and the pauses after them.
    """

    value: T
    latency_s: float
    attempts: int = 1
    queue_s: float = 0.0
    retry_wait_s: float = 0.0


class Pacer(Protocol):
    """Limits how many calls a service has at once, and repeats those that may yet succeed."""

    async def run(
        self,
        route: str,
        attempt: Callable[[], Awaitable[T]],
        own_s: Callable[[T], float] | None = None,
        n_tokens: int = 0,
    ) -> Paced[T]:
        """Make `attempt` until it succeeds or there is no point in another one.

        Args:
            route: the service, such as `http/llama @ 127.0.0.1:8000`; limits hold per route.
            attempt: one attempt, which raises ServiceError.
            own_s: what the service itself took, by what an attempt gave; by default all of it.
            n_tokens: what an attempt counts where tokens are limited.

        Raises:
            GaveUpError: with the last attempt's error and what all of them took.
        """
        ...
