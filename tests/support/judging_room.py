"""Judges on a loopback server, and the answers that they judge."""

from __future__ import annotations

import json
import re

from model_server import Say

from harness.config.variant import RecordedVariant
from harness.core.example import EvalSet, Example
from harness.core.experiment import Execution
from harness.core.pairwise import JudgeSpec, PairwiseSpec, Rubric
from harness.core.pointwise import RubricSpec
from harness.core.prices import PriceBook
from harness.core.record import Answer, AnswerPath, Failure, Record
from harness.core.variant import Component, ModelChoice
from harness.experiment.components import build_judges
from harness.experiment.judge import JudgeRun, judge_all
from harness.experiment.marking import Judged
from harness.plugins.scorers.rubric import Rubric as RubricScorer
from harness.scoring.pointwise import score_records

RUBRIC = Rubric("Which answer helps more?", {"correct": "the facts are right"})
BETTER = "GOLD"
"""The word that the judges of these tests look for."""


def verdict(winner, **more):
    return json.dumps({"reasoning": "because", "quote": "gold", "winner": winner, **more})


def by_gold(asked):
    """A judge that finds the better answer wherever it stands."""
    first, second = between(asked)
    if (BETTER in first) == (BETTER in second):
        return Say(verdict("tie"))
    return Say(verdict("A" if BETTER in first else "B"))


def always(text, **more):
    return lambda asked: Say(text, **more)


def between(asked):
    """The two answers as a reader who keeps to the markers sees them."""
    system, user = (message["content"] for message in asked.body["messages"])
    marker = re.search(r'"BEGIN \.\.\. ([0-9a-f]+)"', system)[1]
    return [
        re.search(
            f"^BEGIN Answer {label} {marker}\n(.*?)\nEND Answer {label} {marker}$",
            user,
            re.S | re.M,
        )[1]
        for label in "AB"
    ]


def judge(server, id="strict", *, model="judge-1", params=None, timeout_s=20.0, **more):
    provider = Component("http", {"base_url": server.openai_url})
    choice = ModelChoice(
        provider, model, {"max_output_tokens": 200} if params is None else params, False, timeout_s
    )
    return JudgeSpec(id, choice, **more)


def entry(*judges, id="better", rubric=RUBRIC, **more):
    return PairwiseSpec(id, tuple(judges), rubric, **more)


def evalset(n, **more):
    examples = tuple(
        Example(f"e{i}", {"question": f"What is {i}?"}, target=str(i), **more) for i in range(n)
    )
    return EvalSet("toy", "0" * 64, examples)


def record(variant, example, text, repeat=0):
    """An answer; a Failure stands for itself."""
    outcome = text if isinstance(text, Failure) else Answer(text)
    return Record(variant, example, repeat, outcome, AnswerPath.RECORDED)


def answers(**texts):
    """Records by variant: the texts of e0, e1 ..."""
    return [
        record(variant, f"e{i}", text)
        for variant, said in texts.items()
        for i, text in enumerate(said)
    ]


def judged(specs, records, *, n, variants=None, rubrics=(), **more):
    """What `judge_all` makes of it."""
    problems = []
    components = build_judges([*specs, *(one.spec for one in rubrics)], None, problems)
    assert not problems
    ids = variants or list(dict.fromkeys(record.variant for record in records))
    settings = {
        "variants": [RecordedVariant(id, None, {}, more.pop(f"facts_{id}", {})) for id in ids],
        "baseline": ids[0],
        "repeats": 1,
        "seed": 3,
        "execution": Execution(concurrency=4, attempts=2),
        "components": components,
        "prices": PriceBook(),
    }
    return judge_all(specs, evalset(n), records, JudgeRun(**(settings | more)), rubrics)


def scored(server, records, *, n=1, **more):
    """The scores of a rubric scorer, by metric and variant and example, and the judging."""
    options = {
        key: more.pop(key) for key in ("criteria", "show", "repeats_", "where") if key in more
    }
    options = {key.rstrip("_"): value for key, value in options.items()}
    scorer = RubricScorer(id="desk", judge={"model": "http/judge-1"}, **options)
    spec = RubricSpec("desk", judge(server, "desk"), scorer.criteria, scorer.show, scorer.repeats)
    found = judged([], records, n=n, rubrics=[Judged(spec, scorer)], **more)
    ids = list(dict.fromkeys(record.variant for record in records))
    told = scorer.given(found.verdicts["desk"])
    return score_records(evalset(n), ids, 1, records, [told]), found
