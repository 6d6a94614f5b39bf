"""Asks the judges of a comparison, so many at a time, and gathers their verdicts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from harness.core.chat import Completion, Message
from harness.core.example import Example
from harness.core.judging import TableBuilder
from harness.core.pairwise import VerdictForm
from harness.judging.pairs import Asked, in_random_order
from harness.judging.prompt import JudgePrompt, Shown
from harness.judging.verdict import Verdict, read_verdict
from harness.judging.workers import together
from harness.templating.template import TemplateError


@dataclass(frozen=True, slots=True)
class Reply:
    """What a judge's service gave: an answer, or why there is none, and what that took.

    `cost_usd` is None where it is not known. `cached` answers were kept from another run.
    """

    answer: Completion | None
    cost_usd: float | None = None
    latency_s: float | None = None
    reason: str = ""
    cached: bool = False


Ask: TypeAlias = Callable[[tuple[Message, ...], int], Awaitable[Reply]]
"""Puts messages to a model, by the number of the repeat; it paces, retries and prices."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that judges, ready to be asked."""

    id: str
    prompt: JudgePrompt
    form: VerdictForm
    ask: Ask


@dataclass(slots=True)
class Tally:
    """What one judge was asked: verdicts and what they took.

    `cost_usd` is of the calls that were made whose cost is known, `n_unknown` counts those of which
    it is not; `avoided_usd` is what cached answers would have cost. `served` are the models' ids as
    the server tells them.
    """

    n_calls: int = 0
    n_cached: int = 0
    n_unparsed: int = 0
    n_decided: int = 0
    n_unknown: int = 0
    cost_usd: float = 0.0
    avoided_usd: float = 0.0
    latency_s: float = 0.0
    served: set[str] = field(default_factory=set)

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        if reply.answer is not None and reply.answer.served_model:
            self.served.add(reply.answer.served_model)
        if reply.cached:
            self.n_cached += 1
            self.avoided_usd += reply.cost_usd or 0.0
            return
        self.n_calls += 1
        self.n_unknown += reply.cost_usd is None
        self.cost_usd += reply.cost_usd or 0.0
        self.latency_s += reply.latency_s or 0.0


@dataclass(frozen=True, slots=True)
class _Row:
    """A verdict and what it took; `p_second` is of the pair, whichever was shown first."""

    p_second: float | None
    cost_usd: float | None = None
    latency_s: float | None = None
    reason: str = ""
    quote: str = ""


@dataclass(slots=True)
class Panel:
    """The judges of one comparison at work. `tallies` are by the judge's id.

    The table's rows come in the order of the judges, and of `asked`, however the calls end.
    """

    judges: Sequence[Judge]
    examples: Sequence[Example]
    seed: int
    tallies: dict[str, Tally] = field(default_factory=dict)

    async def judge(self, asked: Sequence[Asked], builder: TableBuilder, at_once: int) -> None:
        """Ask every judge all that is `asked`, in an order drawn from the seed.

        Args:
            asked: the pairs of answers as they are shown.
            builder: gets a row for each judge and pair, once all have been asked.
            at_once: how many calls are in flight at most.

        Raises:
            HarnessError: if there is no point in going on: a service is down, the budget reached.
        """
        self.tallies = {judge.id: Tally() for judge in self.judges}
        rows: dict[int, _Row] = {}
        waiting = in_random_order(len(self.judges) * len(asked), self.seed)

        async def work() -> None:
            for number in waiting:
                which, index = divmod(number, len(asked))
                rows[number] = await self._row(self.judges[which], asked[index])

        await together(work, min(at_once, len(self.judges) * len(asked)))
        self._fill(builder, asked, rows)

    async def _row(self, judge: Judge, asked: Asked) -> _Row:
        """The verdict of one judge on one pair, without asking where a failure decides it."""
        tally, duel = self.tallies[judge.id], asked.duel
        if duel.decided is not None:
            tally.n_decided += 1
            return _Row(duel.decided, 0.0, reason=duel.reason)
        first, second = duel.texts[0] or "", duel.texts[1] or ""
        shown = Shown(second, first) if asked.swapped else Shown(first, second)
        try:
            messages = judge.prompt.messages(self.examples[duel.example], shown, self.seed)
        except TemplateError as error:
            tally.n_unparsed += 1
            return _Row(None, 0.0, reason=f"the prompt cannot be made: {error}")
        reply = await judge.ask(messages, asked.repeat)
        tally.add(reply)
        told = Verdict(None, reply.reason)
        if reply.answer is not None:
            told = read_verdict(reply.answer, judge.form)
        p_second = told.p_second
        tally.n_unparsed += p_second is None
        if p_second is not None and asked.swapped:
            p_second = 1.0 - p_second
        return _Row(p_second, reply.cost_usd, reply.latency_s, told.reason, told.quote)

    def _fill(self, builder: TableBuilder, asked: Sequence[Asked], rows: dict[int, _Row]) -> None:
        for number in range(len(self.judges) * len(asked)):
            which, index = divmod(number, len(asked))
            row, one = rows[number], asked[index]
            first, second = one.duel.texts
            builder.add(
                self.examples[one.duel.example].id,
                self.judges[which].id,
                one.duel.pair,
                row.p_second,
                swapped=int(one.swapped),
                repeat=one.repeat,
                chars=(_length(first), _length(second)),
                cost_usd=row.cost_usd,
                latency_s=row.latency_s,
                reason=row.reason,
                quote=row.quote,
            )


def _length(text: str | None) -> float | None:
    return None if text is None else len(text)
