"""The support desk is what its generator makes, and each question has one right answer there."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.passage import Query
from harness.corpus.chunks import chunk
from harness.corpus.documents import read_documents
from harness.plugins.retrievers.bm25 import Bm25

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = {
    "frozen": ROOT / "evalsets" / "support_desk",
    "development": ROOT / "examples" / "support_desk" / "development",
}
ABSTAIN = "I don't know."


@pytest.fixture(autouse=True, scope="module")
def _root_on_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield
    for name in [name for name in sys.modules if name.startswith("examples")]:
        del sys.modules[name]


@pytest.fixture(params=sorted(FOLDERS))
def world(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rows(world: str) -> list[dict[str, Any]]:
    lines = (FOLDERS[world] / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def of(world: str, **slices: str) -> list[dict[str, Any]]:
    return [row for row in rows(world) if slices.items() <= row["slices"].items()]


def sections(world: str) -> dict[str, str]:
    chunks = chunk(read_documents(FOLDERS[world] / "corpus"), {})
    return {piece.id: piece.text for piece in chunks}


def names(world: str) -> tuple[set[str], set[str]]:
    from examples.support_desk.texts import read_world

    texts = read_world(world)
    return set(texts["products"]), set(texts["unknown_products"])


def test_the_files_are_what_the_seed_gives(world: str) -> None:
    from examples.support_desk.make_world import SEED, differences, world_files

    assert differences(FOLDERS[world], world_files(world, SEED)) == []
    assert differences(FOLDERS[world], world_files(world, SEED + 1))


def test_what_was_edited_added_or_lost_is_told(tmp_path: Path) -> None:
    from examples.support_desk.make_world import SEED, differences, world_files, write

    files = world_files("development", SEED)
    write(tmp_path, files)
    edited, lost, *_ = sorted(name for name in files if name.startswith("corpus/"))
    (tmp_path / edited).write_text("edited", encoding="utf-8")
    (tmp_path / lost).unlink()
    (tmp_path / "corpus" / "KB-000.md").write_text("added", encoding="utf-8")

    told = {name.partition("/")[2] for name in differences(tmp_path, files)}
    assert told == {edited, lost, "corpus/KB-000.md"}


def test_slices_have_the_sizes_that_they_are_to_have() -> None:
    found = Counter(f"{k}={v}" for row in rows("frozen") for k, v in row["slices"].items())

    assert len(rows("frozen")) == 420
    assert found["kind=knowledge"] == 240
    assert found["kind=tool"] == 70
    assert found["kind=abstain"] == 55
    assert found["kind=escalate"] == 30
    assert found["kind=out_of_scope"] == 25
    assert found["evidence=conflicting"] == found["evidence=exception"] == 35
    assert found["length=long"] == 35
    assert found["phrasing=ambiguous"] == 40
    assert found["risk=high"] == 20
    assert found["label=rare"] == 25
    clusters = Counter(row["cluster"] for row in rows("frozen"))
    assert Counter(clusters.values()) == {3: 40, 1: 300}


def test_one_question_in_six_begins_with_a_greeting_in_every_kind(world: str) -> None:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows(world):
        counts[row["slices"]["kind"]][row["slices"]["greeting"]] += 1

    for kind, greeted in counts.items():
        assert greeted["yes"] == round(greeted.total() / 6), kind


def test_no_question_comes_twice(world: str) -> None:
    questions = [row["input"]["question"].casefold() for row in rows(world)]
    assert len(set(questions)) == len(questions)


def test_long_messages_have_60_to_110_words_beside_the_greeting(world: str) -> None:
    for row in rows(world):
        n_words = len(row["input"]["question"].split())
        if row["slices"]["length"] == "long":
            assert 60 <= n_words <= 112
        else:
            assert n_words < 60


def test_the_gold_section_holds_the_answer_and_the_product(world: str) -> None:
    products, _ = names(world)
    texts = sections(world)

    for row in of(world, kind="knowledge"):
        (gold,) = row["evidence"]
        asked = [name for name in products if name in row["input"]["question"]]
        assert len(asked) == 1, row
        assert asked[0] in texts[gold]
        assert re.search(rf"(?<![\d$]){re.escape(row['target']['answer'])}(?!\d)", texts[gold])
        assert gold.partition("#")[0] == row["target"]["citation"]


def test_the_product_and_the_fact_stand_before_the_value(world: str) -> None:
    from examples.support_desk.texts import read_facts

    for fact in read_facts(world):
        for statement in fact.statements:
            assert statement.index("{p}") < statement.index("{v}"), fact.key
        assert "{v}" in fact.exception


def test_sections_are_short(world: str) -> None:
    lengths = [len(text.partition("\n")[2].split()) for text in sections(world).values()]
    assert max(lengths) <= 65
    assert sum(lengths) / len(lengths) <= 46


def test_a_pair_without_an_article_is_in_none_but_its_halves_are(world: str) -> None:
    from examples.support_desk.texts import read_facts

    products, unknown = names(world)
    corpus = "\n".join(sections(world).values())
    assert not [name for name in unknown if name in corpus]
    for row in of(world, kind="abstain", missing="product"):
        assert [name for name in unknown if name in row["input"]["question"]]

    facts = {fact.key: fact for fact in read_facts(world)}
    missing = of(world, kind="abstain", missing="fact")
    assert missing
    for row in missing:
        question = row["input"]["question"]
        (product,) = (name for name in products if name in question)
        (fact,) = (fact for fact in facts.values() if _asks(fact, product, question))
        told = {
            name
            for name in products
            if any(aside.format(n=name) in corpus for aside in fact.asides)
        }
        assert told, "other products have the fact"
        assert product not in told, question


def _asks(fact: Any, product: str, question: str) -> bool:
    """Whether a question is in one of a fact's wordings, a greeting or a story aside."""
    for wording in fact.ask:
        parts = re.split(r"\{[pn]\}", wording.format(p="{p}", n="{n}"))
        pattern = re.escape(product) + r"(?: \w+)?"
        whole = pattern.join(re.escape(part) for part in parts)
        if re.search(whole, question, flags=re.IGNORECASE):
            return True
    return False


