"""A trial's steps in words, for the page's drill-down and for `harness show`.

What a step did is in its `detail`, which a model, a document or a tool may have written: it is
turned into titled texts of bounded size, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from harness.core.record import Stage, Step, Trace
from harness.core.values import JsonValue, as_text
from harness.reporting import formats
from harness.reporting.text import one_line

MOST_CHARACTERS = 20_000
"""Of one text of one step on the page; `harness show` prints more."""
PAGE_CHARACTERS = 60_000_000
"""Of all steps' texts on one page: it stays a file that can be sent and opened."""
LEFT_OUT = "prompts and results are left out here to keep the page small; harness show prints them"
_MOST_TEXTS = 60
_SHORT = 80
_SILENT = ("call_id",)


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step: what it was, what it took, and what it did as (title, text)."""

    name: str
    took: str
    texts: tuple[tuple[str, str], ...]


def trace_facts(trace: Trace) -> str:
    """How a trial came to its outcome, in one line; empty where there is nothing to tell."""
    facts = [
        f"routed to {one_line(trace.routed_to)}" if trace.routed_to else "",
        f"output {one_line(trace.validation)} validation" if trace.validation else "",
        f"{formats.plural(trace.repairs, 'repair')}" if trace.repairs else "",
        f"{one_line(trace.fallback_used)} answered instead" if trace.fallback_used else "",
        f"served by {one_line(trace.served_model)}" if trace.served_model else "",
        "" if trace.ttft_s is None else f"first token after {formats.seconds(trace.ttft_s)}",
        f"{formats.plural(trace.calls, 'call')}" if trace.calls else "",
        *_waits(trace.attempts - trace.calls, trace.queue_s, trace.retry_wait_s),
    ]
    return " · ".join(fact for fact in facts if fact)


def step_rows(
    trace: Trace, wanted: Collection[str] = (), most_characters: int = MOST_CHARACTERS
) -> tuple[StepRow, ...]:
    """Every step in order; passages that are `wanted` (the example's evidence) are marked."""
    return tuple(_row(step, wanted, most_characters) for step in trace.steps)


def _row(step: Step, wanted: Collection[str], most_characters: int) -> StepRow:
    by = f" ({one_line(step.variant)})" if step.variant else ""
    usage = step.usage
    took = [
        formats.seconds(step.latency_s),
        "" if step.cost_usd == 0 else f"cost {formats.dollars(step.cost_usd)}",
        f"{usage.prompt_tokens:,} tokens in" if usage and usage.prompt_tokens is not None else "",
        f"{usage.completion_tokens:,} out" if usage and usage.completion_tokens is not None else "",
        *_waits(step.attempts - 1, step.queue_s, step.retry_wait_s),
        *_short_facts(step),
    ]
    texts = [
        (title, _cut(text, most_characters))
        for title, text in islice(_texts(step, wanted), _MOST_TEXTS)
    ]
    return StepRow(f"{step.stage.value}{by}", " · ".join(t for t in took if t), tuple(texts))


def _waits(retries: int, queue_s: float, retry_wait_s: float) -> tuple[str, ...]:
    again = "retry" if retries == 1 else "retries"
    return (
        f"{formats.count(retries)} {again}, {formats.seconds(retry_wait_s)}" if retries > 0 else "",
        f"waited {formats.seconds(queue_s)} for a place" if queue_s >= 0.001 else "",
    )


def _short_facts(step: Step) -> Iterator[str]:
    """What is said in a few words: the model, a tool's name, why the model stopped."""
    for key, value in step.detail.items():
        if _is_short(step.stage, key, value):
            yield f"{_words(key)} {one_line(as_text(value), _SHORT)}"


def _texts(step: Step, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    """What takes more room: messages one by one, passages as a ranked list, the rest as JSON."""
    for key, value in step.detail.items():
        if value is None or key in _SILENT or _is_short(step.stage, key, value):
            continue
        if key == "messages" and _are_mappings(value):
            yield from (_message(message) for message in value)
        elif key in ("passages", "dropped") and _are_mappings(value):
            yield key, "\n".join(_passage(entry, wanted) for entry in value) or "none"
        elif key == "calls" and _are_mappings(value):
            yield "asks for tools", "\n".join(map(_call, value))
        elif isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            yield _words(key), "\n".join(value) or "none"
        elif key == "error" and isinstance(value, Mapping):
            yield key, ": ".join(as_text(part) for part in value.values())
        else:
            yield _words(key), as_text(value) or "(empty)"


def _words(name: str) -> str:
    """A field's name as a title."""
    return _title(name[:_SHORT])


@lru_cache(maxsize=1024)
def _title(name: str) -> str:
    """As `_words`; the same few come over and over."""
    return one_line(name.replace("_", " "))


def _is_short(stage: Stage, key: str, value: JsonValue) -> bool:
    """Whether a value fits the step's own line; what a model or a tool said stands apart."""
    if key in _SILENT or key == "text" or (stage is Stage.TOOL and key == "result"):
        return False
    if isinstance(value, str):
        return 0 < len(value) <= _SHORT and "\n" not in value
    return isinstance(value, int | float)


def _are_mappings(value: JsonValue) -> bool:
    return isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)


def _message(message: Mapping[str, JsonValue]) -> tuple[str, str]:
    text = as_text(message.get("content", ""))
    calls = message.get("calls") or []
    if _are_mappings(calls):
        text = "\n".join([*([text] if text else []), *map(_call, calls)])
    return _words(f"{as_text(message.get('role', ''))} message"), text


def _passage(passage: Mapping[str, JsonValue], wanted: Collection[str]) -> str:
    """`1. returns#refunds  score 12.3  ✓ wanted`."""
    name = one_line(as_text(passage.get("id", "")), 200)
    rest = [
        f"{_words(key)} {_short(value)}"
        for key, value in passage.items()
        if key not in ("id", "rank", "sections") and value is not None
    ]
    sections = passage.get("sections")
    found = {name, *(sections if isinstance(sections, list) else ())}
    rank = f"{passage['rank']}. " if isinstance(passage.get("rank"), int) else ""
    mark = ["✓ wanted"] if any(one in found for one in wanted) else []
    return "  ".join([f"{rank}{name}", *rest, *mark])


def _short(value: JsonValue) -> str:
    return formats.number(value) if isinstance(value, float) else one_line(as_text(value), _SHORT)


def _call(call: Mapping[str, JsonValue]) -> str:
    name, arguments = as_text(call.get("name", "")), as_text(call.get("arguments", ""))
    return f"{one_line(name)}({arguments})"


def _cut(text: str, most_characters: int = MOST_CHARACTERS) -> str:
    hidden = len(text) - most_characters
    if hidden <= 0:
        return text
    return f"{text[:most_characters]}\n… {formats.count(hidden)} more characters"


class TraceBlocks:
    """Traces as the page carries them, until their texts have filled the page's share of it.

    From then on the steps have names and times alone, and say where the rest is.
    """

    def __init__(self, most_characters: int = PAGE_CHARACTERS) -> None:
        self._left = most_characters

    def of(self, trace: Trace, wanted: Collection[str]) -> tuple[list[JsonValue], int]:
        """`[facts, rejections, [[name, took, [[title, text], ...]], ...]]`, and its size."""
        rows = step_rows(trace, wanted)
        size = sum(len(text) for row in rows for _, text in row.texts)
        facts = trace_facts(trace)
        self._left -= size
        if size and self._left < 0:
            rows = tuple(StepRow(row.name, row.took, ()) for row in rows)
            facts += f" · {LEFT_OUT}"
            size = 0
        steps = [[row.name, row.took, [list(text) for text in row.texts]] for row in rows]
        return [facts, [_cut(reason) for reason in trace.rejections], steps], size
