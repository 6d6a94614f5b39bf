"""`harness show`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import say

if TYPE_CHECKING:
    from harness.core.example import Example
    from harness.core.record import Record, Trace
    from harness.core.run import RunData

_MOST_CHARACTERS = 250_000
"""Of one text of a step: all that a run keeps of it."""


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or a run's name.")],
    example_id: Annotated[str, typer.Argument(metavar="EXAMPLE_ID", help="The example's id.")],
) -> None:
    """Print one example with every variant's answer, scores and steps."""
    from harness.config.suggest import did_you_mean
    from harness.errors import InputError, Problem
    from harness.experiment.frames import load_run

    found = load_run(run)
    examples = {example.id: index for index, example in enumerate(found.data.examples)}
    if example_id not in examples:
        hint = did_you_mean(example_id, examples)
        raise InputError(Problem(str(found.path), f"no example {example_id!r}", hint))
    say("\n".join(_lines(found.data, examples[example_id])))


def _lines(run: RunData, index: int) -> Iterator[str]:
    example = run.examples[index]
    yield f"example {example.id}"
    yield from _example_lines(example)
    for variant in run.scores.variants:
        for record in run.records:
            if record.example_id == example.id and record.variant == variant:
                yield ""
                yield from _record_lines(run, index, record)


def _example_lines(example: Example) -> Iterator[str]:
    if example.slices:
        yield "slices: " + ", ".join(f"{name}={value}" for name, value in example.slices.items())
    if example.cluster is not None:
        yield f"cluster: {example.cluster}"
    yield from _block("input", example.input)
    yield from _block("target", example.target)
    yield from _block("evidence", None if example.evidence is None else list(example.evidence))
    yield from _block("tool calls", _calls(example.tool_calls))
    if example.abstain is not None:
        yield f"should abstain: {'yes' if example.abstain else 'no'}"


def _record_lines(run: RunData, index: int, record: Record) -> Iterator[str]:
    from harness.core.record import Answer, Failure
    from harness.reporting import formats

    several = run.scores.n_repeats > 1
    title = f"variant {record.variant}" + (f", repeat {record.repeat}" if several else "")
    facts = [record.status.value.replace("_", " ")]
    if isinstance(record.outcome, Failure):
        facts[0] += f" ({record.outcome.error_kind})"
    if record.latency_s is not None:
        facts.append(formats.seconds(record.latency_s))
    if record.cost_usd is not None:
        facts.append(formats.dollars(record.cost_usd))
    yield f"{title}: {', '.join(facts)}"
    if isinstance(record.outcome, Answer):
        yield from _block("output", record.outcome.output)
    else:
        yield from _block("message", record.outcome.message or None)
    yield from _block("evidence", None if record.evidence is None else list(record.evidence))
    yield from _block("tool calls", _calls(record.tool_calls))
    yield from _score_lines(run, index, record)
    if record.trace is not None:
        yield from _trace_lines(record.trace, run.examples[index])


def _trace_lines(trace: Trace, example: Example) -> Iterator[str]:
    """A live trial's steps in order, each with what it was asked and gave."""
    from harness.reporting.steps import step_rows, trace_facts

    yield f"steps: {trace_facts(trace)}"
    for reason in trace.rejections:
        yield from _indented("  ", f"rejected: {reason}")
    rows = step_rows(trace, example.evidence or (), _MOST_CHARACTERS)
    for number, row in enumerate(rows, start=1):
        yield f"  {number}. {row.name}: {row.took}"
        for title, text in row.texts:
            yield f"       {title}:"
            yield from _indented("         ", text)


def _indented(margin: str, text: str) -> Iterator[str]:
    yield from (f"{margin}{line}" for line in text.split("\n"))


def _score_lines(run: RunData, index: int, record: Record) -> Iterator[str]:
    slot = (run.scores.variants.index(record.variant), index, record.repeat)
    for scores in run.scores.metrics:
        value = float(scores.value[slot])
        if math.isnan(value):
            why = scores.reasons[scores.reason[slot] - 1]
            word = "unscored" if why.applicable else "does not apply"
            yield f"  {scores.metric.id}: {word}: {why.reason}"
            continue
        explanation = scores.explanation.get(slot)
        yield f"  {scores.metric.id}: {value:g}" + (f"  ({explanation})" if explanation else "")


def _calls(calls: Any) -> list[Any] | None:
    if calls is None:
        return None
    return [{"name": call.name, "arguments": dict(call.arguments)} for call in calls]


def _block(title: str, value: Any) -> Iterator[str]:
    """A titled value, indented; nothing for None."""
    if value is None:
        return
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    lines = text.split("\n") if text else ['""']
    if len(lines) == 1 and len(lines[0]) < 80:
        yield f"{title}: {lines[0]}"
        return
    yield f"{title}:"
    yield from (f"    {line}" for line in lines)
