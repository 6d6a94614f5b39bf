"""What differs between variants, and what owning them takes, as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.core import factors
from harness.core.values import JsonValue
from harness.reporting.figures import Figures
from harness.reporting.formats import plural
from harness.reporting.parts import FactorRow
from harness.reporting.text import one_line

_MAX_VALUE = 200
_NAMED = 4


def factor_rows(figures: Figures) -> Iterator[FactorRow]:
    """A row per factor, parts that some variant lacks in one; comparison.json has every value.

    A recorded variant may not state a factor; a live one that has no value for it does without.
    """
    baseline = figures.comparison.baseline
    live = {entry.variant for entry in figures.comparison.operations}
    absent = {v: "none" if v in live else "not stated" for v in figures.variants}
    for name, by_variant in factors.rows(figures.comparison.factors, figures.variants):
        usual = by_variant.get(baseline)
        values = [by_variant.get(variant) for variant in figures.variants]
        yield FactorRow(
            name=one_line(name),
            values=tuple(
                absent[variant] if value is None else _written(value)
                for variant, value in zip(figures.variants, values, strict=True)
            ),
            differs=tuple(value != usual for value in values),
        )


def owning_rows(manifest: Mapping[str, JsonValue], figures: Figures) -> Iterator[FactorRow]:
    """A row per figure of owning the systems that some variant states; nothing is compared."""
    stated = {
        facts["id"]: facts.get("operations") or {}
        for facts in manifest.get("variants", ())
        if facts.get("id") in figures.variants
    }
    of_each = [stated.get(variant, {}) for variant in figures.variants]
    for name in dict.fromkeys(name for figures_of in of_each for name in figures_of):
        values = [figures_of.get(name) for figures_of in of_each]
        yield FactorRow(
            name=one_line(name),
            values=tuple("not stated" if value is None else _written(value) for value in values),
            differs=(False,) * len(values),
        )


def differing(rows: Sequence[FactorRow]) -> str:
    """The table in one line: `7 factors differ: model, system_template, ...`."""
    names = [row.name for row in rows if not row.is_held]
    if not names:
        return "no factor differs"
    more = ", ..." if len(names) > _NAMED else ""
    verb = "differs" if len(names) == 1 else "differ"
    return f"{plural(len(names), 'factor')} {verb}: {', '.join(names[:_NAMED])}{more}"


def _written(value: JsonValue) -> str:
    return one_line(factors.short(value, _MAX_VALUE), _MAX_VALUE)
