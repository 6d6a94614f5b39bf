"""Verdicts given elsewhere: in an experiment, alone, at the gate, and back from reviewers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from harness.core.label import Label
from harness.storage.labels import LABELS, LabelFile

N = 60


def vote(example: int, judge: str, winner: str | None, **more: Any) -> dict[str, Any]:
    row = {"id": f"e{example:02}", "judge": judge, "model_a": "old", "model_b": "new"}
    return {**row, "winner": winner, **more}


def both_orders(example: int, judge: str, original: str | None, swapped: str | None) -> list[Any]:
    pair = zip((False, True), (original, swapped), strict=True)
    return [vote(example, judge, winner, swapped=turned) for turned, winner in pair]


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def judged(project: Any) -> Any:
    """A project of 60 examples, two recorded variants, and a judge that mostly prefers `new`."""
    rng = np.random.default_rng(4)
    for name in ("old", "new"):
        rows = [{"id": f"e{i:02}", "output": f"{name} {i}"} for i in range(N)]
        project.write(f"{name}.jsonl", lines(rows))
    examples = [
        {"id": f"e{i:02}", "input": {"q": i}, "target": "x", "slices": {"half": str(i % 2)}}
        for i in range(N)
    ]
    project.write("evalsets/pairs/examples.jsonl", lines(examples))
    project.write("evalsets/pairs/evalset.yaml", "name: pairs\n")
    votes = []
    for i in range(N):
        says = "model_b" if rng.random() < 0.85 else "model_a"
        votes += both_orders(i, "gpt", says, says)
    project.write("votes.jsonl", lines(votes))
    project.write("configs/pairs.yaml", CONFIG)
    project.run("freeze", "evalsets/pairs")
    return project


CONFIG = """\
name: pairs
evalset: ../evalsets/pairs
baseline: old
variants:
  - {id: old, recorded: ../old.jsonl}
  - {id: new, recorded: ../new.jsonl}
scorers: [{id: says, use: contains}]
primary: [says]
pairwise:
  - {id: helpful, verdicts: ../votes.jsonl}
