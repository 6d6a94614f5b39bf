"""Recordings: what a system answered, read from a file, every trial accounted for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.config.findings import Findings
from harness.config.readers import is_textual, read_rows
from harness.config.rows import (
    Columns,
    Mistakes,
    RowError,
    identifier,
    identifiers,
    kind,
    tool_calls,
)
from harness.config.suggest import did_you_mean, listed
from harness.config.variant import RecordedVariant
from harness.core.example import EvalSet
from harness.core.experiment import VariantFacts
from harness.core.record import (
    Answer,
    AnswerPath,
    Failure,
    Outcome,
    Record,
    Status,
    Usage,
)
from harness.core.values import JsonValue, ToolCall, fingerprint, look_up
from harness.errors import Problem

_FIELDS = (
    "id", "output", "repeat", "latency_s", "cost_usd", "error", "status", "usage", "tool_calls",
    "evidence", "metadata",
)  # fmt: skip
_NESTED = ("usage", "metadata")
_TEXTS = ("id", "output", "error", "status", "metadata")
_USAGE_NAMES = (
    ("prompt_tokens", "input_tokens"),
    ("cached_prompt_tokens",),
    ("completion_tokens", "output_tokens"),
)
_MAX_COUNT = 2**63 - 1  # what a column of the run's tables holds
MAX_AMOUNT = 1e12
"""The largest latency in seconds and cost in dollars that is believed."""
_ERROR_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_NO_ANSWER = Failure(infrastructure=False, error_kind="no_answer")
_MISSING_HINT = (
    'add a line for each; {"id": ..., "error": "..."} counts as a failure of the infrastructure'
)


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids that every recording has to hold, in order, and all that it may hold.

    They are the same for a set that is as it was frozen. `known` is None where a broken set does
    not tell.
    """

    set_name: str
    required: tuple[str, ...]
    known: frozenset[str] | None


def load_records(
    variant: RecordedVariant, evalset: EvalSet, repeats: int | None = None
) -> list[Record]:
    """A variant's records in the order of the set's examples, then of repeats.

    Repeats are numbered from 0 in the order of the numbers that the recording gives them.

    Args:
        variant: the variant and its file.
        evalset: the set that it answered.
        repeats: how many repeats the recording must hold; None takes what there is.

    Raises:
        InputError: listing everything that is wrong: rows that cannot be read, ids that are
            missing, doubled or not in the set, repeats that some examples lack.
    """
    ids = tuple(example.id for example in evalset.examples)
    records, findings = _checked(variant, Ids(evalset.name, ids, frozenset(ids)), repeats)
    findings.raise_if_any()
    numbers = _numbers(records)
    return [
        replace(records[example_id, number], repeat=index)
        for example_id in ids
        for index, number in enumerate(numbers)
    ]


def record_problems(
    variant: RecordedVariant, ids: Ids, repeats: int | None = None
) -> list[Problem]:
    """What is wrong with a recording, as far as a set that is itself wrong can tell."""
    return _checked(variant, ids, repeats)[1].problems()


def variant_facts(variant: RecordedVariant, recorded_sha256: str) -> VariantFacts:
    """What is known of a recorded variant; its fingerprint covers the recording's content.

    Args:
        variant: the variant.
        recorded_sha256: the hash of the file that its records were read from.
    """
    defined = {
        "recorded_sha256": recorded_sha256,
        "fields": dict(variant.fields),
        "facts": variant.facts,
    }
    return VariantFacts(variant.id, fingerprint(defined), dict(variant.facts), variant.label)


def n_repeats(count: int) -> str:
    """`1 repeat`, `3 repeats`."""
    return f"{count} repeat" if count == 1 else f"{count} repeats"


def _checked(
    variant: RecordedVariant, ids: Ids, repeats: int | None
) -> tuple[dict[tuple[str, int], Record], Findings]:
    findings = Findings(variant.file)
    records, lines = _read(variant, findings)
    _check_known(lines, ids, findings)
    if records or not findings.count:
        _check_complete(records, lines, ids.required, findings)
    numbers = _numbers(records)
    if repeats is not None and not findings.count and len(numbers) != repeats:
        what = f"the recording holds {n_repeats(len(numbers))}, the experiment says {repeats}"
        findings.add_whole(what, f"repeats: {len(numbers)}")
    return records, findings


