"""Recordings: what a system answered, read from a file, every trial accounted for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from harness.config.findings import Findings
from harness.config.readers import is_textual, read_rows
from harness.config.rows import Columns, RowError, identifier, identifiers, kind, tool_calls
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
from harness.core.values import JsonValue, fingerprint, look_up

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
_ERROR_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_MISSING_HINT = (
    'add a line for each; {"id": ..., "error": "..."} counts as a failure of the infrastructure'
)


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
    findings = Findings(variant.file)
    records, lines = _read(variant, evalset, findings)
    if records or not findings.count:
        _check_complete(records, lines, evalset, findings)
    findings.raise_if_any()
    numbers = {n: i for i, n in enumerate(sorted({record.repeat for record in records.values()}))}
    if repeats is not None and len(numbers) != repeats:
        what = f"the recording holds {len(numbers)} repeats, the experiment says {repeats}"
        findings.add_whole(what, f"repeats: {len(numbers)}")
        findings.raise_if_any()
    return [
        replace(records[example.id, number], repeat=index)
        for example in evalset.examples
        for number, index in numbers.items()
    ]


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


def _read(
    variant: RecordedVariant, evalset: EvalSet, findings: Findings
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
    for line, row in read_rows(variant.file, findings):
        n_rows += 1
        try:
            example_id = identifier(look_up(row, variant.fields.get("id", "id")), "the id")
            lines.setdefault(example_id, []).append(line)
            ours = columns.ours(row)
            record = _record(variant.id, example_id, ours)
        except RowError as error:
            findings.add(line, str(error), error.hint)
            continue
        key = (record.example_id, record.repeat)
        if key in records:
            _doubled(key, places[key], line, findings, stated="repeat" in ours)
            continue
        records[key] = record
        places[key] = line
    if not n_rows and not findings.count:
        findings.add_whole("the recording is empty")
    for name, source in columns.unseen.items() if n_rows else ():
        findings.add_whole(f"no row has the field '{source}' that `fields` takes as {name}")
    known = {example.id for example in evalset.examples}
    foreign = [example_id for example_id in lines if example_id not in known]
    if foreign:
        named = listed(f"{example_id} (line {lines[example_id][0]})" for example_id in foreign)
        what = f"{_ids(foreign)} not in the eval set '{evalset.name}': {named}"
        findings.add_whole(what, _nearest(foreign[0], known), line=lines[foreign[0]][0])
    return records, lines


def _doubled(
    key: tuple[str, int], first: int, line: int, findings: Findings, *, stated: bool
) -> None:
    example_id, repeat = key
    if stated:
        findings.add(line, f"the id '{example_id}', repeat {repeat}, is already on line {first}")
        return
    hint = "for repeats, number them: `repeat: 0, 1 ...`, or name the field that does: " + (
        "recorded: {file: ..., fields: {repeat: NAME}}"
    )
    findings.add(line, f"the id '{example_id}' is already on line {first}", hint)


def _check_complete(
    records: Mapping[tuple[str, int], Record],
    lines: Mapping[str, list[int]],
    evalset: EvalSet,
    findings: Findings,
) -> None:
    """Every example of the set must have every repeat that any of them has.

    Nothing is said of the repeats of an example with a line that cannot be read or stands twice.
    """
    missing = [example.id for example in evalset.examples if example.id not in lines]
    if missing:
        what = f"{_ids(missing)} missing from the recording: {listed(missing)}"
        findings.add_whole(what, _MISSING_HINT)
    ids = [example.id for example in evalset.examples]
    n_read = Counter(example_id for example_id, _ in records)
    whole = [key for key in ids if n_read[key] == len(lines.get(key, ())) > 0]
    known = frozenset(ids)
    for number in sorted({repeat for example_id, repeat in records if example_id in known}):
        without = [example_id for example_id in whole if (example_id, number) not in records]
        if without:
            what = f"repeat {number} is missing for {_ids(without, verb=False)}: {listed(without)}"
            findings.add_whole(what, _MISSING_HINT, line=lines[without[0]][0])


def _record(variant: str, example_id: str, row: dict[str, JsonValue]) -> Record:
    usage, rest = _usage(row.get("usage"))
    metadata = row["metadata"]
    if rest:
        metadata = {**metadata, "usage": rest}
    return Record(
        variant=variant,
        example_id=example_id,
        repeat=_count(row.get("repeat"), "repeat", signed=True) or 0,
        outcome=_outcome(row),
        path=AnswerPath.RECORDED,
        latency_s=_amount(row.get("latency_s"), "latency_s"),
        cost_usd=_amount(row.get("cost_usd"), "cost_usd"),
        usage=usage,
        metadata=metadata,
    )


def _outcome(row: Mapping[str, JsonValue]) -> Outcome:
    """An answer, or whose fault it is that there is none."""
    status, error, output = row.get("status"), row.get("error"), row.get("output")
    if status is not None and status not in list(Status):
        hint = did_you_mean(str(status), Status)
        raise RowError(f"the status must be one of {listed(Status)}", hint)
    if error is not None and error != "":
        if status == Status.OK:
            raise RowError("the status is ok, but there is an error")
        return _failure(error, infrastructure=status != Status.SYSTEM_FAILURE)
    if status is not None and status != Status.OK:
        return Failure(status == Status.INFRASTRUCTURE_FAILURE, "unspecified")
    calls = tool_calls(row.get("tool_calls"), strict=False)
    evidence = identifiers(row.get("evidence"), "evidence")
    if output is None and calls:
        output = ""  # a chat completion that calls tools has no content: the calls are the answer
    if output is None:
        return Failure(infrastructure=False, error_kind="no_answer")
    return Answer(output, calls, evidence)


def _failure(error: JsonValue, *, infrastructure: bool) -> Failure:
    """A failure from text, of which a single word is its kind, or from {kind, message}."""
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


def _usage(value: JsonValue) -> tuple[Usage, dict[str, JsonValue]]:
    """The tokens, and what else the recording says about usage."""
    if value is None:
        return Usage(), {}
    if not isinstance(value, dict):
        raise RowError(f"usage must be an object, not {kind(value)}")
    rest = dict(value)
    counts = []
    for names in _USAGE_NAMES:
        name = next((name for name in names if rest.get(name) is not None), names[0])
        counts.append(_count(rest.pop(name, None), f"usage.{name}"))
    return Usage(*counts), rest


def _count(value: JsonValue, what: str, *, signed: bool = False) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RowError(f"{what} must be a whole number, not {kind(value)}")
    if value < 0 and not signed:
        raise RowError(f"{what} must not be negative: {value}")
    if abs(value) > _MAX_COUNT:
        raise RowError(f"{what} must be at most {_MAX_COUNT}")
    return value


def _amount(value: JsonValue, what: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RowError(f"{what} must be a number, not {kind(value)}")
    if value < 0:
        raise RowError(f"{what} must not be negative: {value}")
    return float(value)


def _ids(ids: Iterable[str], *, verb: bool = True) -> str:
    count = len(list(ids))
    noun = "1 id" if count == 1 else f"{count} ids"
    return f"{noun} {'is' if count == 1 else 'are'}" if verb else noun


def _nearest(example_id: str, known: Iterable[str]) -> str:
    hint = did_you_mean(example_id, known)
    return hint if hint.startswith("did you mean") else ""
