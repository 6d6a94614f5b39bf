"""What is wrong with judges before anything is sent, and how each is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.config.live_checks import input_fields
from harness.config.suggest import did_you_mean
from harness.core.chat import ModelRequest
from harness.core.example import EvalSet
from harness.core.pairwise import JudgeSpec, PairwiseSpec
from harness.core.pointwise import RubricSpec
from harness.core.values import Absent, JsonValue
from harness.core.variant import ModelChoice
from harness.errors import Problem
from harness.experiment.components import Components
from harness.judging.criteria import PASSAGES, schema_of_criteria
from harness.judging.verdict import SCHEMA
from harness.ports import Provider

_TOKEN_PARAMS: Mapping[str, JsonValue] = {
    "logprobs": True,
    "top_logprobs": 20,
    "max_output_tokens": 1,
}
"""What a verdict by its token is asked with, where the config says nothing else."""


def asked_model(judge: JudgeSpec) -> ModelChoice:
    """The model as it is asked for verdicts of the judge's form."""
    if judge.verdict != "token":
        return judge.model
    return replace(judge.model, params={**_TOKEN_PARAMS, **judge.model.params})


def schema_of(
    judge: JudgeSpec, provider: Provider, schema: Mapping[str, JsonValue] = SCHEMA
) -> Mapping[str, JsonValue] | None:
    """The schema that the provider is asked to hold replies to; None if it is not, or cannot."""
    if judge.verdict != "json" or not judge.structured:
        return None
    plain = _request(judge, None)
    refused = set(provider.problems(replace(plain, schema=schema))) - set(provider.problems(plain))
    return None if refused else schema


def judge_problems(
    specs: Sequence[PairwiseSpec],
    judges: Components,
    evalset: EvalSet | None,
    rubrics: Sequence[RubricSpec] = (),
) -> Iterator[Problem]:
    """Requests that a judge's model would refuse, and what no example has.

    Args:
        specs: the judged comparisons.
        judges: the judges' providers, as far as they could be built.
        evalset: the set; None where it cannot be read.
        rubrics: the scorers that a model judges for.
    """
    for spec in specs:
        for judge in spec.judges:
            yield from _refused(judge, judges, SCHEMA)
        if evalset is not None:
            yield from _unknown_parts(spec, evalset)
    for rubric in rubrics:
        yield from _refused(rubric.judge, judges, schema_of_criteria(rubric.criteria))
        if evalset is not None and rubric.where:
            asked = [path for path in rubric.show if path != PASSAGES]
            yield from _shown_by_none(asked, rubric.where, evalset)


def _refused(
    judge: JudgeSpec, judges: Components, schema: Mapping[str, JsonValue]
) -> Iterator[Problem]:
    provider = judges.providers.get(judge.model.provider.key)
    if provider is None:
        return
    for what in provider.problems(_request(judge, schema_of(judge, provider, schema))):
        where = judge.model.provider.where()
        yield Problem(where, f"the judge {judge.id}: {judge.model.id}: {what}")


def _request(judge: JudgeSpec, schema: Mapping[str, JsonValue] | None) -> ModelRequest:
    choice = asked_model(judge)
    return ModelRequest(choice.name, (), choice.params, schema=schema, stream=choice.stream)


def _unknown_parts(spec: PairwiseSpec, evalset: EvalSet) -> Iterator[Problem]:
    """Parts of an example that are to be shown and that no example has."""
    from harness.templating.template import field_names

    yield from _shown_by_none(spec.show, spec.place("show"), evalset)
    fields: Collection[str] = input_fields(evalset)
    for judge in spec.judges:
        used = field_names(judge.prompt.text, "input") if judge.prompt and fields else set()
        for name in sorted(used - set(fields)):
            what = f"{judge.prompt.name if judge.prompt else ''}: no input has the field '{name}'"
            yield Problem(judge.where, what, did_you_mean(name, fields))


def _shown_by_none(paths: Sequence[str], where: str, evalset: EvalSet) -> Iterator[Problem]:
    for path in paths:
        if all(_lacks(example.look_up(path)) for example in evalset.examples):
            hint = "show: [input, target], or dotted paths in an example"
            yield Problem(where, f"show: no example has '{path}'", hint)


def _lacks(value: JsonValue | Absent) -> bool:
    return value is None or isinstance(value, Absent)
