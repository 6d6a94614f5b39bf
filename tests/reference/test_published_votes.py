"""Rankings, agreement and accuracies of judges are those that the votes' sources publish."""

import json
import os
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from harness.statistics.agreement import agree, agreement, cohen_kappa
from harness.statistics.bradley_terry import bradley_terry

pytestmark = pytest.mark.reference

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("HARNESS_REFERENCE_DATA") or ROOT / "../shared/data")
PREFERENCE = {"model_a": 0.0, "model_b": 1.0}
"""Every other verdict is a tie."""


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def _folder(name):
    if not (DATA / name).is_dir():
        pytest.skip(f"no reference data for {name}: HARNESS_REFERENCE_DATA leads nowhere")
    return DATA / name


def _reference(name):
    return json.loads((_folder(name) / "reference.json").read_text())


def _published(name):
    return json.loads((_folder(name) / "published.json").read_text())


def _ranked(votes, **options):
    """Bradley-Terry of votes as the files hold them: the players in order, and the ranking."""
    players = sorted({vote[side] for vote in votes for side in ("model_a", "model_b")})
    first, second = (
        np.array([players.index(vote[side]) for vote in votes]) for side in ("model_a", "model_b")
    )
    preference = np.array([PREFERENCE.get(vote["winner"], 0.5) for vote in votes])
    return players, bradley_terry(first, second, preference, len(players), **options)


def _assert_ranked(players, ranking, stated):
    assert dict(zip(players, ranking.ability, strict=True)) == pytest.approx(
        stated["log_ability"], abs=1e-6
    )
    assert dict(zip(players, ranking.standard_error, strict=True)) == pytest.approx(
        stated["se"], abs=1e-6
    )


def test_citations_have_the_published_abilities():
    rows = _lines(_folder("bt_citations") / "wins.jsonl")
    votes = [{"model_a": r["winner"], "model_b": r["loser"], "winner": "model_a"} for r in rows]
    weights = np.array([row["count"] for row in rows], dtype=float)
    players, ranking = _ranked(votes, weights=weights, resamples=10)
    shifted = ranking.ability - ranking.ability[players.index("Biometrika")]
    published = _published("bt_citations")
    for row in published:
        assert row["anchor"] == "Biometrika"
        assert shifted[players.index(row["player"])] == pytest.approx(row["value"], abs=1e-4)
    assert len(published) == 3
    assert dict(zip(players, shifted, strict=True)) == pytest.approx(
        _reference("bt_citations")["log_ability"], abs=1e-8
    )


@pytest.mark.parametrize(("judge", "n"), [("expert", 1343), ("gpt4_pair", 1200)])
def test_mt_bench_votes(judge, n):
    votes = [v for v in _lines(_folder("mtbench_votes") / "votes.jsonl") if judge in v["judge"]]
    assert len(votes) == n
    clusters = np.unique([vote["id"] for vote in votes], return_inverse=True)[1]
    players, ranking = _ranked(votes, clusters=clusters)
    _assert_ranked(players, ranking, _reference("mtbench_votes")[f"bradley_terry {judge}"])
    # Votes on one question go together: the interval is wider than the information says.
    assert ((ranking.high - ranking.low) > 2 * 1.9 * ranking.standard_error).mean() > 0.5
    assert ranking.rank_high[players.index("gpt-4")] == 1
    assert ranking.rank_low[players.index("llama-13b")] == 6


def _pandalm():
    """Every judge's verdict by item, in the items' order."""
    verdicts = {}
    for vote in _lines(_folder("pandalm") / "votes.jsonl"):
        verdicts.setdefault(vote["judge"], {})[vote["id"]] = vote
    return verdicts


def _majority(verdicts):
    humans = [judge for judge in verdicts if judge.startswith("annotator")]
    for item, vote in verdicts["annotator1"].items():
        labels = Counter(verdicts[judge][item]["winner"] for judge in humans)
        ((label, count),) = labels.most_common(1)
        assert count >= 2, item
        yield {**vote, "winner": label}


def test_pandalm_majority():
    votes = list(_majority(_pandalm()))
    counts = {
        row["label"]: row["value"]
        for row in _published("pandalm")
        if row["metric"] == "majority_label_count"
    }
    assert Counter(vote["winner"] for vote in votes) == counts
    players, ranking = _ranked(votes, resamples=10)
    stated = _reference("pandalm")["bradley_terry of the human majority"]
    _assert_ranked(players, ranking, stated)


LABELS = {"model_a": 0, "model_b": 1}
TIE = 2


def _label(vote):
    """The verdict, with the pair in alphabetic order: the files hold it in either."""
    code = LABELS.get(vote["winner"], TIE)
    return code if code == TIE or vote["model_a"] < vote["model_b"] else 1 - code


