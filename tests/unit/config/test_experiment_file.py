# ruff: noqa: E501 - whole messages stand on one line
"""Experiments: what is read, and that everything wrong is told at once, where it is."""

from pathlib import Path
from textwrap import dedent

import pytest

from harness.config.experiment import (
    Experiment,
    ScorerSpec,
    check_primary,
    draft_experiment,
    load_experiment,
)
from harness.config.gate import PolicyDocument, check_policy, check_sides, read_policy
from harness.core.experiment import Analysis, PrimaryFigure, factor_table
from harness.core.policy import GatePolicy, QualityRule
from harness.core.score import Metric
from harness.errors import InputError, Problem

GOOD = """\
name: support
evalset: set
baseline: a
variants:
  - variants/a
  - {id: b, recorded: {file: b.jsonl, fields: {repeat: trial}}, label: The other, facts: {model: m2, k: 5}}
factors: [model]
repeats: 2
seed: 7
scorers:
  - {id: correct, use: exact_match, normalise: [lower]}
primary: [correct, {metric: correct, slice: steps=2}]
statistics: {confidence: 0.9, resamples: 500, min_examples: 20, coverage: 0.9}
gate:
  rules:
    - {metric: correct, margin: 0.02}
"""


RIGHT = {"right": Metric("right")}


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    for folder in ("set", "variants/a"):
        (here / folder).mkdir(parents=True)
    for name in ("a.jsonl", "b.jsonl"):
        (here / name).touch()
    Path("variants/a/variant.yaml").write_text(
        "id: a\nrecorded: ../../a.jsonl\nfacts: {model: m1, k: 5}\n"
    )


def load(text: str = GOOD) -> Experiment:
    Path("x.yaml").write_text(text)
    return load_experiment(Path("x.yaml"))


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(text)
    return [str(problem).replace("\n  hint:", " |") for problem in caught.value.problems]


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_everything_is_read() -> None:
    experiment = load()
    a, b = experiment.variants
    assert (a.id, a.file.resolve(), a.facts) == (
        "a",
        Path("a.jsonl").resolve(),
        {"model": "m1", "k": 5},
    )
    assert (b.id, b.fields, b.label) == ("b", {"repeat": "trial"}, "The other")
    assert experiment.analysis == Analysis(
        primary=(PrimaryFigure("correct"), PrimaryFigure("correct", "steps=2")),
        confidence=0.9,
        resamples=500,
        seed=7,
        min_examples=20,
        coverage=0.9,
    )
    assert experiment.repeats == 2
    assert experiment.factors == ("model",)
    (scorer,) = experiment.scorers
    assert (scorer.id, scorer.use, scorer.options) == (
        "correct", "exact_match", {"normalise": ["lower"]},
    )  # fmt: skip
    assert experiment.gate is not None
    assert experiment.gate.rules == (QualityRule(metric="correct", margin=0.02),)
    assert experiment.document["name"] == "support"
    assert factor_table(experiment.variants) == {
        "model": {"a": "m1", "b": "m2"},
        "k": {"a": 5, "b": 5},
    }


def test_what_a_file_leaves_out_has_a_default() -> None:
    head = GOOD.partition("factors:")[0]
    experiment = load(head + "scorers: [{id: correct, use: label}]\nprimary: [correct]\n")
    assert experiment.analysis == Analysis(primary=(PrimaryFigure("correct"),))
    assert (experiment.repeats, experiment.gate, experiment.factors) == (1, None, ())