def test_conflicting_versions_stand_beside_the_one_that_holds() -> None:
    texts = sections("frozen")
    for row in of("frozen", evidence="conflicting"):
        (gold,) = row["evidence"]
        (product,) = (name for name in names("frozen")[0] if name in row["input"]["question"])
        assert "Archived" not in texts[gold]
        others = [
            text
            for name, text in texts.items()
            if name != gold
            and product in text
            and re.search(r"Archived\.|Note of|This holds for", text)
        ]
        assert others, gold


def test_exceptions_are_asked_for_and_against() -> None:
    texts = sections("frozen")
    answers = Counter()
    for row in of("frozen", evidence="exception"):
        (gold,) = row["evidence"]
        (exception,) = re.findall(r"[^.]* instead\.", texts[gold])
        answers[row["target"]["answer"] in exception] += 1
    assert answers == {True: 24, False: 11}


def test_the_gold_call_gives_the_gold_answer(world: str) -> None:
    from examples.support_desk.desk import account_of, open_desk, refund_of, status_of

    desk = open_desk(FOLDERS[world] / "desk.sql")
    tools = {
        "order_status": status_of,
        "account_lookup": account_of,
        "refund_calculation": refund_of,
    }
    for row in of(world, kind="tool"):
        (call,) = row["tool_calls"]
        result = tools[call["name"]](desk, **call["arguments"])
        assert row["target"]["answer"] in {str(value) for value in result.values()}
        assert all(str(value) in row["input"]["question"] for value in call["arguments"].values())
    used = [row["tool_calls"][0]["arguments"] for row in of(world, kind="tool")]
    assert len({str(arguments) for arguments in used}) == len(used)


def test_the_tools_read_the_frozen_desk() -> None:
    from examples.support_desk import tools

    row = next(r for r in of("frozen", kind="tool") if r["target"]["category"] == "returns")
    arguments = row["tool_calls"][0]["arguments"]

    assert tools.refund_calculation(**arguments) == {"refund": row["target"]["answer"]}
    assert set(tools.order_status(arguments["order_id"])) == {"status", "arrives_in"}
    assert tools.order_status(1) == {"error": "there is no order 1"}
    assert tools.account_lookup(1) == {"error": "there is no account 1"}
    assert tools.refund_calculation(1, 5) == {"error": "there is no order 1"}


def test_a_text_with_a_quotation_mark_survives_the_database(tmp_path: Path) -> None:
    from examples.support_desk.desk import Order, as_sql, open_desk, status_of

    path = tmp_path / "desk.sql"
    path.write_text(as_sql([Order(1, "O'Hara", 100, "held 'up'", None)], [], []))

    assert status_of(open_desk(path), 1) == {"status": "held 'up'", "arrives_in": None}


def test_what_is_no_knowledge_cites_nothing_and_abstains_where_it_should(world: str) -> None:
    for row in rows(world):
        kind, target = row["slices"]["kind"], row["target"]
        assert (target["citation"] == "none") == (kind != "knowledge") == ("evidence" not in row)
        assert (target["answer"] == ABSTAIN) == row["abstain"]
        assert row["abstain"] == (kind in {"abstain", "out_of_scope"})
        assert target["escalate"] == (kind == "escalate")
        assert bool(row["tool_calls"]) == (kind == "tool")


def test_the_worlds_share_no_product_question_or_article() -> None:
    frozen, development = names("frozen"), names("development")
    assert (frozen[0] | frozen[1]).isdisjoint(development[0] | development[1])

    from examples.support_desk.texts import read_facts, read_world

    def wordings(world: str) -> set[str]:
        facts = read_facts(world)
        told = {text for fact in facts for text in (*fact.statements, *fact.asides)}
        asked = {text for fact in facts for text in (*fact.ask, *fact.vague)}
        return {text.casefold() for text in told | asked | set(_texts(read_world(world)))}

    shared = wordings("frozen") & wordings("development")
    assert not {text for text in shared if len(text.split()) > 3}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def test_bm25_finds_the_gold_section_of_nearly_all_questions(world: str, tmp_path: Path) -> None:
    chunks = chunk(read_documents(FOLDERS[world] / "corpus"), {})
    asked = of(world, kind="knowledge")

    async def n_found(limit: int) -> int:
        found = Bm25()
        await found.open(chunks, tmp_path)
        ranked = [await found.retrieve(Query(row["input"]["question"], limit, {})) for row in asked]
        return sum(
            row["evidence"][0] in {passage.id for passage in ranking.passages}
            for row, ranking in zip(asked, ranked, strict=True)
        )

    assert asyncio.run(n_found(20)) >= 0.97 * len(asked)
    assert asyncio.run(n_found(5)) >= 0.9 * len(asked)