def test_pandalm_kappas():
    verdicts = _pandalm()
    items = list(verdicts["annotator1"])
    labels = {j: np.array([_label(v[i]) for i in items], np.int32) for j, v in verdicts.items()}
    measured = {"annotator1-annotator2": 0.852, "annotator1-annotator3": 0.879}
    measured["annotator2-annotator3"] = 0.862
    published = [row for row in _published("pandalm") if row["metric"] == "cohen_kappa"]
    assert len(published) == 3
    for row in published:
        a, b = row["pair"].split("-")
        found = agree(labels[a], labels[b], 3)
        assert found.kappa == pytest.approx(row["value"], abs=row["tol"])
        assert found.kappa == pytest.approx(measured[row["pair"]], abs=5e-4)
        assert found.kappa_low < found.kappa < found.kappa_high
    majority = np.array([_label(vote) for vote in _majority(verdicts)], np.int32)
    stated = _reference("pandalm")["pandalm-7b"]
    share, n = agreement(majority, labels["pandalm-7b"])
    assert (n, share) == (999, pytest.approx(stated["agreement_with_majority"], abs=1e-12))
    kappa = cohen_kappa(majority, labels["pandalm-7b"], 3)
    assert kappa == pytest.approx(stated["kappa"], abs=1e-12)


def _compared(votes, kind):
    """Labels of GPT-4 and an expert, or of two experts, on one question and unordered pair."""
    meetings = {}
    for vote in votes:
        pair = frozenset((vote["model_a"], vote["model_b"]))
        sides = meetings.setdefault((vote["id"], pair), {"expert": [], "gpt4": []})
        judge = vote["judge"].partition("_")[0]
        if judge in sides:
            sides[judge].append(_label(vote))
    rows = []
    for sides in meetings.values():
        if kind == "gpt4-expert":
            rows += [(a, b) for a in sides["gpt4"] for b in sides["expert"]]
        else:
            rows += combinations(sides["expert"], 2)
    return np.array(rows, np.int32).T


@pytest.mark.parametrize(
    ("kind", "setup", "n", "per_cent"),
    [
        ("gpt4-expert", "with ties", 1343, 65.97),
        ("gpt4-expert", "no ties", 859, 84.63),
        ("expert-expert", "with ties", 721, 62.97),
        ("expert-expert", "no ties", 479, 81.00),
    ],
)
def test_mt_bench_agreement(kind, setup, n, per_cent):
    a, b = _compared(_lines(_folder("mtbench_votes") / "votes.jsonl"), kind)
    if setup == "no ties":
        decided = (a != TIE) & (b != TIE)
        a, b = a[decided], b[decided]
    share, counted = agreement(a, b)
    assert counted == n
    assert 100 * share == pytest.approx(per_cent, abs=0.005)
    rows = [r for r in _published("mtbench_votes") if (r["pair"], r["setup"]) == (kind, setup)]
    stated = {row["metric"]: row for row in rows}
    assert stated["n_compared"]["value"] == counted
    row = stated["agreement_pct"]
    assert 100 * share == pytest.approx(row["value"], abs=row["tol"])
    if kind == "gpt4-expert":
        kappa = _reference("mtbench_votes")[f"kappa gpt4-expert {setup}"]
        assert cohen_kappa(a, b, 3) == pytest.approx(kappa, abs=1e-12)


def test_llmbar_accuracies():
    folder = _folder("llmbar_judges")
    examples = {row["id"]: row for row in _lines(folder / "eval.jsonl")}
    ids = list(examples)
    target = np.array([examples[i]["target"]["better"] for i in ids], np.int32)
    subset = np.array([examples[i]["slices"]["subset"] for i in ids])
    verdicts = {}
    for row in _lines(folder / "verdicts.jsonl"):
        # No verdict is a third label, which no target has.
        code = int(row["better"]) if row["better"] else 0
        verdicts.setdefault((row["judge"], row["swapped"]), {})[row["id"]] = code
    codes = {key: np.array([by[i] for i in ids], np.int32) for key, by in verdicts.items()}
    published = _published("llmbar_judges")
    assert len(published) == 200
    for row in published:
        inside = subset == row["subset"]
        plain, swapped = (codes[row["judge"], turned][inside] for turned in (False, True))
        right = target[inside]
        shares = [agreement(side, right)[0] for side in (plain, swapped)]
        values = {
            "correct_False": shares[0],
            "correct_True": shares[1],
            "correct_average": np.mean(shares),
            "correct_both": np.mean((plain == right) & (swapped == right)),
            "equal": agreement(plain, swapped)[0],
        }
        assert 100 * values[row["metric"]] == pytest.approx(row["value"], abs=1e-9), row
