"""Whether a budget can be kept at all: the cost of every call must be bounded beforehand."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.variant import ModelChoice
from harness.errors import InputError, Problem
from harness.experiment.judge_checks import asked_model
from harness.experiment.prepare import Prepared
from harness.experiment.pricing import price_of


def check_budget(ready: Prepared, budget_usd: float | None) -> None:
    """Make sure that a run with a budget knows what a call can cost.

    Raises:
        InputError: naming every model without a price or a limit of its answers.
    """
    if budget_usd is None:
        return
    problems = dict.fromkeys(_problems(ready))
    if problems:
        raise InputError(problems)


def _problems(ready: Prepared) -> Iterator[Problem]:
    where = "--budget-usd"
    for name, choice in _asked(ready):
        price = price_of(ready.setup.prices, choice)
        if price is None:
            hint = "give one in configs/prices/NAME.yaml, or leave the budget away"
            yield Problem(where, f"no price is known for {choice.id}", hint)
        elif price.usd_per_hour is not None:
            yield Problem(where, f"{choice.id} is paid by the hour, not by the call")
        elif choice.params.get("max_output_tokens") is None:
            hint = f"set params.max_output_tokens of {name}"
            yield Problem(where, f"nothing bounds the length of answers of {choice.id}", hint)


def _asked(ready: Prepared) -> Iterator[tuple[str, ModelChoice]]:
    for variant in ready.experiment.live:
        for inner in variant.variants():
            for name, task in inner.subtasks():
                yield f"{inner.id}: {name}", task.model
    for spec in ready.experiment.pairwise:
        for judge in spec.judges:
            yield f"the judge {judge.id}", asked_model(judge)
    for rubric in ready.setup.rubrics:
        yield f"the judge of {rubric.id}", rubric.judge.model
