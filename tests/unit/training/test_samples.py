"""The training texts: what is asked for stands in what is read, and a number draws one text."""

from __future__ import annotations

import json
from random import Random  # noqa: TID251 - seeded

import pytest

from harness.core.chat import Message
from harness.embedded.chat import SYSTEM, USER, segments
from training import house
from training.prompts import Prompt, Reply
from training.samples import KINDS, LAST, Sample, numbered
from training.wordings import Wordings, load


@pytest.fixture(scope="module")
def words() -> Wordings:
    return load()


def text(sample: Sample) -> str:
    return "".join((mark or "") + said for mark, said, _ in sample.parts)


def test_a_number_draws_one_conversation(words: Wordings) -> None:
    drawn = [text(numbered(words, "a seed", number % 3, number)) for number in range(40)]
    again = [text(numbered(words, "a seed", number % 3, number)) for number in range(40)]
    other = [text(numbered(words, "another", number % 3, number)) for number in range(40)]
    assert drawn == again
    assert not set(drawn) & set(other)


@pytest.mark.parametrize("kind", ["passages", "short", "compact", "closed", "tool"])
def test_every_answer_stands_in_what_was_read_before(words: Wordings, kind: str) -> None:
    answers = 0
    for seed in range(150):
        read = ""
        for mark, said, weight in KINDS[kind](Random(seed), words, LAST).parts:  # noqa: S311
            written = weight == 1.0 and mark == "<|asst|>"
            if written and "{" in said and "}" in said:
                reply = json.loads(said[said.index("{") : said.rindex("}") + 1])
                values = [one for one in reply.values() if isinstance(one, str)]
                assert any(value in read for value in values), (said, read)
                answers += 1
            read += said
    assert answers > 50


def test_a_third_or_more_of_the_questions_on_passages_are_not_answered_there(
    words: Wordings,
) -> None:
    written = []
    for seed in range(300):
        made = KINDS["short"](Random(seed), words, LAST)  # noqa: S311
        system = made.parts[0][1]
        replies = [said for mark, said, weight in made.parts if mark == "<|asst|>" and weight == 1]
        phrases = [one for one in words.desk["abstain_phrases"] if one in system]
        written += [any(phrase in reply for phrase in phrases) for reply in replies]
    share = sum(written) / len(written)
    assert 0.3 < share < 0.6


def test_the_conversation_is_what_the_runtime_gives_the_model() -> None:
    line = next(one for one in house.messages(load(), 50) if "call" not in one["messages"][-3])
    system, user = (one["content"] for one in line["messages"][:2])
    asked = segments([Message("system", system), Message("user", user)])
    assert asked == [(SYSTEM, system), (USER, user), ("<|asst|>", "")]


def test_the_house_set_is_the_same_every_time_and_keeps_the_house_format(words: Wordings) -> None:
    lines = list(house.messages(words, 200))
    assert lines == list(house.messages(words, 200))
    for line in lines:
        reply = json.loads(line["messages"][-1]["content"])
        assert list(reply) == ["answer", "category", "citation", "escalate"]
        assert reply["escalate"] is (reply["answer"] == house.HANDOVER)


def test_a_reply_is_written_in_the_form_that_the_prompt_asks_for() -> None:
    prompt = Prompt("unknown", "later", {"escalate": "human", "answer": "text"}, {"plans": "p"}, ())
    reply = Reply("$9", "plans", escalate=True)
    assert prompt.written(reply) == '{"human": true, "text": "$9"}'
    prompt.keys = {}
    assert prompt.written(reply) == "$9"