"""


def result(project: Any) -> Any:
    (folder,) = sorted(project.folder.glob("reports/pairs/2*"))[-1:]
    return json.loads((folder / "comparison.json").read_text()), folder


def test_an_experiment_tells_win_rates_by_slice(judged: Any) -> None:
    done = judged.run("run", "configs/pairs.yaml")
    comparison, folder = result(judged)
    by_slice = {one["slice"]: one for one in comparison["pairwise"]}
    assert set(by_slice) == {"all", "half=0", "half=1"}
    whole = by_slice["all"]
    assert (whole["candidate"], whole["baseline"], whole["judge"]) == ("new", "old", "helpful")
    assert whole["wins"] + whole["losses"] == N
    assert whole["win_rate"] == pytest.approx(whole["wins"] / N)
    assert whole["finding"] == "better"
    assert f"{whole['win_rate']:.1%}" in done.stdout
    assert 'id="judged"' in (folder / "report.html").read_text()
    assert "preferred" in (folder / "report.md").read_text()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert "judgments.parquet" in manifest["files"]


def test_a_run_of_some_examples_takes_their_verdicts_only(judged: Any) -> None:
    judged.run("run", "configs/pairs.yaml", "--limit", "10")
    comparison, _ = result(judged)
    assert comparison["pairwise"][0]["n"] == 10


def test_a_damaged_file_of_verdicts_is_found(judged: Any) -> None:
    judged.run("run", "configs/pairs.yaml")
    _, folder = result(judged)
    with (folder / "judgments.parquet").open("ab") as file:
        file.write(b"x")
    done = judged.run("show", str(folder), "e00", check=2)
    assert "judgments.parquet" in done.stderr


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([vote(0, "gpt", "model_c")], "votes.jsonl:1:"),
        ([vote(99, "gpt", "tie")], "'e99' is not in the eval set"),
        ([{**vote(0, "gpt", "tie"), "model_b": "newer"}], "did you mean 'new'?"),
        ([], "there are no verdicts"),
        ([vote(0, "gpt", "tie"), vote(0, "gpt", "model_a")], "on line 1"),
    ],
)
def test_wrong_verdicts_are_refused_before_anything_runs(
    judged: Any, rows: list[Any], told: str
) -> None:
    judged.write("votes.jsonl", lines(rows))
    for command in ("check", "run"):
        done = judged.run(command, "configs/pairs.yaml", check=2)
        assert told in done.stderr
    assert not list(judged.folder.glob("reports/pairs/2*"))


def test_a_gate_on_a_win_rate(judged: Any) -> None:
    judged.run("run", "configs/pairs.yaml")
    for floor, code in ((0.5, 0), (0.99, 1), (0.85, 4)):
        judged.write("gate.yaml", f"rules: [{{win_rate: helpful, floor: {floor}}}]\n")
        judged.run("gate", "pairs", "--policy", "gate.yaml", check=code)
    judged.write("gate.yaml", "rules: [{win_rate: helpfull}]\n")
    done = judged.run("gate", "pairs", "--policy", "gate.yaml", check=2)
    assert "did you mean 'helpful'?" in done.stderr


def test_a_judge_that_people_disagree_with_blocks_no_gate(judged: Any) -> None:
    """Labels say `old`, the judge says `new`: below its declared agreement it only informs."""
    judged.write("people.jsonl", lines([vote(i, "ann", "model_a") for i in range(40)]))
    entry = "{id: helpful, verdicts: ../votes.jsonl, labels: ../people.jsonl, min_agreement: 0.8}"
    plain = "{id: helpful, verdicts: ../votes.jsonl}"
    judged.write("configs/pairs.yaml", CONFIG.replace(plain, entry))
    judged.run("run", "configs/pairs.yaml")
    comparison, _ = result(judged)
    judge = next(one for one in comparison["judges"] if one["judge"] == "helpful")
    assert judge["trusted"] is False
    assert any("blocks no gate" in text for text in comparison["warnings"])
    judged.write(
        "gate.yaml", "rules: [{win_rate: helpful, floor: 0.99}, {metric: says, margin: 0.5}]\n"
    )
    done = judged.run("gate", "pairs", "--policy", "gate.yaml", "--json", check=0)
    by_kind = {rule["kind"]: rule for rule in json.loads(done.stdout)["rules"]}
    assert by_kind["win_rate"]["informs"] is True
    assert by_kind["win_rate"]["outcome"] == "fail"


def test_what_reviewers_say_counts_at_the_next_gate(judged: Any) -> None:
    entry = "{id: helpful, verdicts: ../votes.jsonl, min_agreement: 0.8, labels: target}"
    plain = "{id: helpful, verdicts: ../votes.jsonl}"
    judged.write("configs/pairs.yaml", CONFIG.replace(plain, entry))
    done = judged.run("run", "configs/pairs.yaml", check=2)
    assert "name no judged variant" in done.stderr
    judged.write("configs/pairs.yaml", CONFIG)
    judged.run("run", "configs/pairs.yaml")
    _, folder = result(judged)
    labels = LabelFile(folder / LABELS)
    for i in range(30):
        labels.append(Label(f"e{i:02}", "zoe", ("old", "new"), "model_b", swapped=bool(i % 2)))
    done = judged.run("judgments", str(folder), "--json", "--queue", "queue.jsonl")
    found = json.loads(done.stdout)
    people = next(one for one in found["judges"] if one["human"] and one["slice"] == "all")
    assert (people["judge"], people["n_verdicts"]) == ("helpful.review", 30)
    judge = next(one for one in found["judges"] if one["judge"] == "helpful")
    assert judge["n_labelled"] == 60, "both orders of 30 examples"
    rates = {(one["judge"], one["slice"]): one["win_rate"] for one in found["pairwise"]}
    assert rates["helpful.review", "all"] == 1
    queued = [json.loads(line) for line in (judged.folder / "queue.jsonl").read_text().splitlines()]
    assert len(queued) == 30, "what zoe has seen needs no look"
    judged.write("gate.yaml", "rules: [{win_rate: helpful.review}]\n")
    judged.run("gate", "pairs", "--policy", "gate.yaml", check=0)


def test_votes_by_themselves(judged: Any) -> None:
    rows = [vote(i, "ann", "model_b") for i in range(20)] + [
        vote(i, "gpt", "model_b" if i < 15 else None) for i in range(20)
    ]
    judged.write("loose.jsonl", lines(rows))
    done = judged.run("judgments", "loose.jsonl", "--humans", "ann", "--baseline", "old", "--json")
    found = json.loads(done.stdout)
    gpt = next(one for one in found["judges"] if one["judge"] == "gpt")
    assert (gpt["n_unparsed"], gpt["accuracy"]) == (5, 0.75)
    assert {one["baseline"] for one in found["pairwise"]} == {"old"}
    plain = judged.run("judgments", "loose.jsonl", "--humans", "ann", "--queue", "q.csv")
    assert "5 of 20 verdicts could not be read" in plain.stdout
    assert (judged.folder / "q.csv").read_text().startswith("id,model_a,model_b,winner")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("nowhere.jsonl",), "nowhere.jsonl"),
        (("votes.jsonl", "--baseline", "odl"), "'odl' was not judged"),
        (("votes.jsonl", "--humans", "dr_*"), "no judge is called dr_*"),
        (("votes.jsonl", "--where", "turn"), "no NAME=VALUE"),
        (("votes.jsonl", "--length-control"), "no verdict tells the lengths"),
        (("votes.jsonl", "--labels", "target.better"), "no example has a label"),
        (("votes.jsonl", "--queue", "q.txt"), "neither .jsonl nor .csv"),
        (("pairs",), "pairs"),
    ],
)
def test_wrong_options(judged: Any, options: tuple[str, ...], told: str) -> None:
    done = judged.run("judgments", *options, check=2)
    assert told in done.stderr
