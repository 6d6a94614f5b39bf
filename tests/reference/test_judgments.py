"""Verdicts and votes with published figures, read and analysed as `harness judgments` does."""

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from harness.config.verdicts import Reading
from harness.core.experiment import Analysis, PrimaryFigure
from harness.experiment.judgments import analyse

pytestmark = pytest.mark.reference
ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("HARNESS_REFERENCE_DATA") or ROOT / "../shared/data")
ANALYSIS = Analysis((PrimaryFigure("win_rate"),))


@pytest.fixture(autouse=True, scope="module")
def _reference_data():
    if not (DATA / "alpacaeval2").is_dir():
        pytest.skip("no reference data: HARNESS_REFERENCE_DATA leads nowhere")


def published(name):
    found = defaultdict(dict)
    for row in json.loads((DATA / name / "published.json").read_text()):
        key = tuple(row.get(part) for part in ("judge", "subset", "variant") if part in row)
        found[row["metric"]][key] = row["value"]
    return found


def analysed(name, file, reading, baseline=None):
    evalset = DATA / name / "eval.jsonl"
    examples = evalset if evalset.exists() else None
    return analyse([DATA / name / file], reading, ANALYSIS, examples, baseline).comparison


@pytest.fixture(scope="module")
def alpacaeval():
    folder = DATA / "alpacaeval2"
    reading = Reading(
        length_control=True,
        difficulty="instruction_difficulty",
        rows=folder / "lc_gamed_baselines.jsonl",
        constants=folder / "lc_constants.json",
    )
    return analysed("alpacaeval2", "judgments.jsonl", reading, "gpt4_1106_preview")


def test_win_rates_of_alpacaeval(alpacaeval):
    expected = published("alpacaeval2")
    whole = {(one.candidate,): one for one in alpacaeval.pairwise if one.slice == "all"}
    assert whole.keys() == expected["win_rate"].keys()
    for variant, one in whole.items():
        assert 100 * one.win_rate == pytest.approx(expected["win_rate"][variant], abs=1e-4)
        error = 100 * one.standard_error
        assert error == pytest.approx(expected["standard_error"][variant], abs=1e-4)
        discrete = 100 * one.discrete_win_rate
        assert discrete == pytest.approx(expected["discrete_win_rate"][variant], abs=1e-4)
        counts = (one.wins, one.ties, one.losses, one.n)
        names = ("n_wins", "n_draws", "n_wins_base", "n_total")
        assert counts == tuple(expected[name][variant] for name in names)


def test_length_control_of_alpacaeval(alpacaeval):
    expected = published("alpacaeval2")["length_controlled_winrate"]
    for one in alpacaeval.pairwise:
        if one.slice == "all":
            found = 100 * one.length_controlled_win_rate
            assert found == pytest.approx(expected[one.candidate,], abs=0.15)
            assert one.length_controlled_ci_low <= one.length_controlled_win_rate
            assert one.length_controlled_win_rate <= one.length_controlled_ci_high
            spread = one.length_controlled_ci_high - one.length_controlled_ci_low
            assert spread > 2 * 1.96 * one.length_controlled_standard_error * 0.9


def test_a_constant_answer_that_wins_is_told(alpacaeval):
    told = [text for text in alpacaeval.warnings if "NullModel" in text]
    assert any("872 characters" in text for text in told)
    assert any("equal lengths" in text for text in told)


@pytest.mark.parametrize(
    ("first", "second", "with_ties", "n", "no_ties", "n_no_ties"),
    [
        ("expert", "gpt4_pair", 65.97, 1343, 84.63, 859),
        ("expert", "expert", 62.97, 721, 81.00, 479),
    ],
)
def test_agreement_of_mtbench(first, second, with_ties, n, no_ties, n_no_ties):
    reading = Reading(humans=("expert_*", "author_*"))
    found = analysed("mtbench_votes", "votes.jsonl", reading)
    (one,) = [a for a in found.agreements if {a.first, a.second} == {first, second}]
    assert (one.n, one.n_no_ties) == (n, n_no_ties)
    assert 100 * one.share == pytest.approx(with_ties, abs=0.005)
    assert 100 * one.share_no_ties == pytest.approx(no_ties, abs=0.005)
    reference = json.loads((DATA / "mtbench_votes/reference.json").read_text())
    if second == "gpt4_pair":
        assert one.kappa == pytest.approx(reference["kappa gpt4-expert with ties"], abs=1e-4)
    abilities = reference["bradley_terry expert"]["log_ability"]
    ranked = {rank.variant: rank.ability for rank in found.rankings if rank.judge == "expert"}
    assert ranked == pytest.approx(abilities, abs=1e-6)


def test_annotators_of_pandalm():
    found = analysed("pandalm", "votes.jsonl", Reading())
    kappas = {(one.first, one.second): one.kappa for one in found.agreements}
    for pair, expected in (((1, 2), 0.852), ((1, 3), 0.879), ((2, 3), 0.862)):
        names = tuple(f"annotator{number}" for number in pair)
        assert kappas[names] == pytest.approx(expected, abs=5e-4)


def test_a_judge_against_the_majority_of_pandalm():
    found = analysed("pandalm", "votes.jsonl", Reading(humans=("annotator*",)))
    (judge,) = [j for j in found.judges if j.judge == "pandalm-7b" and j.slice == "all"]
    assert judge.accuracy == pytest.approx(0.6677, abs=5e-5)
    assert judge.kappa == pytest.approx(0.4354, abs=5e-5)


def test_all_accuracies_of_llmbar():
    found = analysed("llmbar_judges", "verdicts.jsonl", Reading(labels="target.better"))
    by_place = {(one.judge, one.slice): one for one in found.judges}
    fields = {
        "correct_False": "accuracy_original",
        "correct_True": "accuracy_swapped",
        "correct_average": "accuracy",
        "correct_both": "accuracy_both",
        "equal": "consistency",
    }
    checked = 0
    for metric, values in published("llmbar_judges").items():
        for (judge, subset), value in values.items():
            one = by_place[judge, f"subset={subset}"]
            assert 100 * getattr(one, fields[metric]) == pytest.approx(value, abs=1e-9)
            checked += 1
    assert checked == 200
    assert any("ChatGPT/Vanilla has a position bias" in text for text in found.warnings)
    assert any("ChatGPT/Vanilla may have a length bias" in text for text in found.warnings)


def test_citations_between_journals():
    found = analysed("bt_citations", "wins.jsonl", Reading())
    ability = {one.variant: one.ability for one in found.rankings}
    zero = ability["Biometrika"]
    for journal, expected in (("Comm Statist", -2.9491), ("JASA", -0.4796), ("JRSS-B", 0.2690)):
        assert ability[journal] - zero == pytest.approx(expected, abs=1e-4)


def test_no_row_of_any_file_is_lost():
    for name, file in (("mtbench_votes", "votes.jsonl"), ("llmbar_judges", "verdicts.jsonl")):
        n = len(Path(DATA / name / file).read_text().splitlines())
        found = analysed(name, file, Reading())
        assert sum(one.n_verdicts for one in found.judges if one.slice == "all") == n