def _numbers(records: Mapping[tuple[str, int], Record]) -> list[int]:
    return sorted({repeat for _, repeat in records})


def _read(
    variant: RecordedVariant, findings: Findings
) -> tuple[dict[tuple[str, int], Record], dict[str, list[int]]]:
    """Records by (id, repeat), and the lines of every id, usable or not."""
    columns = Columns(
        variant.fields,
        nested=_NESTED,
        known=_FIELDS,
        textual=is_textual(variant.file),
        texts=_TEXTS,
    )
    records: dict[tuple[str, int], Record] = {}
    places: dict[tuple[str, int], int] = {}
    lines: dict[str, list[int]] = {}
    n_rows = 0
    for row in read_rows(variant.file, findings):
        n_rows += 1
        wrong = Mistakes()
        given = look_up(row.values, variant.fields.get("id", "id"))
        example_id = wrong.check("id", identifier, given, "the id")
        if example_id is None:
            findings.n_lost += 1
        else:
            lines.setdefault(example_id, []).append(row.line)
        ours = columns.ours(row.values, wrong)
        record = _record(variant.id, example_id or "", ours, wrong)
        key = (record.example_id, record.repeat)
        if not wrong and key in records:
            wrong.append(_doubled(key, places[key], stated="repeat" in ours))
        wrong.tell(row, columns, findings)
        if not wrong and row.sound:
            records[key] = record
            places[key] = row.line
    if not n_rows and not findings.count:
        findings.add_whole("the recording is empty")
    for name, source in columns.unseen.items() if n_rows else ():
        findings.add_whole(f"no row has the field '{source}' that `fields` takes as {name}")
    return records, lines


def _check_known(lines: Mapping[str, list[int]], ids: Ids, findings: Findings) -> None:
    if ids.known is None:
        return
    foreign = [example_id for example_id in lines if example_id not in ids.known]
    if foreign:
        named = listed(f"{example_id} (line {lines[example_id][0]})" for example_id in foreign)
        what = f"{_ids(foreign)} not in the eval set '{ids.set_name}': {named}"
        findings.add_whole(what, _nearest(foreign[0], ids.known), line=lines[foreign[0]][0])


def _doubled(key: tuple[str, int], first: int, *, stated: bool) -> RowError:
    example_id, repeat = key
    if stated:
        return RowError(f"the id '{example_id}', repeat {repeat}, is already on line {first}")
    hint = "for repeats, number them: `repeat: 0, 1 ...`, or name the field that does: " + (
        "recorded: {file: ..., fields: {repeat: NAME}}"
    )
    return RowError(f"the id '{example_id}' is already on line {first}", hint, "id")


def _check_complete(
    records: Mapping[tuple[str, int], Record],
    lines: Mapping[str, list[int]],
    ids: Sequence[str],
    findings: Findings,
) -> None:
    """Every example of the set must have every repeat that any of them has.

    Nothing is said of the repeats of an example with a line that cannot be read or stands twice,
    nor of missing ids that rows without a readable id may hold.
    """
    missing = [example_id for example_id in ids if example_id not in lines]
    if len(missing) > findings.n_lost:
        what = f"{_ids(missing)} missing from the recording: {listed(missing)}"
        findings.add_whole(what, _MISSING_HINT)
    n_read = Counter(example_id for example_id, _ in records)
    whole = [key for key in ids if n_read[key] == len(lines.get(key, ())) > 0]
    known = frozenset(ids)
    if findings.n_lost:  # one of those rows may be the repeat
        return
    for number in sorted({repeat for example_id, repeat in records if example_id in known}):
        without = [example_id for example_id in whole if (example_id, number) not in records]
        if without:
            what = f"repeat {number} is missing for {_ids(without, verb=False)}: {listed(without)}"
            findings.add_whole(what, _MISSING_HINT, line=lines[without[0]][0])


