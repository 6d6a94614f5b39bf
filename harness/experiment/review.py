"""From what a user asks for to a review that can be served."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.config.findings import Findings
from harness.config.judging_models import RubricFile
from harness.config.readers import read_rows
from harness.config.rows import RowError, identifier
from harness.config.suggest import did_you_mean
from harness.core.run import RunData
from harness.core.values import look_up
from harness.errors import InputError, Problem
from harness.experiment.clock import SystemClock
from harness.review.items import Item, items_of
from harness.review.queue import by_worth
from harness.review.rubric import Rubric
from harness.review.session import Review, WrongRequestError, reviewer_name
from harness.storage.find import find_run
from harness.storage.labels import LABELS, LabelFile
from harness.storage.run_folder import load_run


@dataclass(frozen=True, slots=True)
class ReviewOptions:
    """What can be asked for; None leaves it to the run, or to the page."""

    reviewer: str | None = None
    pair: str | None = None
    examples: Path | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A review, the file that its labels go to, and how many examples had nothing to judge."""

    review: Review
    path: Path
    n_left_out: int


def open_review(run: str, options: ReviewOptions) -> Opened:
    """The review of a finished run.

    Raises:
        InputError: if there is no such run, it is not finished or was changed, its folder cannot be
            written, its labels are damaged, or what is asked of it is not in it.
    """
    folder = find_run(run)
    data = load_run(folder)
    if "baseline_name" in data.manifest:
        hint = "review the run that it was saved from"
        raise InputError(Problem(str(folder), "a baseline holds no answers to look at", hint))
    reviewer = None if options.reviewer is None else _reviewer(options.reviewer)
    pair = _pair(data, options.pair)
    items = items_of(data, pair)
    if not items:
        what = f"no example has an answer of both {pair[0]} and {pair[1]}"
        raise InputError(Problem(str(folder), what, "run them again, or give another --pair"))
    labels = LabelFile(folder / LABELS)
    labels.require_writable()
    labels.read()
    seed = _seed(data) if options.seed is None else options.seed
    ids = tuple(example.id for example in data.examples)
    if options.examples is None:
        queue = by_worth(items, data.examples, data.scores, _primary(data), pair, seed)
        n_left_out = len(ids) - len(queue)
    else:
        asked = _asked_for(options.examples, ids)
        known = {item.id: item for item in items}
        queue = tuple(known[id_] for id_ in asked if id_ in known)
        n_left_out = len(asked) - len(queue)
        _require(queue, options.examples)
    review = Review(
        pair, queue, ids, rubric_of(data), seed, labels, SystemClock(), reviewer=reviewer
    )
    return Opened(review, labels.path, n_left_out)


def rubric_of(run: RunData) -> Rubric:
    """The first rubric that the run's config has for judged comparisons, else the default one."""
    entries = look_up(run.manifest, "config.document.pairwise")
    for entry in entries if isinstance(entries, list) else ():
        given = entry.get("rubric") if isinstance(entry, dict) else None
        if given is None:
            continue
        try:
            rubric = RubricFile.model_validate(given)
        except ValidationError as error:
            what = f"its rubric cannot be read: {error.errors()[0]['msg']}"
            raise InputError(Problem("the run's config, pairwise", what)) from None
        return Rubric(rubric.question, rubric.criteria)
    return Rubric()


def _reviewer(given: str) -> str:
    try:
        return reviewer_name(given)
    except WrongRequestError as error:
        raise InputError(Problem("--reviewer", str(error))) from None


def _pair(run: RunData, given: str | None) -> tuple[str, str]:
    """The baseline and the candidate.

    Raises:
        InputError: if the run has one variant, the name is none of its variants, or it has several
            candidates and none is named.
    """
    variants = [variant.id for variant in run.comparison.variants]
    baseline = run.comparison.baseline
    if len(variants) < 2:
        hint = "review a run of two variants; harness compare puts two runs together"
        raise InputError(Problem("", "the run has one variant: there is nothing to compare", hint))
    if given is None:
        others = [variant for variant in variants if variant != baseline]
        if len(others) == 1:
            return baseline, others[0]
        hint = f"name one with --pair CANDIDATE: {', '.join(others)}"
        raise InputError(Problem("--pair", "the run has several candidates", hint))
    candidate, comma, other = (part.strip() for part in given.partition(","))
    baseline = other if comma else baseline
    problems = [
        Problem("--pair", f"'{name[:100]}' is no variant of this run", did_you_mean(name, variants))
        for name in (candidate, baseline)
        if name not in variants
    ]
    if not problems and candidate == baseline:
        hint = "give CANDIDATE,BASELINE with two different variants"
        problems = [Problem("--pair", f"'{candidate}' would be compared with itself", hint)]
    if problems:
        raise InputError(problems)
    return baseline, candidate


def _primary(run: RunData) -> list[str]:
    """The primary metrics, the one of the conclusion first."""
    head = run.comparison.conclusion.metric
    primary = [metric.id for metric in run.comparison.metrics if metric.primary]
    return sorted(primary, key=lambda metric: metric != head)


def _seed(run: RunData) -> int:
    """The run's own."""
    found = look_up(run.manifest, "analysis.seed")
    return found if isinstance(found, int) else 0


def _asked_for(path: Path, known: Collection[str]) -> list[str]:
    """The ids that a file lists, in its order.

    Raises:
        InputError: if it cannot be read, or names an example twice or one that is not in the run.
    """
    if not path.is_file():
        hint = 'give a file that lists an example a line: {"id": ...}'
        raise InputError(Problem(str(path), "there is no such file", hint))
    findings = Findings(path)
    ids = frozenset(known)
    asked: dict[str, int] = {}
    for row in read_rows(path, findings):
        try:
            id_ = identifier(row.values.get("id", ""), "the id")
        except RowError as error:
            findings.add(row.line, str(error), '{"id": ...}')
            continue
        if id_ not in ids:
            findings.add(row.line, f"the example '{id_}' is not in the run", did_you_mean(id_, ids))
        elif id_ in asked:
            findings.add(row.line, f"the example '{id_}' stands on line {asked[id_]} already")
        asked.setdefault(id_, row.line)
    if not asked and not findings.count:
        findings.add_whole("the file lists no example", 'one a line: {"id": ...}')
    findings.raise_if_any()
    return list(asked)


def _require(queue: Collection[Item], path: Path) -> None:
    if not queue:
        what = "none of its examples has an answer of both variants"
        raise InputError(Problem(str(path), what, "list others, or give another --pair"))
