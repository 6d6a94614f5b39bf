"""The scorers of an experiment that a model judges for: read, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.config.experiment import Draft
from harness.config.judging import read_rubric_judge
from harness.core.pointwise import RubricSpec
from harness.errors import Problem
from harness.experiment.marking import Judged
from harness.ports import Scorer
from harness.registry import asks_judge, judged_scorers


def rubrics_of(
    draft: Draft, scorers: Iterable[Scorer], problems: list[Problem]
) -> tuple[RubricSpec, ...]:
    """Every such scorer whose judge can be read; what is wrong with judges goes to `problems`.

    Of a scorer whose other options are wrong, which is told elsewhere, there is the judge alone.

    Args:
        draft: the experiment.
        scorers: those whose options are right.
        problems: gets what is wrong.
    """
    built = {scorer.id: scorer for scorer in judged_scorers(scorers)}
    found = []
    for entry in draft.scorers:
        if not asks_judge(entry.use):
            continue
        judge = read_rubric_judge(entry.source, entry.at, entry.id, problems)
        if judge is None:
            continue
        scorer = built.get(entry.id)
        if scorer is None:
            found.append(RubricSpec(entry.id, judge, {}, ()))
            continue
        where = entry.where("show") if "show" in entry.options else ""
        show = tuple(scorer.show)
        found.append(
            RubricSpec(entry.id, judge, dict(scorer.criteria), show, scorer.repeats, where)
        )
    return tuple(found)


def judged_of(rubrics: Sequence[RubricSpec], scorers: Iterable[Scorer]) -> list[Judged]:
    """The scorers that a model judges for, each with how it is asked."""
    built = {scorer.id: scorer for scorer in judged_scorers(scorers)}
    return [Judged(spec, built[spec.id]) for spec in rubrics]
