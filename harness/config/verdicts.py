"""Verdicts that were given elsewhere on pairs of answers: every row of a file accounted for.

A row names its example (`id`), its `judge`, two answers and a verdict, in one of these ways:

* `model_a`, `model_b` and `winner`: `model_a`, `model_b`, a name of one of them, `tie`, or null;
* `baseline`, `variant` and `p_variant`: how sure the judge is of the variant, 0 to 1, or null;
* `better`: 1, 2, `tie` or null, for answers that have no names but these numbers;
* `winner`, `loser` and `count`: votes that nobody assigned to examples.

`swapped` tells whether the second answer was shown first; `repeat` numbers verdicts on the same
answers, `turn` is that of a conversation. Null is a verdict that could not be read: it is counted,
and scored by nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.config.findings import Findings
from harness.config.readers import Row, is_textual, read_rows
from harness.config.rows import Columns, Mistakes, RowError, identifier, kind
from harness.config.suggest import did_you_mean
from harness.core.judging import UNKNOWN_ORDER, TableBuilder
from harness.core.values import JsonValue

_FIELDS = (
    "id", "judge", "model_a", "model_b", "winner", "loser", "count", "baseline", "variant",
    "p_variant", "better", "swapped", "repeat", "turn", "variant_chars", "baseline_chars",
    "judge_cost_usd", "judge_time_s", "quote", "metadata",
)  # fmt: skip
_TEXTS = ("id", "judge", "model_a", "model_b", "winner", "loser", "baseline", "variant", "quote")
_ONE, _OTHER = "1", "2"
_MAX_COUNT = 1_000_000
_PAIR_HINT = "name the answers: model_a and model_b, or baseline and variant, or better: 1 or 2"
_REPEAT_HINT = "number verdicts on the same pair: repeat: 0, 1 ..."


@dataclass(frozen=True, slots=True)
class Known:
    """What verdicts may be about; None takes whatever a file names."""

    variants: Collection[str] | None = None
    examples: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How verdicts are to be read.

    `panels` are names and patterns of the judges whose verdicts count as one, `humans` patterns of
    judges who are people. `labels` is a file of votes, or a dotted path in every example. `fields`
    rename, `where` chooses rows. The last four are for win rates at equal lengths.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    panels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    humans: tuple[str, ...] = ()
    labels: str | Path | None = None
    min_agreement: float | None = None
    length_control: bool = False
    difficulty: str | None = None
    rows: Path | None = None
    constants: Path | None = None


@dataclass(slots=True)
class _Row:
    """One verdict as its row tells it."""

    example: str
    judge: str
    pair: tuple[str, str]
    p_second: float | None
    flipped: bool = False
    swapped: int = UNKNOWN_ORDER
    repeat: int = 0
    turn: int = 0
    count: int = 1
    chars: tuple[float | None, float | None] = (None, None)
    cost_usd: float | None = None
    latency_s: float | None = None
    quote: str = ""


def read_verdicts(
    path: Path,
    builder: TableBuilder,
    known: Known,
    *,
    fields: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
    judge: str = "",
) -> Findings:
    """Add a file's verdicts to `builder`; returns all that is wrong with it.

    Args:
        path: the file (.jsonl, .csv or .parquet).
        builder: gets the verdicts.
        known: the variants and examples that there are.
        fields: our name of a field: the file's.
        where: only rows whose field is this text, such as `turn: "1"`.
        judge: who gave verdicts that name no judge; by default the file's name.
    """
    findings = Findings(path)
    columns = Columns(
        fields or {}, nested=("metadata",), known=_FIELDS, textual=is_textual(path), texts=_TEXTS
    )
    seen: dict[tuple[object, ...], int] = {}
    n_rows = 0
    for number, row in enumerate(read_rows(path, findings)):
        if any(_text(row.values.get(name)) != value for name, value in (where or {}).items()):
            continue
        n_rows += 1
        wrong = Mistakes()
        found = _verdict(columns.ours(row.values, wrong), wrong, judge or path.stem, number)
        if found is not None:
            _check_known(found, known, wrong)
            _check_once(found, row, seen, wrong)
        wrong.tell(row, columns, findings)
        if found is not None and not wrong and row.sound:
            _add(builder, found)
    if not n_rows and not findings.count:
        what = "the file is empty" if not where else f"no row has {dict(where)}"
        findings.add_whole(f"there are no verdicts: {what}")
    return findings


def _add(builder: TableBuilder, row: _Row) -> None:
    for number in range(row.count):
        builder.add(
            row.example if row.count == 1 else f"{row.example}-{number + 1}",
            row.judge,
            row.pair,
            row.p_second,
            flipped=row.flipped,
            swapped=row.swapped,
            repeat=row.repeat,
            turn=row.turn,
            chars=row.chars,
            cost_usd=row.cost_usd,
            latency_s=row.latency_s,
            quote=row.quote,
        )


def _verdict(
    ours: Mapping[str, JsonValue], wrong: Mistakes, judge: str, number: int
) -> _Row | None:
    """The row's verdict; None where too little of it can be read."""
    counted = "loser" in ours
    given = f"vote-{number + 1}" if counted and "id" not in ours else ours.get("id", "")
    example = wrong.check("id", identifier, given, "the id")
    by = wrong.check("judge", identifier, ours.get("judge", judge), "the judge")
    pair = wrong.check("variant", _pair, ours)
    if example is None or by is None or pair is None:
        return None
    read = wrong.check("winner", _preference, ours, pair)
    swapped = wrong.check("swapped", _swapped, ours.get("swapped"))
    repeat = wrong.check("repeat", _whole, ours.get("repeat"), "repeat")
    turn = wrong.check("turn", _whole, ours.get("turn"), "turn")
    count = wrong.check("count", _whole, ours.get("count", 1), "count")
    chars = tuple(
        wrong.check(name, _amount, ours.get(name), name)
        for name in ("baseline_chars", "variant_chars")
    )
    cost = wrong.check("judge_cost_usd", _amount, ours.get("judge_cost_usd"), "judge_cost_usd")
    time = wrong.check("judge_time_s", _amount, ours.get("judge_time_s"), "judge_time_s")
    p_second, flipped = read or (None, False)
    quote = ours.get("quote")
    return _Row(
        example, by, pair, p_second, flipped, UNKNOWN_ORDER if swapped is None else swapped,
        repeat or 0, turn or 0, count or 0, (chars[0], chars[1]), cost, time,
        quote if isinstance(quote, str) else "",
    )  # fmt: skip


