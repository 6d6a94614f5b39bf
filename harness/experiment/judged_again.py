"""A finished run's verdicts, analysed again with what people have said since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.judging import Judged, JudgmentTable, Panel, TableBuilder
from harness.core.label import Label
from harness.core.run import RunData
from harness.experiment.judged_run import Panels
from harness.experiment.judged_setup import clusters_of, labels_at, slices_of

REVIEW = "review"
"""The panel of those who used `harness review`, and the entry of a run that has no other."""


def panels_of(
    run: RunData, labels: Sequence[Label] = (), baseline: str | None = None
) -> tuple[Panels, ...]:
    """The judged comparisons of a run, with reviewers' labels as a panel of people in each.

    A run without judges has one of its reviewers alone. `baseline` is the variant that the others
    are held against, by default the run's own.
    """
    run_baseline = run.comparison.baseline if baseline is None else baseline
    facts: Mapping[str, Any] = {one["id"]: one for one in run.manifest.get("pairwise", ())}
    found = [
        _panels(run, name, table, facts[name], labels, run_baseline)
        for name, table in run.judgments.items()
    ]
    if labels and not found:
        empty = TableBuilder.of(run.scores.variants, run.scores.example_ids).table()
        facts = {"panels": (), "labels": None}
        found = [_panels(run, REVIEW, empty, facts, labels, run_baseline)]
    return tuple(found)


def _panels(
    run: RunData,
    name: str,
    table: JudgmentTable,
    facts: Mapping[str, Any],
    labels: Sequence[Label],
    baseline: str,
) -> Panels:
    panels = [Panel(**{**panel, "judges": tuple(panel["judges"])}) for panel in facts["panels"]]
    if labels:
        table = with_labels(table, labels)
        reviewers = tuple(dict.fromkeys(reviewer_of(label) for label in labels))
        own = REVIEW if name == REVIEW else f"{name}.{REVIEW}"
        panels.append(Panel(own, reviewers, human=True))
    path = facts["labels"]
    return Panels(
        name,
        Judged(
            table=table,
            panels=tuple(panels),
            slices=slices_of(run.examples, table),
            clusters=clusters_of(run.examples),
            baseline=baseline,
            labels=None if path is None else labels_at(table, path, run.examples, []),
        ),
    )


def reviewer_of(label: Label) -> str:
    """A reviewer's name as a judge: no model is called so."""
    return f"reviewer {label.reviewer}"


def with_labels(table: JudgmentTable, labels: Sequence[Label]) -> JudgmentTable:
    """A table with reviewers' labels as further rows."""
    builder = TableBuilder.of(table.variants, table.example_ids)
    builder.judges.update((judge, place) for place, judge in enumerate(table.judges))
    for label in labels:
        if label.example in builder.examples and set(label.pair) <= builder.variants.keys():
            builder.add(
                label.example,
                reviewer_of(label),
                label.pair,
                label.p_second,
                swapped=int(label.swapped),
                repeat=label.repeat,
                quote=label.comment,
            )
    return table.followed_by(builder.table())
