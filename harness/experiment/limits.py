"""Whether `execution.limits` names services that the experiment asks."""

from __future__ import annotations

from collections.abc import Iterator

from harness.config.experiment import Draft, Experiment
from harness.config.suggest import did_you_mean
from harness.errors import Problem
from harness.experiment.components import model_choices, uses


def limit_problems(draft: Draft) -> Iterator[Problem]:
    """Names of limits that nothing is asked by; what cannot be told for other mistakes is not.

    Variants that `--variants` leaves out count too.
    """
    experiment = draft.experiment
    if experiment is None:
        return
    known = sorted(dict.fromkeys(_asked(experiment)))
    for name in experiment.execution.limits:
        if name not in known:
            where = draft.source.where(("execution", "limits", name), key=True)
            what = f"no live variant or judge asks a service '{name}', so nothing is limited"
            yield Problem(where, what, did_you_mean(name, known))


def _asked(experiment: Experiment) -> Iterator[str]:
    """Models by `provider/model`; providers, search engines and rerankers by their names."""
    yield from model_choices(experiment.live)
    for variant in experiment.live:
        for use in uses(variant):
            if use.kind != "tool":
                yield use.component.use
    for spec in experiment.pairwise:
        for judge in spec.judges:
            yield judge.model.id
            yield judge.model.provider.use
