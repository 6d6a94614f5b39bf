"""What a live run will take, told before the first call: calls of models, and dollars."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from harness.core.variant import LiveVariant, Shot
from harness.experiment.prepare import Prepared
from harness.experiment.pricing import price_of
from harness.planning.forecast import CallSize, Range, calls_per_trial, cost_per_call

_SAMPLE = 20
"""Prompts that are rendered to know their length."""


@dataclass(frozen=True, slots=True)
class VariantForecast:
    """One live variant: calls of models in the whole run, and dollars; None where open or unknown.

    The least cost is that of the prompts without passages, at one call each; the most counts every
    tool round, repair and fallback at the longest prompt and answer.
    """

    id: str
    model: str
    calls_least: int
    calls_most: int | None
    usd_least: float | None
    usd_most: float | None


def forecasts(ready: Prepared) -> tuple[VariantForecast, ...]:
    """A forecast for every live variant of an experiment that is valid."""
    n_trials = len(ready.evalset.examples) * ready.experiment.repeats
    return tuple(_forecast(variant, n_trials, ready) for variant in ready.experiment.live)


def _forecast(variant: LiveVariant, n_trials: int, ready: Prepared) -> VariantForecast:
    calls = calls_per_trial(variant) * n_trials
    per_call = cost_per_call(_size(variant, ready), price_of(ready.setup.prices, variant.model))
    one_model = len({task.model.id for v in variant.variants() for _, task in v.subtasks()}) == 1
    return VariantForecast(
        id=variant.id,
        model=variant.model.id,
        calls_least=int(calls.least),
        calls_most=None if calls.most is None else int(calls.most),
        usd_least=None if per_call is None else _least(variant, n_trials, per_call),
        usd_most=_most(calls, per_call) if one_model else None,
    )


def _least(variant: LiveVariant, n_trials: int, per_call: Range) -> float:
    """One call per trial, but none where a route may lead elsewhere."""
    return 0.0 if variant.route else n_trials * per_call.least


def _most(calls: Range, per_call: Range | None) -> float | None:
    if per_call is None or per_call.most is None or calls.most is None:
        return None
    return calls.most * per_call.most


def _size(variant: LiveVariant, ready: Prepared) -> CallSize:
    from harness.corpus.tokens import count_tokens
    from harness.system.asking import PromptMessages
    from harness.system.inputs import input_variables
    from harness.templating.template import TemplateError

    prompt = PromptMessages(variant.prompt)
    few_shot = variant.few_shot
    shots = [_shot(shot) for shot in few_shot.shots[: few_shot.count]] if few_shot else []
    lengths = []
    for example in islice(ready.evalset.examples, _SAMPLE):
        try:
            messages = prompt.render({**input_variables(example.input), "shots": shots})
        except TemplateError:  # it needs passages or checks, which only a run has
            continue
        lengths.append(sum(count_tokens(message.content) for message in messages))
    output_most = variant.model.params.get("max_output_tokens")
    if not lengths:
        return CallSize(0, None, output_most)
    return CallSize(
        sum(lengths) / len(lengths), _longest(variant, max(lengths), output_most), output_most
    )


def _longest(variant: LiveVariant, without_passages: int, output_most: int | None) -> int | None:
    """The longest prompt, with its passages and with rejected answers sent back; None: open."""
    if variant.tools is not None or variant.route or variant.fallback or variant.draft:
        return None
    repairs = variant.output.repair
    if repairs and output_most is None:
        return None
    passages = 0
    if variant.retrieval is not None:
        if variant.context.max_tokens is None:
            return None
        passages = variant.context.max_tokens
    return without_passages + passages + repairs * (output_most or 0)


def _shot(shot: Shot) -> dict[str, object]:
    return {"input": dict(shot.input), "output": shot.output}
