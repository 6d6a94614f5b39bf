"""A system under test whose models, services and clock are all in the test's hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from harness.core.chat import (
    Completion,
    GaveUpError,
    RequestedCall,
    ServiceError,
    ToolSpec,
)
from harness.core.passage import Passage, Ranking
from harness.core.record import Usage
from harness.core.tools import ToolResult
from harness.core.variant import (
    Component,
    LiveVariant,
    ModelChoice,
    Prompt,
    Rerank,
    Retrieval,
    Rule,
    Subtask,
    Template,
    Tools,
    ToolUse,
)
from harness.ports import Paced
from harness.system.parts import Parts
from harness.system.system import System

NOTHING = MappingProxyType({})


class VirtualTimer:
    """Time that moves only while all sleep; sleeps at once pass at once."""

    def __init__(self):
        self._now_s = 100.0
        self._wakes = []

    def now_s(self):
        return self._now_s

    async def sleep(self, seconds):
        wake_s = self._now_s + seconds
        self._wakes.append(wake_s)
        while self._now_s < wake_s:
            for _ in range(50):  # let every other task come to its own sleep
                await asyncio.sleep(0)
            if self._now_s < wake_s == min(self._wakes):
                self._now_s = wake_s
        self._wakes.remove(wake_s)


class PlainPacer:
    """A pacer without limits; a failed attempt is made again `retries` times, after `pause_s`."""

    def __init__(self, timer, *, retries=0, pause_s=0.0, queue_s=0.0):
        self._timer, self._retries = timer, retries
        self._pause_s, self._queue_s = pause_s, queue_s
        self.routes = []

    async def run(self, route, attempt, own_s=None, n_tokens=0):
        self.routes.append(route)
        asked_s = self._timer.now_s()
        await self._timer.sleep(self._queue_s)
        queue_s = self._timer.now_s() - asked_s
        retry_wait_s = 0.0
        made = 0
        while True:
            made += 1
            start_s = self._timer.now_s()
            try:
                value = await attempt()
            except ServiceError as error:
                if not error.retryable or made > self._retries:
                    retry_wait_s += self._timer.now_s() - start_s
                    raise GaveUpError(
                        error, attempts=made, queue_s=queue_s, retry_wait_s=retry_wait_s
                    ) from error
                await self._timer.sleep(self._pause_s)
                retry_wait_s += self._timer.now_s() - start_s
            else:
                took_s = self._timer.now_s() - start_s
                return Paced(value, took_s, made, queue_s, retry_wait_s)


def says(text="", *calls, **more):
    """A completion; `calls` are (name, arguments' text)."""
    asked = tuple(RequestedCall(f"c{n}", *call) for n, call in enumerate(calls, start=1))
    reason = "tool_calls" if calls else "stop"
    usage = more.pop("usage", Usage(10, 0, 5, 0, 0))
    more.setdefault("finish_reason", reason)
    return Completion(text, asked, usage=usage, latency_s=0.0, **more)


class Script:
    """A provider that answers by a script: completions, texts, errors or functions of the request.

    The last line is said for ever. Each answer takes `latency_s` of the timer.
    """

    identity = NOTHING

    def __init__(self, timer, *lines, latency_s=1.0):
        self.timer, self.latency_s = timer, latency_s
        self.lines = list(lines)
        self.requests = []

    def problems(self, request):
        return []

    async def open(self):
        pass

    async def complete(self, request):
        self.requests.append(request)
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        await self.timer.sleep(self.latency_s)
        if callable(line):
            line = line(request)
        if isinstance(line, ServiceError):
            raise line
        return says(line) if isinstance(line, str) else line

    async def close(self):
        pass


@dataclass
class Shelf:
    """A retriever that gives the same passages for every query."""

    timer: VirtualTimer
    passages: tuple
    cost_usd: float | None = 0.0
    embed_s: float | None = None
    latency_s: float = 0.5
    error: ServiceError | None = None
    queries: list = field(default_factory=list)
    needs_corpus = False
    identity = NOTHING

    async def open(self, chunks, cache):
        pass

    async def retrieve(self, query):
        self.queries.append(query)
        await self.timer.sleep(self.latency_s)
        if self.error:
            raise self.error
        return Ranking(self.passages, self.cost_usd, self.embed_s)

    async def close(self):
        pass


@dataclass
class Backwards:
    """A reranker that turns the order round; `extra` it makes up."""

    timer: VirtualTimer
    cost_usd: float | None = 0.25
    extra: tuple = ()
    asked: list = field(default_factory=list)
    identity = NOTHING

    async def open(self):
        pass

    async def rerank(self, query, passages, limit):
        self.asked.append((query, passages, limit))
        await self.timer.sleep(0.25)
        found = [replace(p, score=float(n)) for n, p in enumerate(passages)][::-1]
        return Ranking((*self.extra, *found), self.cost_usd)

    async def close(self):
        pass


@dataclass
class Workbench:
    """A toolbox of functions from arguments to a result."""

    timer: VirtualTimer
    functions: dict
    latency_s: float = 0.125
    calls: list = field(default_factory=list)
    identity = NOTHING

    def specs(self):
        return tuple(ToolSpec(name, "", {"type": "object"}) for name in self.functions)

    @property
    def names(self):
        return tuple(self.functions)

    def problems(self):
        return ()

    async def open(self):
        return self.specs()

    async def call(self, name, arguments):
        self.calls.append((name, arguments))
        await self.timer.sleep(self.latency_s)
        result = self.functions[name](arguments)
        return result if isinstance(result, ToolResult) else ToolResult(str(result))

    async def close(self):
        pass


MAIN = ModelChoice(Component("scripted", {"name": "main"}), "model-1")
SMALL = ModelChoice(Component("scripted", {"name": "small"}), "model-2")


def template(text, name="t.j2"):
    return Template(name, text)


def prompt(user="{{ input.question }}", system=None):
    return Prompt(template(system, "system.j2") if system else None, template(user, "user.j2"))


def subtask(user, model=SMALL):
    return Subtask(model, prompt(user))


def rule(expression, name="rule", message=""):
    return Rule(name, template(expression), message=message)


SHELF = Retrieval(Component("shelf"), None, top_k=20)
RERANK = Rerank(Component("backwards"), top_k=5)
BENCH = Component("bench")


def tools(**more):
    return Tools((ToolUse(BENCH),), **more)


def variant(id="v", user="{{ input.question }}", *, system=None, model=MAIN, **more):
    return LiveVariant(id, model, prompt(user, system), {}, "f", **more)


def passage(id, text, score=None, **more):
    return Passage(id, text, score, **more)


class Rig:
    """Fakes put together: `lines` are what the main model says, `small` what the other one."""

    def __init__(self, *lines, small=("",), found=(), functions=None, rules=None, **more):
        self.timer = VirtualTimer()
        self.pacer = PlainPacer(self.timer, **more.pop("pacer", {}))
        self.main, self.small = Script(self.timer, *lines), Script(self.timer, *small)
        self.shelf = Shelf(self.timer, tuple(found))
        self.backwards = Backwards(self.timer)
        self.bench = Workbench(self.timer, functions or {})
        self.parts = Parts(
            providers={MAIN.provider.key: self.main, SMALL.provider.key: self.small},
            retrievers={SHELF.key: self.shelf, **more.pop("retrievers", {})},
            rerankers={RERANK.reranker.key: self.backwards},
            toolboxes={BENCH.key: self.bench},
            tools={BENCH.key: self.bench.specs()},
            functions=rules or {},
            cost_usd=more.pop("cost_usd", lambda choice, usage: 1.0),
            count_tokens=lambda text: len(text.split()),
            **more,
        )

    def system(self, variant):
        return System(variant, self.parts, self.pacer, self.timer)

    def answer(self, variant, given=None, repeat=0, **more):
        """The record of one trial."""
        given = {"question": "why?"} if given is None else given
        return asyncio.run(self.system(variant).answer("e1", given, repeat, **more))


def stages(record):
    return [step.stage.value for step in record.trace.steps]


def steps(record, stage):
    return [step for step in record.trace.steps if step.stage.value == stage]


def step(record, stage):
    (found,) = steps(record, stage)
    return found