def _pair(ours: Mapping[str, JsonValue]) -> tuple[str, str]:
    """The two answers' names, in the row's order."""
    for one, other in (("model_a", "model_b"), ("baseline", "variant"), ("loser", "winner")):
        if one in ours and other in ours:
            return identifier(ours[one], one), identifier(ours[other], other)
    if "better" not in ours:
        raise RowError("two answers are not named", _PAIR_HINT, "winner")
    return _ONE, _OTHER


def _preference(
    ours: Mapping[str, JsonValue], pair: tuple[str, str]
) -> tuple[float | None, bool] | None:
    """How sure the judge is of the second, and whether two orders are said to have disagreed."""
    if "loser" in ours:
        return 1.0, False
    if "p_variant" in ours:
        return _probability(ours["p_variant"]), False
    if "winner" not in ours and "better" not in ours:
        raise RowError("the verdict is missing", "winner, p_variant or better; null if unread")
    given = ours.get("winner", ours.get("better"))
    if given is None:
        return None, False
    said = _text(given)
    if said == "tie" or said.startswith("tie ("):
        return 0.5, "inconsistent" in said
    if said in ("model_a", _ONE, pair[0]):
        return 0.0, False
    if said in ("model_b", _OTHER, pair[1]):
        return 1.0, False
    hint = f"one of {pair[0]}, {pair[1]}, model_a, model_b, tie; null if unread"
    raise RowError(f"the winner {said[:60]!r} is none of the two", hint)


def _probability(value: JsonValue) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        what = f"p_variant must be a number from 0 to 1, not {kind(value)}"
        raise RowError(what, "", "p_variant")
    if not 0 <= value <= 1:
        raise RowError(f"p_variant must be from 0 to 1, not {value}", "", "p_variant")
    return float(value)


def _swapped(value: JsonValue) -> int:
    if value is None:
        return UNKNOWN_ORDER
    if isinstance(value, bool) or value in (0, 1):
        return int(value)
    raise RowError(f"swapped must be true or false, not {kind(value)}")


def _whole(value: JsonValue, name: str) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_COUNT:
        raise RowError(f"{name} must be a whole number from 0 to {_MAX_COUNT:,}")
    return value


def _amount(value: JsonValue, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise RowError(f"{name} must be a number that is not negative")
    return float(value)


def _check_known(row: _Row, known: Known, wrong: Mistakes) -> None:
    if known.examples is not None and row.example not in known.examples:
        hint = did_you_mean(row.example, known.examples)
        wrong.append(RowError(f"the example '{row.example}' is not in the eval set", hint, "id"))
    for name in row.pair if known.variants is not None else ():
        if name not in (known.variants or ()):
            hint = did_you_mean(name, known.variants or ())
            wrong.append(RowError(f"'{name}' is no variant", hint, "variant"))


def _check_once(row: _Row, line: Row, seen: dict[tuple[object, ...], int], wrong: Mistakes) -> None:
    """Note a verdict given twice. One on the pair turned round is another vote, with a number."""
    key = (row.judge, row.example, row.pair, row.swapped, row.repeat, row.turn)
    if key in seen:
        what = f"'{row.judge}' has judged this pair before, on line {seen[key]}"
        wrong.append(RowError(what, _REPEAT_HINT, "id"))
    seen.setdefault(key, line.line)
    turned = (row.judge, row.example, row.pair[::-1], row.swapped, row.repeat, row.turn)
    if row.swapped == UNKNOWN_ORDER and turned in seen:
        row.repeat += 1


def _text(value: JsonValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)
