"""The search for leaks finds what is planted, and nothing in what the weights were trained on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from training import leaks
from training.leaks import CARD, EVALSET, Held, held_out, known, main, same_wordings
from training.wordings import load


@pytest.fixture(scope="module")
def held() -> Held:
    return held_out(EVALSET)


def test_it_knows_the_products_and_facts_of_the_eval_set(held: Held) -> None:
    assert len(held.products) == 10
    assert "Quillfern" in held.products
    assert len(held.facts) > 200
    assert len(held.questions) >= 400


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("Is the quillfern kit any good?", "product"),
        ("The name of the quillfernhill kit only begins like one.", None),
        ("{fact}", "fact"),
        ("Dear all. {fact} Good night.", "fact"),
        ("{changed}", "fact"),
        ("The refund window for the Alder kit is 30 days.", None),
        ("Ask the desk if you are unsure.", None),
    ],
)
def test_a_planted_fact_is_found(held: Held, planted: str, found: str | None) -> None:
    fact = next(one for one in held.facts if "notice period" in one and "34 days" in one)
    other = fact.replace("34 days", "35 days")
    told = list(known(held, [planted.format(fact=fact, changed=other)]))
    assert any(found in one for one in told) if found else not told


def test_a_fact_is_found_without_the_product_name(held: Held) -> None:
    fact = held.facts[len(held.facts) // 2]
    nameless = replace(held, products=["Nobody"])
    assert any(one.startswith("fact") for one in known(nameless, [f"{fact} [KB-1]"]))


def test_a_wording_of_the_training_is_found_whatever_the_product(held: Held) -> None:
    words = load()
    question = words.facts[0].questions[0].format(e="the Quillfern kit")
    assert list(same_wordings(replace(held, questions=[question]), words))
    assert not list(same_wordings(held, words))


def test_the_weights_were_trained_on_none_of_the_eval_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every conversation of the training, drawn anew: about 20 s."""
    assert main() == 0
    card = json.loads(CARD.read_text(encoding="utf-8"))
    assert "0 leaks: 10 products" in capsys.readouterr().out
    assert sum(phase["n_samples"] for phase in card["phases"]) > 30_000
    assert leaks.NEAR_FACT <= 0.6
