"""The data of configs/recorded.yaml are what their scripts make: questions, and the answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "examples" / "support_mini"
EVALSET = ROOT / "evalsets" / "support_mini"


@pytest.fixture(autouse=True)
def _scripts_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_eval_set_is_what_the_generator_makes() -> None:
    import make_evalset

    questions = YAML(typ="safe").load(SCRIPTS / "questions.yaml")
    made = list(make_evalset.evaluation_rows(questions["evaluation"]))
    development = list(make_evalset.development_rows(questions["development"]))

    assert made == rows(EVALSET / "examples.jsonl")
    assert development == rows(SCRIPTS / "development.jsonl")


def test_development_questions_are_not_in_the_eval_set() -> None:
    def asked(path: Path) -> set[str]:
        return {row["input"]["question"].lower() for row in rows(path)}

    assert not asked(EVALSET / "examples.jsonl") & asked(SCRIPTS / "development.jsonl")


def test_every_gold_article_is_in_the_corpus() -> None:
    articles = {path.stem for path in (EVALSET / "corpus").glob("*.md")}
    gold = {
        article for row in rows(EVALSET / "examples.jsonl") for article in row.get("evidence", ())
    }

    assert gold <= articles
    assert len(gold) >= 35


def test_recordings_are_what_the_systems_answer() -> None:
    import record

    for name, system in record.make_systems().items():
        recorded = rows(EVALSET / "recordings" / f"{name}.jsonl")
        again = {row["id"]: record.ask(system, row) for row in rows(EVALSET / "examples.jsonl")}
        assert sorted(again) == [row["id"] for row in recorded]
        for row in recorded:
            assert row["latency_s"] > 0
            assert again[row["id"]] | {"latency_s": row["latency_s"]} == row