def test_every_problem_of_every_file_at_once() -> None:
    Path("variants/a/variant.yaml").write_text("id: a\nrecorded: ../../c.jsonl\nlable: x\n")
    found = problems(
        dedent("""\
        name: my experiment
        evalset: sets
        baseline: aa
        variants:
          - variants/a
          - {id: b, recorded: b.jsonl, model: gpt}
          - {id: b, recorded: b.jsonl}
          - variants/none
          - {id: e}
        seed: -1
        repeets: 2
        scorers:
          - {id: correct, use: label}
          - {id: correct, use: label}
        gate: {rules: [{metric: correct, margn: 0.1}], on_inconclusive: blok}
        """)
    )
    assert found == [
        "x.yaml:1:1: missing key 'primary' | name the metrics that decide, e.g. primary: [correct]",
        "x.yaml:1:7: name must be letters, digits, '.', '_' and '-', the first a letter or digit,"
        " not 'my experiment'",
        "x.yaml:2:10: the eval set sets does not exist | did you mean 'set'?",
        "x.yaml:6:32: unknown key 'model' | a variant with `recorded` is not run; what it is stands"
        " under facts:",
        "x.yaml:7:10: two variants are called 'b' (the first at x.yaml:6:10) | give each variant an"
        " id of its own",
        "x.yaml:8:5: the variant folder variants/none does not exist",
        "x.yaml:9:5: missing key 'recorded' | recorded: FILE.jsonl for what a system answered"
        " elsewhere; or model: and user: for a system that harness runs",
        "x.yaml:10:7: seed must be at least 0, not -1",
        "x.yaml:11:1: unknown key 'repeets' | did you mean 'repeats'?",
        "x.yaml:14:10: two scorers are called 'correct' (the first at x.yaml:13:10) | give each"
        " scorer an id of its own",
        "x.yaml:15:34: unknown key 'margn' | did you mean 'margin'?",
        "x.yaml:15:65: gate.on_inconclusive must be 'block' or 'warn', not 'blok' | did you mean"
        " 'block'?",
        "variants/a/variant.yaml:2:11: the recording ../../c.jsonl does not exist | did you mean"
        " 'b.jsonl'?",
        "variants/a/variant.yaml:3:1: unknown key 'lable' | did you mean 'label'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("baseline: a", "baseline: aa", "x.yaml:3:11: the baseline 'aa' is no variant | known: a, b"),
        ("- variants/a", "- b.jsonl", "x.yaml:5:5: the variant folder b.jsonl is a file, not a folder"),
        ("evalset: set", "evalset: b.jsonl", "x.yaml:2:10: the eval set b.jsonl is a file, not a folder"),
        ("repeats: 2", "repeats: true", "x.yaml:8:10: repeats must be a whole number, not true"),
        ("repeats: 2", "repeats: 0", "x.yaml:8:10: repeats must be at least 1, not 0"),
        ("seed: 7", "seed: 1.5", "x.yaml:9:7: seed must be a whole number, not 1.5"),
        ("name: support", "name: ..", "x.yaml:1:7: name must be letters, digits"),
        ("name: support", "name: 7", "x.yaml:1:7: name must be text, not 7 | put it in quotes"),
        ("repeat: trial", "repeet: trial", "x.yaml:6:48: variants[1].recorded.fields.repeet must be a field of a recording, not 'repeet' | did you mean 'repeat'?"),
        ("confidence: 0.9", "confidence: 95", "x.yaml:13:26: statistics.confidence must be less than 1, not 95"),
        ("primary: [correct,", "primary: [correct, correct,", "x.yaml:12:10: primary: 'correct' is named twice"),
        ("primary: [correct,", "primary: [3, correct,", "x.yaml:12:11: primary[0] must be a name or a mapping (key: value), not 3"),
        ("id: b,", "id: a,", "x.yaml:6:10: two variants are called 'a' (the first at variants/a/variant.yaml:1:5)"),
        ("margin: 0.02", "slice: all", "x.yaml:16:7: gate.rules[0]: give at least one of margin, floor and ceiling"),
        ("{metric: correct, margin: 0.02}", "correct", "x.yaml:16:7: gate.rules[0] must be a mapping (key: value), not 'correct'"),
        ("{metric: correct, margin: 0.02}", "{latency: p95}", "x.yaml:16:7: missing key 'max_ratio'"),
        ("{metric: correct, margin: 0.02}", "{latency: p95, max_ratio: -1}", "x.yaml:16:33: gate.rules[0].max_ratio must be greater than 0, not -1"),
        ("{metric: correct, margin: 0.02}", "{latency: p96, max_ratio: 2}", "x.yaml:16:17: gate.rules[0].latency must be 'p50' or 'p95', not 'p96'"),
        ("margin: 0.02", "margin: true", "x.yaml:16:33: gate.rules[0].margin must be a number, not true"),
        ("margin: 0.02", "margin: '5'", "x.yaml:16:33: gate.rules[0].margin must be a number, not '5' | write it without quotes"),
        ("margin: 0.02", "floor: '0.5'", "x.yaml:16:32: gate.rules[0].floor must be a number, not '0.5'"),
        ("margin: 0.02", "ceiling: false", "x.yaml:16:34: gate.rules[0].ceiling must be a number, not false"),
        ("{metric: correct, margin: 0.02}", "{latency: p95, max_ratio: '2'}", "x.yaml:16:33: gate.rules[0].max_ratio must be a number"),
        ("  rules:", "  confidence: '0.9'\n  rules:", "x.yaml:15:15: gate.confidence must be a number"),
        ("  rules:", "  coverage: true\n  rules:", "x.yaml:15:13: gate.coverage must be a number"),
        ("  rules:", "  candidate: bb\n  rules:", "x.yaml:15:14: there is no variant 'bb' | known: a, b"),
        ("confidence: 0.9", "confidence: '0.9'", "x.yaml:13:26: statistics.confidence must be a number"),
        ("coverage: 0.9", "coverage: true", "x.yaml:13:75: statistics.coverage must be a number, not true"),
        ("scorers:\n", "scorers: []\nx:\n", "x.yaml:10:10: scorers must not be empty"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem_first(old: str, new: str, expected: str) -> None:
    assert problems(changed(old, new))[0].startswith(expected)


def test_a_loop_of_links_is_a_problem_not_a_traceback() -> None:
    Path("loop").symlink_to("loop")
    found = problems(changed("evalset: set", "evalset: loop/../set"))
    assert found == ["x.yaml:2:10: the eval set loop/../set is a loop of symbolic links"]


def test_a_value_that_cannot_be_read_is_one_problem() -> None:
    for old, new in (
        ("repeats: 2", "repeats: .inf"),
        ("margin: 0.02", "margin: .nan"),
        ("confidence: 0.9", "confidence: .nan"),
    ):
        (found,) = problems(changed(old, new))
        assert found.endswith("numbers must be finite, not NaN or infinite")


def test_what_can_be_read_of_a_wrong_experiment_is_kept() -> None:
    text = changed("label: The other", "lable: The other").replace("seed: 7", "seed: x")
    text = text.replace("- {id: correct", "- {id: broken}\n  - {id: correct")
    Path("x.yaml").write_text(text.replace("margin: 0.02", "margn: 0.02"))
    draft = draft_experiment(Path("x.yaml"))
    assert draft.experiment is None
    assert len(draft.problems) == 4
    assert [r.fields for r in draft.recordings] == [{}, {"repeat": "trial"}]
    assert (draft.evalset_folder, draft.repeats) == (Path("set"), 2)
    assert [spec.id for spec in draft.scorers] == ["correct"]
    assert draft.broken_scorers == {"broken"}
    assert draft.policy is not None
    (found,) = check_policy(draft.policy, RIGHT, None)
    assert found.what == "there is no metric 'correct'"


def test_a_wrong_policy_still_has_its_names_checked() -> None:
    Path("policy.yaml").write_text(
        "rules:\n"
        "  - {metric: right, margin: .nan}\n"
        "  - {metric: rigt, margin: x, slice: steps=9}\n"
        "  - {latency: p95, slice: steps=8}\n"
        "  - 7\n"
        "  - {metric: broken.part, floor: 1}\n"
    )

    def check(document: PolicyDocument) -> list[Problem]:
        return check_policy(document, {**RIGHT, "broken": None}, ["all", "steps=2"])

    with pytest.raises(InputError) as caught:
        read_policy(Path("policy.yaml"), check)
    assert [f"{p.where[12:]} {p.what}" for p in caught.value.problems] == [
        "2:29 margin: numbers must be finite, not NaN or infinite",
        "3:14 there is no metric 'rigt'",
        "3:28 rules[1].margin must be a number, not 'x'",
        "3:38 there is no slice 'steps=9'",
        "4:5 missing key 'max_ratio'",
        "4:27 there is no slice 'steps=8'",
        "5:5 rules[3] must be a mapping (key: value), not 7",
    ]


def test_duplicate_keys_are_told_with_everything_else() -> None:
    found = problems(GOOD.replace("seed: 7", "seed: 7\nname: twice") + "zzz: 1\n")
    assert found == [
        "x.yaml:10:1: duplicate key 'name' (first on line 1)",
        "x.yaml:18:1: unknown key 'zzz' | known: name, evalset, baseline, variants, factors,"
        " confounded_ok, repeats, seed, scorers, primary, pairwise, statistics, gate, execution,"
        " allowed_hosts",
    ]


def test_what_may_differ_is_limited_where_factors_are_named() -> None:
    experiment = load()
    assert (experiment.factors, experiment.factors_limited) == (("model",), True)
    experiment = load(changed("factors: [model]\n", ""))
    assert (experiment.factors, experiment.factors_limited) == ((), False)


def test_a_factor_must_be_a_fact() -> None:
    assert problems(changed("factors: [model]", "factors: [model, modle]")) == [
        "x.yaml:7:18: the factor 'modle' is a fact of no variant | did you mean 'model'?"
    ]


def test_the_problems_of_scorers_stand_among_the_others() -> None:
    def refuse(specs: object) -> list[Problem]:
        (spec,) = specs  # type: ignore[misc]
        assert isinstance(spec, ScorerSpec)
        return [Problem(spec.where("use"), "no such scorer")]

    Path("x.yaml").write_text(changed("seed: 7", "seed: x") + "zzz: 1\n")
    with pytest.raises(InputError) as caught:
        load_experiment(Path("x.yaml"), scorer_problems=refuse)
    assert [problem.where for problem in caught.value.problems] == [
        "x.yaml:9:7", "x.yaml:11:24", "x.yaml:17:1",
    ]  # fmt: skip


def test_primary_figures_must_exist() -> None:
    source = load().source
    assert check_primary(source, {"correct": Metric("correct")}, ["all", "steps=2"]) == []
    found = check_primary(source, {"corect": Metric("corect")}, ["all", "steps=3"])
    assert [str(problem) for problem in found] == [
        "x.yaml:12:11: there is no metric 'correct'\n  hint: did you mean 'corect'?",
        "x.yaml:12:29: there is no metric 'correct'\n  hint: did you mean 'corect'?",
        "x.yaml:12:45: there is no slice 'steps=2'\n  hint: did you mean 'steps=3'?",
    ]


def test_a_policy_in_a_file_of_its_own() -> None:
    policy = "rules:\n  - {metric: correct, slice: steps=*, floor: 0.5}\n  - {cost: mean, max_ratio: 1.1, slice: a=b}\n"
    Path("policy.yaml").write_text(policy)
    text = GOOD.partition("gate:")[0] + "gate: policy.yaml\n"
    experiment = load(text)
    assert experiment.policy is not None
    assert experiment.gate == read_policy(Path("policy.yaml")).policy
    assert [str(p) for p in check_policy(experiment.policy, RIGHT, ["all", "steps=2"])] == [
        "policy.yaml:2:14: there is no metric 'correct'\n  hint: known: right",
        "policy.yaml:3:41: there is no slice 'a=b'\n  hint: known: all, steps=2, steps=*",
    ]
    Path("policy.yaml").write_text("rulez: []\n")
    assert problems(text) == [
        "policy.yaml:1:1: missing key 'rules'",
        "policy.yaml:1:1: unknown key 'rulez' | did you mean 'rules'?",
    ]
    assert problems(text.replace("policy.yaml", "polcy.yaml")) == [
        "x.yaml:14:7: the gate policy polcy.yaml does not exist | did you mean 'policy.yaml'?"
    ]
    for content in (
        "",
        "rules: []\n",
        "rules: [3]\n",
        "- x\n",
        "rules: [{metric: a, floor: .nan}]",
    ):
        Path("policy.yaml").write_text(content)
        with pytest.raises(InputError):
            read_policy(Path("policy.yaml"))


def limits(rule: str, **bounds: float | None) -> list[str]:
    Path("policy.yaml").write_text(f"rules:\n  - {{metric: m, {rule}}}\n")
    metrics = {"m": Metric("m", **bounds)}  # type: ignore[arg-type]
    found = check_policy(read_policy(Path("policy.yaml")), metrics, ["all"])
    return [str(problem).replace("\n  hint:", " |") for problem in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("margin: 1", "policy.yaml:2:25: a margin of 1 allows any loss | m lies between 0 and 1: 0.02 is two points"),
        ("margin: 5", "policy.yaml:2:25: a margin of 5 allows any loss"),
        ("floor: 60", "policy.yaml:2:24: a floor of 60 is never met"),
        ("floor: 0", "policy.yaml:2:24: a floor of 0 is always met"),
        ("floor: -1", "policy.yaml:2:24: a floor of -1 is always met"),
        ("ceiling: 2", "policy.yaml:2:26: a ceiling of 2 is always met"),
        ("ceiling: -0.1", "policy.yaml:2:26: a ceiling of -0.1 is never met"),
    ],
)  # fmt: skip
def test_a_limit_that_could_not_decide_anything_is_refused(rule: str, expected: str) -> None:
    (found,) = limits(rule)
    assert found.startswith(expected)


def test_limits_are_in_the_metrics_own_unit() -> None:
    for rule in ("margin: 0.999", "margin: 0", "floor: 1", "floor: 0.001", "ceiling: 0"):
        assert limits(rule) == []
    assert limits("margin: 5, floor: 60", upper=100.0) == []
    assert limits("margin: 100", upper=100.0) == [
        "policy.yaml:2:25: a margin of 100 allows any loss | m lies between 0 and 100"
    ]
    assert limits("margin: 1e9, floor: 7, ceiling: 9", lower=None, upper=None) == []
    assert limits("margin: 7, ceiling: 9", upper=None) == []
    assert len(limits("floor: -3", upper=None)) == 1


def test_a_policy_without_a_file_is_checked_too() -> None:
    policy = GatePolicy(
        candidate="bb", baseline="c", rules=(QualityRule(metric="rigt", margin=0.1),)
    )
    document = PolicyDocument(policy)
    assert [str(problem) for problem in check_policy(document, RIGHT, ["all"])] == [
        "there is no metric 'rigt'\n  hint: did you mean 'right'?"
    ]
    assert check_sides(document) == []
    assert check_sides(document, candidates=["bb"], baselines=["c"]) == []
    found = check_sides(document, candidates=iter(["b"]), baselines=["abc"])
    assert [problem.what for problem in found] == [
        "there is no variant 'bb'", "there is no variant 'c'",
    ]  # fmt: skip
    assert [problem.where for problem in found] == ["", ""]


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml: does not exist"):
        load_experiment(Path("nowhere.yaml"))
