"""What a live run will take, told before the first call: calls of models, and dollars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.core.example import Example
from harness.core.pairwise import JudgeSpec
from harness.core.variant import LiveVariant, Shot
from harness.experiment.components import model_choices
from harness.experiment.prepare import Prepared
from harness.experiment.pricing import price_of
from harness.experiment.rubrics import judged_of
from harness.judging.pairs import pairs_of
from harness.planning.forecast import (
    Calls,
    Range,
    Sizes,
    calls_per_trial,
    cost_of_trials,
    shown_passages,
)

_SAMPLE = 500
"""So many prompts are rendered to know their length, of examples spread over the set."""
_COMPLAINT_TOKENS = 500
"""What a rejected answer is sent back with."""


@dataclass(frozen=True, slots=True)
class VariantForecast:
    """One live variant: calls of models in the whole run, retries aside, and their cost.

    `usd_least` and `usd_most` are None where nothing bounds them, or the cost is not known before:
    models without a price are `unpriced`, `usd_per_hour` are those that are paid by the hour.
    """

    id: str
    model: str
    calls_least: int
    calls_most: int
    usd_least: float | None
    usd_most: float | None
    unpriced: tuple[str, ...]
    usd_per_hour: dict[str, float]


def forecasts(ready: Prepared) -> tuple[VariantForecast, ...]:
    """A forecast for every live variant of an experiment that is valid."""
    return tuple(_forecast(variant, ready) for variant in ready.experiment.live)


@dataclass(frozen=True, slots=True)
class JudgeForecast:
    """One judge: the most calls that it gets in the whole run, retries aside.

    Fewer where systems fail, whose answers need no judge, and where verdicts are kept from before.
    `id` is the judged comparison's, or the scorer's.
    """

    id: str
    judge: str
    model: str
    calls_most: int
    unpriced: bool


def judge_forecasts(ready: Prepared) -> tuple[JudgeForecast, ...]:
    """A forecast for every judge that is asked, of pairs of answers and of single ones."""
    experiment, examples = ready.experiment, ready.evalset.examples
    ids = [variant.id for variant in experiment.variants]
    found = []
    for spec in experiment.pairwise:
        n_pairs = len(pairs_of(ids, experiment.baseline, spec.pairs))
        n_orders = 2 if spec.orders == "both" else 1
        n_calls = n_pairs * n_orders * spec.repeats * _n_trials(ready)
        found += [_judge_forecast(spec.id, judge, n_calls, ready) for judge in spec.judges]
    for rubric in judged_of(ready.setup.rubrics, ready.scorers):
        n_selected = sum(rubric.scorer.selects(example) for example in examples)
        n_calls = n_selected * len(ids) * experiment.repeats * rubric.spec.repeats
        found.append(_judge_forecast(rubric.spec.id, rubric.spec.judge, n_calls, ready))
    return tuple(found)


def _judge_forecast(name: str, judge: JudgeSpec, n_calls: int, ready: Prepared) -> JudgeForecast:
    price = price_of(ready.setup.prices, judge.model)
    return JudgeForecast(name, judge.id, judge.model.id, n_calls, price is None)


def _forecast(variant: LiveVariant, ready: Prepared) -> VariantForecast:
    calls, n_trials = calls_per_trial(variant), _n_trials(ready)
    prices = {
        model: price_of(ready.setup.prices, choice)
        for model, choice in model_choices([variant]).items()
    }
    hourly = {
        model: price.usd_per_hour
        for model, price in prices.items()
        if price is not None and price.usd_per_hour is not None
    }
    unpriced = tuple(model for model, price in prices.items() if price is None)
    cost = None if unpriced or hourly else _cost(variant, calls, ready)
    return VariantForecast(
        id=variant.id,
        model=variant.model.id,
        calls_least=calls.least * n_trials,
        calls_most=calls.most * n_trials,
        usd_least=cost.least if cost else None,
        usd_most=cost.most if cost else None,
        unpriced=unpriced,
        usd_per_hour=hourly,
    )


def _n_trials(ready: Prepared) -> int:
    return len(ready.evalset.examples) * ready.experiment.repeats


def _cost(variant: LiveVariant, calls: Calls, ready: Prepared) -> Range | None:
    """Of the whole run; None where a route decides who answers, or no prompt can be known."""
    price = price_of(ready.setup.prices, variant.model)
    examples = ready.evalset.examples
    sample = examples[:: -(-len(examples) // _SAMPLE)]
    prompts = list(_prompt_lengths(variant, sample, []))
    if variant.route or price is None or not prompts:
        return None
    output = variant.model.params.get("max_output_tokens")
    sizes = Sizes(prompts, _added(variant, sample, prompts, output), output)
    cost = cost_of_trials(sizes, calls, price)
    if cost is None:
        return None
    scale = _n_trials(ready) / len(prompts)
    return Range(scale * cost.least, None if cost.most is None else scale * cost.most)


def _added(
    variant: LiveVariant, sample: Sequence[Example], prompts: Sequence[int], output: int | None
) -> int | None:
    """What passages, rejected answers and complaints add to a prompt; None where it is open."""
    one_prompt = variant.tools is None and not (
        variant.fallback or variant.draft or variant.context.compress
    )
    if variant.few_shot and variant.few_shot.select == "nearest":
        return None  # which examples each prompt shows is known when it is made
    rewritten = variant.retrieval is not None and variant.retrieval.rewrite is not None
    if not one_prompt or rewritten:
        return None
    repairs = variant.output.repair
    if repairs and output is None:
        return None
    added = repairs * ((output or 0) + _COMPLAINT_TOKENS)
    if variant.retrieval is None:
        return added
    framed = list(_prompt_lengths(variant, sample, _empty_passages(variant)))
    if variant.context.max_tokens is None or len(framed) != len(prompts):
        return None
    frame = max(n - bare for n, bare in zip(framed, prompts, strict=True))
    return added + variant.context.max_tokens + max(0, frame)


def _empty_passages(variant: LiveVariant) -> list[dict[str, object]]:
    """Passages without text, to know what a template puts around them."""
    from harness.core.passage import Passage
    from harness.system.finding import Ranked

    empty = Passage("a-document-of-some-name#a-section-of-it", "", 1.0, "a-document-of-some-name")
    return [Ranked(rank, empty).shown() for rank in range(1, shown_passages(variant) + 1)]


def _prompt_lengths(
    variant: LiveVariant, examples: Sequence[Example], passages: Sequence[object]
) -> Iterator[int]:
    """Tokens of the prompts that can be rendered before a run."""
    from harness.corpus.tokens import count_tokens
    from harness.system.asking import PromptMessages
    from harness.system.inputs import input_variables
    from harness.templating.template import TemplateError

    prompt, few_shot = PromptMessages(variant.prompt), variant.few_shot
    shots = [_shot(shot) for shot in few_shot.shots[: few_shot.count]] if few_shot else []
    for example in examples:
        known = {**input_variables(example.input), "shots": shots, "passages": passages}
        try:
            messages = prompt.render(known)
        except TemplateError:  # it needs what only a run has
            continue
        yield sum(count_tokens(message.content) for message in messages)


def _shot(shot: Shot) -> dict[str, object]:
    return {"input": dict(shot.input), "output": shot.output}
