"""Rankings, agreement and accuracies of judges are those that the votes' sources publish."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

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
