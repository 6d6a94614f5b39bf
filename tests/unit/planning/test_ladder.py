"""The arms that are missing for every step to change one thing."""

from hashlib import sha256
from itertools import pairwise

import pytest
from arms import (
    EVERYTHING,
    RETRIEVAL,
    TWO,
    arm,
    arms_of_experiments,
    recorded,
    with_retrieval,
)
from hypothesis import given, settings

from harness.core.factors import named_hash
from harness.core.values import JsonValue
from harness.planning.factors import Arm
from harness.planning.ladder import changed_factors, ladder
from harness.planning.ladder import steps as steps_between


def steps(*arms: Arm, factors: tuple[str, ...] = ("model", "retrieval", "stream")) -> list[str]:
    return [str(gap) for gap in ladder(arms, arms[0].id, factors)]


PROMPT = arm("prompt_only")
TUNED_RAG = with_retrieval("tuned_rag", model="http/b")


def test_a_missing_arm_is_proposed() -> None:
    assert steps(PROMPT, TUNED_RAG) == [
        "prompt_only and tuned_rag differ in model and retrieval at once; to see which one did it,"
        " add: an arm like prompt_only with tuned_rag's model"
    ]


@pytest.mark.parametrize("between", [with_retrieval("prompt_rag"), arm("tuned", model="http/b")])
def test_an_arm_that_is_there_is_enough(between: Arm) -> None:
    assert steps(PROMPT, TUNED_RAG, between) == []


def test_the_training_card_goes_with_the_model() -> None:
    tuned = with_retrieval("tuned", model="http/b", training__method="lora")
    assert steps(PROMPT, tuned) == [
        "prompt_only and tuned differ in model and retrieval at once; to see which one did it,"
        " add: an arm like prompt_only with tuned's model (with its training card)"
    ]
    (found,) = ladder([PROMPT, tuned], "prompt_only", ["model", "retrieval"])
    assert found.missing[0].arm.factors["training.method"] == "lora"
    back = arm("tuned", model="http/b", training__method="lora")
    (found,) = ladder([with_retrieval("rag"), back], "rag", ["model", "retrieval"])
    assert str(found.missing[0]) == "an arm like rag with tuned's model (with its training card)"
    far = with_retrieval("far", stream=True, training__method="lora", model="http/b")
    (found,) = ladder([far, PROMPT], "far", ["model", "retrieval", "stream"])
    assert str(found.missing[0]) == (
        "an arm like far with prompt_only's model (without a training card)"
    )


SHOTS: dict[str, JsonValue] = {"few_shot.from": named_hash("shots.jsonl", "77" * 32)}


def templated(name: str, system: str, user: str, **factors: JsonValue) -> Arm:
    """An arm whose templates have these texts."""
    texts = {"system_template": system, "user_template": user}
    hashes = {
        key: named_hash("t.j2", sha256(text.encode()).hexdigest()) for key, text in texts.items()
    }
    return Arm(
        name,
        {**arm(name).factors, **hashes, **{k.replace("__", "."): v for k, v in factors.items()}},
        texts=texts,
    )


def test_a_part_and_the_template_that_uses_it_change_together() -> None:
    plain = templated("plain", "Be kind.", "Q")
    shown = templated("shown", "{{ shots }}", "Q", **SHOTS, stream=True)
    named = ["few_shot", "system_template", "stream"]
    (gap,) = ladder([plain, shown], "plain", named)
    assert gap.factors == ("system_template", "few_shot", "stream")
    assert list(map(str, gap.missing)) == ["an arm like shown with plain's stream"]
    assert steps_between(plain, shown) == [("system_template", "few_shot"), ("stream",)]
    only = templated("only", "{{ shots }}", "Q", **SHOTS)
    assert ladder([plain, only], "plain", named) == ()  # nothing lies between them


def test_a_template_that_bears_the_lack_of_passages_need_not_change_with_them() -> None:
    plain = templated("plain", "{{ passages }}", "Q")
    rag = Arm(
        "rag",
        {**templated("rag", "{{ passages }}!", "Q").factors, **RETRIEVAL},
        texts={"system_template": "{{ passages }}!", "user_template": "Q"},
    )
    assert steps_between(plain, rag) == [("system_template",), ("retrieval",)]


def test_templates_that_hand_over_a_variable_change_together() -> None:
    left = templated("left", "{{ shots }}", "Q", **SHOTS)
    right = templated("right", "S", "{{ shots }} Q", **SHOTS)
    assert steps_between(left, right) == [("user_template",), ("system_template",)]
    middle = templated("middle", "S", "Q", **SHOTS)
    assert steps_between(middle, right) == [("user_template",)]


def test_three_factors_need_two_arms_of_which_one_is_there() -> None:
    far = with_retrieval("far", model="http/b", stream=True)
    (gap,) = ladder([PROMPT, far], "prompt_only", ["model", "retrieval", "stream"])
    assert gap.factors == ("model", "stream", "retrieval")
    assert [str(missing) for missing in gap.missing] == [
        "an arm like prompt_only with far's model",
        "an arm like far with prompt_only's retrieval",
    ]
    (gap,) = ladder(
        [PROMPT, far, with_retrieval("rag")], "prompt_only", ["model", "retrieval", "stream"]
    )
    assert [str(missing) for missing in gap.missing] == [
        "an arm like far with prompt_only's stream"
    ]


def test_an_arm_that_is_proposed_once_serves_all() -> None:
    first = with_retrieval("x", model="http/b")
    second = with_retrieval("y", model="http/b", user_template=TWO)
    (gap,) = ladder([PROMPT, first, second], "prompt_only", ["model", "retrieval", "user_template"])
    assert (gap.left, gap.right) == ("prompt_only", "x")


def test_undeclared_and_recorded_pairs_get_no_ladder() -> None:
    assert steps(PROMPT, TUNED_RAG, factors=("model",)) == []
    assert steps(PROMPT, recorded("old", model="z", stream=False)) == []


def sound(arm: Arm) -> bool:
    """Whether some template of the prompt or the draft names what each part brings."""
    used = " ".join(arm.texts.values())
    has = {name.partition(".")[0] for name in arm.factors}
    return ("few_shot" not in has or "shots" in used) and (
        "retrieval" not in has or "passages" in used
    )


PROMPTS = {"system_template", "user_template", "draft"}


def is_one_thing(left: Arm, right: Arm) -> bool:
    """One factor, or parts with the templates without which they have no effect."""
    changed = set(changed_factors(left, right))
    return len(changed) == 1 or bool(changed & PROMPTS and changed <= PROMPTS | PARTS_SHOWN)


PARTS_SHOWN = {"few_shot", "retrieval"}


@settings(deadline=None, max_examples=60)
@given(arms_of_experiments())
def test_with_the_proposed_arms_every_step_changes_one_thing(arms: list[Arm]) -> None:
    known = {arm.id: arm for arm in arms}
    for gap in ladder(arms, "v0", EVERYTHING):
        known |= {missing.arm.id: missing.arm for missing in gap.missing}
        assert (gap.path[0].id, gap.path[-1].id) == (gap.left, gap.right)
        assert all(known[step.id] == step for step in gap.path)
        assert all(sound(missing.arm) for missing in gap.missing)
        for left, right in pairwise(gap.path):
            assert is_one_thing(left, right), (left, right)
        assert len(gap.missing) < len(gap.factors)
    assert ladder(list(known.values()), "v0", EVERYTHING) == ()
