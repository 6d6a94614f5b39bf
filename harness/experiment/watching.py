"""The fixed request that a run's services are watched with, and what is said of a drift."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

from harness.core.chat import Message
from harness.core.record import Stage
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant, ModelChoice, Prompt, Subtask, Template
from harness.execution.sentinel import Ask, Sentinel
from harness.experiment.ended import EndedTrials
from harness.ports import Pacer, Timer
from harness.system.asking import Asker, Question
from harness.system.calls import service
from harness.system.log import TrialLog
from harness.system.parts import Parts

_WORDS = "Reply with one word: ready"
_MAX_OUTPUT_TOKENS = 16
"""The least that all providers take."""


def sentinel_of(
    variants: Iterable[LiveVariant], parts: Parts, pacer: Pacer, timer: Timer, ended: EndedTrials
) -> Sentinel:
    """A sentinel of every model that answers for a variant and is asked over a network.

    It goes on from the measurements that the run's journal has, on the run's clock.
    """
    asks: dict[str, Ask] = {}
    for variant in variants:
        choice = variant.model
        provider = parts.providers[choice.provider.key]
        if not getattr(provider, "in_process", False):
            asks[service(choice.provider, choice.name)] = _ask(choice, parts, pacer, timer)
    before = measured(ended.journal.events)
    return replace(before, asks=asks, now_s=ended.now_s, keep=ended.measured)


def measured(events: Iterable[Mapping[str, Any]]) -> Sentinel:
    """What the fixed request has told so far, by the events of a run's journal; asks nothing."""
    found = Sentinel({})
    for event in events:
        if event["event"] == "resumed":
            found.reconnect()
        elif event["event"] == "sentinel":
            found.add(event["route"], event["at_s"], event["latency_s"], event["cost_usd"])
    return found


def samples_of(sentinel: Sentinel) -> dict[str, JsonValue]:
    """Its measurements, for the manifest."""
    return {route: [list(sample) for sample in found] for route, found in sentinel.samples.items()}


def _ask(choice: ModelChoice, parts: Parts, pacer: Pacer, timer: Timer) -> Ask:
    params = {"max_output_tokens": _MAX_OUTPUT_TOKENS}
    cheap = replace(choice, params=params, stream=False)
    prompt = Prompt(None, Template("sentinel", _WORDS))
    asker = Asker(Subtask(cheap, prompt), replace(parts, cache=None), pacer)
    question = Question((Message("user", _WORDS),))

    async def ask() -> tuple[float | None, float | None]:
        ended = await asker.call(TrialLog(timer, 0), Stage.GENERATE, question)
        step = ended.steps[-1]
        return None if ended.error else step.latency_s, step.cost_usd

    return ask


def drift_warnings(sentinel: Sentinel, p50_s: Mapping[str, float]) -> Iterator[str]:
    """Services that drifted more than the median latencies of two variants differ, in seconds."""
    for route, (first_s, last_s) in sentinel.drifts_s().items():
        drift_s = abs(last_s - first_s)
        pairs = [
            f"{a} and {b}"
            for a, b in combinations(p50_s, 2)
            if 0 < abs(p50_s[a] - p50_s[b]) < drift_s
        ]
        if pairs:
            yield (
                f"{route} drifted: a fixed request took {first_s * 1000:.4g} ms at first and "
                f"{last_s * 1000:.4g} ms at the end, more than the p50 of {', '.join(pairs)} differ"
            )
