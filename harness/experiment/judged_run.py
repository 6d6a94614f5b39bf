"""The judged comparisons of an experiment: what was said, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.comparison.judged import judged_comparison
from harness.config.verdicts import Reading
from harness.core.example import Example
from harness.core.experiment import Analysis
from harness.core.judged import JudgedComparison
from harness.core.judging import Judged, JudgmentTable, Panel, TableBuilder
from harness.core.pairwise import PairwiseSpec
from harness.core.values import JsonValue
from harness.errors import InputError, Problem
from harness.experiment.judged_setup import LABELS, Kept, assembled, read_judged


@dataclass(frozen=True, slots=True)
class Panels:
    """One entry of `pairwise:` with its verdicts, its panels named by the entry."""

    id: str
    judged: Judged


def recorded_panels(
    specs: Iterable[PairwiseSpec],
    examples: Sequence[Example],
    variants: Sequence[str],
    baseline: str,
    kept: Kept,
    problems: list[Problem],
) -> tuple[Panels, ...]:
    """The entries whose verdicts were given elsewhere, read; what is wrong goes to `problems`.

    Of the others, files of labels are read to see whether they can be.
    """
    found = []
    for spec in specs:
        files = [] if spec.verdicts is None else [Path(spec.verdicts)]
        if not files and not spec.labels_file:
            continue
        reading = reading_of(spec)
        try:
            if files:
                judged = read_judged(files, reading, examples, variants, baseline, kept)
                found.append(Panels(spec.id, named(spec, judged)))
            else:
                assembled(TableBuilder.of(variants, (e.id for e in examples)), reading, examples)
        except InputError as error:
            where = spec.place("verdicts" if files else "labels")
            problems += [p if p.where else replace(p, where=where) for p in error.problems]
    return tuple(found)


def live_panels(
    specs: Iterable[PairwiseSpec],
    builders: Mapping[str, TableBuilder],
    examples: Sequence[Example],
    baseline: str,
) -> tuple[Panels, ...]:
    """The entries whose judges were asked, with what they said.

    Raises:
        InputError: if labels or lengths do not fit the verdicts.
    """
    return tuple(
        Panels(
            spec.id, named(spec, assembled(builders[spec.id], reading_of(spec), examples, baseline))
        )
        for spec in specs
        if spec.id in builders
    )


def reading_of(spec: PairwiseSpec) -> Reading:
    """How an entry says that its verdicts are read."""
    control = spec.length_control
    labels: str | Path | None = spec.labels
    if labels is not None and spec.labels_file:
        labels = Path(labels)
    return Reading(
        fields=spec.fields,
        where=spec.where,
        panels=spec.panels or ({spec.id: ("*",)} if spec.judges else {}),
        humans=spec.humans,
        labels=labels,
        min_agreement=spec.min_agreement,
        length_control=control is not None,
        difficulty=control.difficulty if control else None,
        rows=Path(control.rows) if control and control.rows else None,
        constants=Path(control.constants) if control and control.constants else None,
    )


def named(spec: PairwiseSpec, judged: Judged) -> Judged:
    """With the entry's id as the name of its one panel, or before those of its several."""
    own = [panel for panel in judged.panels if panel.id != LABELS]
    if len(own) == 1:
        renamed = {own[0].id: spec.id}
    else:
        renamed = {panel.id: f"{spec.id}.{panel.id}" for panel in own}
    renamed[LABELS] = f"{spec.id}.{LABELS}"
    panels = tuple(
        Panel(renamed[panel.id], panel.judges, panel.human, panel.min_agreement)
        for panel in judged.panels
    )
    return replace(judged, panels=panels)


def compared(
    panels: Iterable[Panels], analysis: Analysis, facts: Iterable[Mapping[str, JsonValue]] = ()
) -> JudgedComparison:
    """What all entries come to; `facts` of judges that were asked are told with their figures."""
    parts = [judged_comparison(one.judged, analysis) for one in panels]
    asked: dict[str, Mapping[str, Any]] = {str(fact["id"]): fact for fact in facts}
    return JudgedComparison(
        pairwise=tuple(one for part in parts for one in part.pairwise),
        rankings=tuple(one for part in parts for one in part.rankings),
        judges=tuple(
            one.model_copy(update=_asked(asked.get(one.judge)))
            for part in parts
            for one in part.judges
        ),
        agreements=tuple(one for part in parts for one in part.agreements),
        judge_usd={
            name: sum(part.judge_usd.get(name, 0.0) for part in parts)
            for name in dict.fromkeys(name for part in parts for name in part.judge_usd)
        },
        warnings=tuple(text for part in parts for text in part.warnings),
    )


def _asked(facts: Mapping[str, Any] | None) -> dict[str, str]:
    """Models and prompts of the judges that were asked."""
    judges = facts["judges"] if facts else ()
    return {
        "model": ", ".join(judge["model"] for judge in judges),
        "prompt_sha256": ", ".join(judge["prompt_sha256"] for judge in judges),
    }


def tables_of(panels: Iterable[Panels]) -> dict[str, JudgmentTable]:
    """All verdicts by the id of their entry."""
    return {one.id: one.judged.table for one in panels}


def panel_facts(panels: Iterable[Panels], specs: Iterable[PairwiseSpec]) -> list[JsonValue]:
    """What a manifest says of them, so that verdicts can be analysed again with more labels."""
    found = {one.id: one.judged for one in panels}
    return [
        {
            "id": spec.id,
            "panels": [
                {**asdict(panel), "judges": list(panel.judges)} for panel in found[spec.id].panels
            ],
            "labels": None if spec.labels_file else spec.labels,
        }
        for spec in specs
        if spec.id in found
    ]
