"""Verdicts with all that they are read with: panels, labels, lengths, slices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias

import numpy as np

from harness.config.findings import Findings
from harness.config.paths import shown
from harness.config.readers import read_rows
from harness.config.suggest import listed
from harness.config.verdicts import Known, Reading, read_verdicts
from harness.core.example import ALL, Example, slice_members
from harness.core.judging import Judged, JudgmentTable, LengthControl, Panel, TableBuilder
from harness.core.score import FloatArray, IntArray
from harness.core.values import ABSENT, parse_json
from harness.errors import InputError, Problem

Kept: TypeAlias = tuple[Sequence[str], Sequence[Example]]
"""The variants and examples that take part in a run of some of them."""

LABELS = "labels"
"""The panel of people whose votes a file of labels holds."""


def read_judged(
    files: Sequence[Path],
    reading: Reading,
    examples: Sequence[Example] = (),
    variants: Sequence[str] = (),
    baseline: str | None = None,
    kept: Kept | None = None,
) -> Judged:
    """The verdicts of `files`, ready to be analysed.

    Args:
        files: of verdicts.
        reading: how they are read.
        examples: all that there are; none takes those that the files name.
        variants: all that there are; none takes those that the files name.
        baseline: the variant that the others are held against.
        kept: those that take part, where these are not all.

    Raises:
        InputError: with everything that is wrong with them.
    """
    builder = TableBuilder.of(variants, (example.id for example in examples))
    known = Known(
        frozenset(variants) or None, frozenset(example.id for example in examples) or None
    )
    problems: list[Problem] = []
    for path in files:
        found = read_verdicts(path, builder, known, fields=reading.fields, where=reading.where)
        problems += found.problems()
    if problems:
        raise InputError(problems)
    return assembled(builder, reading, examples, baseline, kept)


def assembled(
    builder: TableBuilder,
    reading: Reading,
    examples: Sequence[Example] = (),
    baseline: str | None = None,
    kept: Kept | None = None,
) -> Judged:
    """Verdicts with panels, labels, lengths and slices. Votes of a file of labels join them.

    Raises:
        InputError: with everything that does not fit the verdicts.
    """
    problems: list[Problem] = []
    before = frozenset(builder.judges)
    if isinstance(reading.labels, Path):
        there = Known(frozenset(builder.variants), frozenset(builder.examples))
        found = read_verdicts(reading.labels, builder, there, judge=LABELS)
        problems += found.problems()
    people = frozenset(builder.judges) - before
    table = builder.table()
    if kept is not None:
        variants, examples = kept
        table = table.on(variants, [example.id for example in examples])
    if baseline is not None and baseline not in table.variants:
        known = listed(table.variants)
        problems.append(Problem("", f"the baseline '{baseline}' was not judged", f"known: {known}"))
    labels = None
    if isinstance(reading.labels, str):
        labels = _labels(table, reading.labels, examples, problems)
    control = _length_control(table, reading, examples, problems)
    panels = _panels(table.judges, reading, people, problems)
    if problems:
        raise InputError(problems)
    return Judged(
        table=_with_lengths(table, examples),
        panels=panels,
        slices=_slices(table, examples),
        clusters=_clusters(examples),
        baseline=baseline,
        labels=labels,
        length_control=control,
    )


def _panels(
    judges: Sequence[str], reading: Reading, people: frozenset[str], problems: list[Problem]
) -> tuple[Panel, ...]:
    """The named panels, one for each pattern of people, and every other judge by itself."""
    named: dict[str, tuple[str, ...]] = dict(reading.panels)
    in_panels = {pattern for patterns in named.values() for pattern in patterns}
    for pattern in reading.humans:
        if pattern not in in_panels and pattern not in named:
            named[pattern.rstrip("*").rstrip("_-. ") or pattern] = (pattern,)
    members: dict[str, list[str]] = {}
    free = [judge for judge in judges if judge not in people]
    for name, patterns in named.items():
        members[name] = [j for j in free if any(fnmatchcase(j, p) for p in patterns)]
        if not members[name]:
            hint = f"known: {listed(judges)}"
            problems.append(Problem("", f"no judge is called {' or '.join(patterns)}", hint))
        free = [judge for judge in free if judge not in members[name]]
    members |= {judge: [judge] for judge in free}
    found = [
        Panel(
            id=name,
            judges=tuple(own),
            human=(human := _human(name, own, reading.humans)),
            min_agreement=None if human else reading.min_agreement,
        )
        for name, own in members.items()
    ]
    if people:
        found.append(Panel(LABELS, tuple(j for j in judges if j in people), human=True))
    return tuple(found)


def _human(name: str, members: Iterable[str], patterns: Sequence[str]) -> bool:
    if any(fnmatchcase(name, pattern) for pattern in patterns):
        return True
    return bool(patterns) and all(
        any(fnmatchcase(judge, pattern) for pattern in patterns) for judge in members
    )


def _labels(
    table: JudgmentTable, path: str, examples: Sequence[Example], problems: list[Problem]
) -> IntArray | None:
    """The place of the better variant by example; -1 where the example does not say."""
    places = {name: place for place, name in enumerate(table.variants)}
    found = np.full(len(table.example_ids), -1, dtype=np.int32)
    wrong: list[str] = []
    for place, example in enumerate(examples):
        value = example.look_up(path)
        if value is ABSENT or value is None:
            continue
        if str(value) in places:
            found[place] = places[str(value)]
        else:
            wrong.append(f"{example.id}: {value!r}"[:80])
    if wrong:
        what = f"{len(wrong)} labels at {path} name no judged variant: {listed(wrong, 3)}"
        problems.append(Problem("", what, f"known: {listed(table.variants)}"))
    elif not (found >= 0).any():
        hint = "give the path of a field of the examples, or a file of votes"
        problems.append(Problem("", f"no example has a label at {path}", hint))
    return found


def _length_control(
    table: JudgmentTable, reading: Reading, examples: Sequence[Example], problems: list[Problem]
) -> LengthControl | None:
    if not reading.length_control:
        return None
    if not _lengths_known(_with_lengths(table, examples)):
        hint = "give variant_chars and baseline_chars with every verdict"
        problems.append(Problem("", "no verdict tells the lengths of its answers", hint))
        return None
    difficulty = None
    if reading.difficulty is not None:
        difficulty = _difficulty(reading.difficulty, examples, problems)
    control = LengthControl(difficulty)
    if reading.rows is not None and difficulty is not None:
        places = {example.id: place for place, example in enumerate(examples)}
        control = _regularised(control, reading, places, problems)
    return control


def _lengths_known(table: JudgmentTable) -> bool:
    return bool(np.isfinite(table.first_chars + table.second_chars).any())


def _difficulty(
    path: str, examples: Sequence[Example], problems: list[Problem]
) -> FloatArray | None:
    values = [example.look_up(path) for example in examples]
    wrong = [
        example.id
        for example, value in zip(examples, values, strict=True)
        if isinstance(value, bool) or not isinstance(value, int | float)
    ]
    if wrong or not examples:
        what = f"{path} is a number in {len(examples) - len(wrong)} of {len(examples)} examples"
        problems.append(Problem("", what, f"missing in: {listed(wrong, 3)}" if wrong else ""))
        return None
    return np.array(values, dtype=np.float64)


def _regularised(
    control: LengthControl, reading: Reading, places: Mapping[str, int], problems: list[Problem]
) -> LengthControl:
    """With rows of a pure length change, standardised within each set of them."""
    assert reading.rows is not None  # noqa: S101 (the caller asked)
    findings = Findings(reading.rows)
    sets: dict[str, list[tuple[float, int]]] = {}
    for row in read_rows(reading.rows, findings):
        lengths = [row.values.get(name) for name in ("baseline_chars", "variant_chars")]
        place = places.get(str(row.values.get("id")))
        if place is None or not all(isinstance(length, int | float) for length in lengths):
            what = "a row needs an id of the set, baseline_chars and variant_chars"
            findings.add(row.line, what)
            continue
        baseline, variant = (float(str(length)) for length in lengths)
        sets.setdefault(str(row.values.get("set")), []).append((baseline - variant, place))
    constants = _constants(reading, problems)
    problems += findings.problems()
    if constants is None or not sets or control.difficulty is None:
        return control
    x = [_standardised([difference for difference, _ in rows]) for rows in sets.values()]
    at = [place for rows in sets.values() for _, place in rows]
    (sum_xy, sum_dy), weight = constants
    return LengthControl(
        control.difficulty, np.concatenate(x), control.difficulty[at], sum_xy, sum_dy, weight
    )


def _standardised(differences: Sequence[float]) -> FloatArray:
    values = np.array(differences)
    found: FloatArray = np.tanh(values / values.std(ddof=1))
    return found


def _constants(
    reading: Reading, problems: list[Problem]
) -> tuple[tuple[float, float], float] | None:
    hint = "constants: a JSON file with sum_xy_gamed (two numbers) and lambda_gamed"
    if reading.constants is None:
        problems.append(Problem(shown(reading.rows or Path()), "their sums are not given", hint))
        return None
    try:
        given = parse_json(reading.constants.read_text(encoding="utf-8"))
        sum_xy, sum_dy = map(float, given["sum_xy_gamed"])
        return (sum_xy, sum_dy), float(given["lambda_gamed"]) / 2
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = f"cannot be read: {error}"
        problems.append(Problem(shown(reading.constants), what, hint))
        return None


def _with_lengths(table: JudgmentTable, examples: Sequence[Example]) -> JudgmentTable:
    """With the lengths that examples themselves tell: `chars`, a number for either variant."""
    if _lengths_known(table) or len(table.variants) != 2:
        return table
    chars = np.full((len(table.example_ids), 2), np.nan)
    for place, example in enumerate(examples):
        given = example.metadata.get("chars")
        if isinstance(given, list) and len(given) == 2:
            chars[place] = [float(length) for length in given]
    order = np.argsort(np.argsort(table.variants))  # `1` before `2`, whichever came first
    first, second = order[table.first], order[table.second]
    return replace(
        table,
        first_chars=chars[table.example, first],
        second_chars=chars[table.example, second],
    )


def _slices(table: JudgmentTable, examples: Sequence[Example]) -> dict[str, IntArray]:
    if not examples:
        return {ALL: np.arange(len(table.example_ids), dtype=np.int32)}
    members = slice_members([example.slices for example in examples])
    return {name: np.array(rows, dtype=np.int32) for name, rows in members.items()}


def _clusters(examples: Sequence[Example]) -> IntArray | None:
    codes: dict[str, int] = {}
    keys = (f"c{e.cluster}" if e.cluster is not None else f"e{e.id}" for e in examples)
    coded = np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int32)
    return None if len(codes) == len(examples) else coded