def _record(variant: str, example_id: str, row: dict[str, JsonValue], wrong: Mistakes) -> Record:
    """The trial in a row; what is wrong with it is added to `wrong`, and is None here."""
    usage, rest = _usage(row.get("usage"), wrong)
    metadata = row["metadata"]
    repeat = wrong.check("repeat", _count, row.get("repeat"), "repeat")
    if rest:
        metadata = {**metadata, "usage": rest}
    return Record(
        variant=variant,
        example_id=example_id,
        repeat=repeat or 0,
        outcome=_outcome(row, wrong),
        path=AnswerPath.RECORDED,
        latency_s=wrong.check("latency_s", _amount, row.get("latency_s"), "latency_s"),
        cost_usd=wrong.check("cost_usd", _amount, row.get("cost_usd"), "cost_usd"),
        usage=usage,
        metadata=metadata,
    )


def _outcome(row: Mapping[str, JsonValue], wrong: Mistakes) -> Outcome:
    """An answer, or whose fault it is that there is none."""
    error, output = row.get("error"), row.get("output")
    status = wrong.check("status", _status, row.get("status"))
    if error is not None and error != "":
        return wrong.check("error", _failure, error, status) or _NO_ANSWER
    if status is not None and status is not Status.OK:
        return Failure(status is Status.INFRASTRUCTURE_FAILURE, "unspecified")
    calls = wrong.check("tool_calls", _calls, row.get("tool_calls"))
    evidence = wrong.check("evidence", identifiers, row.get("evidence"), "evidence")
    if output is None and calls:
        output = ""  # a chat completion that calls tools has no content: the calls are the answer
    return _NO_ANSWER if output is None else Answer(output, calls, evidence)


def _status(value: JsonValue) -> Status | None:
    if value is None:
        return None
    if value not in list(Status):
        hint = did_you_mean(str(value), Status)
        raise RowError(f"the status must be one of {listed(Status)}", hint)
    return Status(value)


def _calls(value: JsonValue) -> tuple[ToolCall, ...] | None:
    return tool_calls(value, strict=False)


def _failure(error: JsonValue, status: Status | None) -> Failure:
    """A failure from text, of which a single word is its kind, or from {kind, message}."""
    if status is Status.OK:
        raise RowError("the status is ok, but there is an error")
    infrastructure = status is not Status.SYSTEM_FAILURE
    if isinstance(error, str):
        if _ERROR_WORD.fullmatch(error):
            return Failure(infrastructure, error)
        return Failure(infrastructure, "error", error)
    if not isinstance(error, dict):
        raise RowError(f"error must be text or {{kind, message}}, not {kind(error)}")
    name, message = error.get("kind", "error"), error.get("message", "")
    if not isinstance(name, str) or not isinstance(message, str):
        raise RowError("an error's kind and message must be text")
    return Failure(infrastructure, name, message)


def _usage(value: JsonValue, wrong: Mistakes) -> tuple[Usage, dict[str, JsonValue]]:
    """The tokens, and what else the recording says about usage."""
    rest = dict(wrong.check("usage", _usage_map, value) or {})
    counts = []
    for names in _USAGE_NAMES:
        name = next((name for name in names if rest.get(name) is not None), names[0])
        place = f"usage.{name}"
        counts.append(wrong.check(place, _count, rest.pop(name, None), place))
    return Usage(*counts), rest


def _usage_map(value: JsonValue) -> dict[str, JsonValue]:
    if value is not None and not isinstance(value, dict):
        raise RowError(f"usage must be an object, not {kind(value)}")
    return value or {}


def _count(value: JsonValue, what: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        given = f"{value:g}" if isinstance(value, float) else kind(value)
        raise RowError(f"{what} must be a whole number, not {given}")
    if value < 0:
        raise RowError(f"{what} must not be negative: {value:g}")
    if value > _MAX_COUNT:
        raise RowError(f"{what} must be at most {_MAX_COUNT}")
    return value


def _amount(value: JsonValue, what: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RowError(f"{what} must be a number, not {kind(value)}")
    if value < 0:
        raise RowError(f"{what} must not be negative: {value:g}")
    if value > MAX_AMOUNT:
        raise RowError(f"{what} must be at most {MAX_AMOUNT:g}, not {value:g}")
    return float(value)


def _ids(ids: Iterable[str], *, verb: bool = True) -> str:
    count = len(list(ids))
    noun = "1 id" if count == 1 else f"{count} ids"
    return f"{noun} {'is' if count == 1 else 'are'}" if verb else noun


def _nearest(example_id: str, known: Iterable[str]) -> str:
    hint = did_you_mean(example_id, known)
    return hint if hint.startswith("did you mean") else ""
