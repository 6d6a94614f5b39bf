"""What differs between variants, whether it was declared, and the arms that are missing."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.experiment import Excuse
from harness.core.factors import content_of, named_hash
from harness.core.values import JsonValue
from harness.planning.factors import Arm, Difference, check, differences, remarks, undeclared
from harness.planning.ladder import changed_factors, ladder
from harness.planning.ladder import steps as steps_between

ONE, TWO = named_hash("user.j2", "1f" * 32), named_hash("user.j2", "9c" * 32)
RETRIEVAL: dict[str, JsonValue] = {
    "retrieval.kind": "bm25",
    "retrieval.top_k": 20,
    "retrieval.corpus": named_hash("docs", "ab" * 32),
}


def arm(name: str, **factors: JsonValue) -> Arm:
    given = {"model": "http/a", "params.temperature": 0.0, "user_template": ONE}
    return Arm(name, given | {key.replace("__", "."): value for key, value in factors.items()})


def with_retrieval(name: str, **factors: JsonValue) -> Arm:
    return Arm(name, {**arm(name, **factors).factors, **RETRIEVAL})


def told(*arms: Arm, factors: tuple[str, ...] = ()) -> list[str]:
    return [pair.what for pair in check(arms, factors).confounded]


def fields(left: Arm, right: Arm) -> list[str]:
    return [difference.field for difference in differences(left, right)]


def test_the_sentence() -> None:
    left = with_retrieval("prompt_rag")
    right = with_retrieval("tuned_rag", model="http/b", user_template=TWO)
    (found,) = check([left, right], ["retrieval"]).confounded
    assert found.what == (
        "confounded: prompt_rag and tuned_rag differ in model AND user_template"
        " (model: http/a / http/b;"
        " user_template: user.j2 sha256:1f1f1f1f.. / user.j2 sha256:9c9c9c9c..)"
    )
    assert found.hint == (
        "list them in factors, or excuse the pair under confounded_ok with a reason"
    )


def test_one_difference_is_named_once() -> None:
    assert told(arm("a"), arm("b", model="http/b")) == [
        "confounded: a and b differ in model (http/a / http/b)"
    ]


def test_every_pair_is_checked() -> None:
    arms = [arm("a"), arm("b", model="http/b"), arm("c", stream=True)]
    assert [pair.partition(" differ")[0] for pair in told(*arms)] == [
        "confounded: a and b", "confounded: a and c", "confounded: b and c",
    ]  # fmt: skip


def test_a_declared_part_covers_what_is_in_it_and_nothing_more() -> None:
    left, right = with_retrieval("a"), with_retrieval("b", retrieval__top_k=5)
    right = Arm("b", {**right.factors, "retrieval.top_k": 5})
    assert undeclared(left, right, ["retrieval"]) == ()
    assert undeclared(left, right, ["retrieval.top_k"]) == ()
    assert undeclared(left, right, ["retrieval.kind"]) == (
        Difference("retrieval.top_k", "20", "5"),
    )
    hotter = arm("b", params__temperature=1.0, params__seed=3)
    assert undeclared(arm("a"), hotter, ["params.temperature"]) == (
        Difference("params.seed", "none", "3"),
    )
    assert undeclared(arm("a"), hotter, ["params"]) == ()
    assert fields(arm("a"), arm("b", paramsx__temperature=1)) == ["paramsx.temperature"]


def test_a_part_that_one_side_lacks_is_one_difference() -> None:
    assert differences(arm("a"), with_retrieval("b")) == (
        Difference("retrieval", "none", "bm25, top_k 20, corpus docs sha256:abababab.."),
    )
    assert fields(with_retrieval("b"), arm("a")) == ["retrieval"]
    tools = arm("b", tools__policy="auto", tools__max_calls=8)
    assert differences(tools, arm("a")) == (Difference("tools", "auto, max_calls 8", "none"),)


def test_reranking_and_context_go_with_retrieval() -> None:
    rag = with_retrieval("b", rerank__kind="http", context__order="rank")
    assert fields(arm("a"), rag) == ["retrieval"]
    assert undeclared(arm("a"), rag, ["retrieval"]) == ()
    assert fields(with_retrieval("a"), rag) == ["rerank", "context"]


def test_what_describes_a_model_is_compared_for_one_model_only() -> None:
    card = {"training__method": "lora", "base_url": "http://a", "sdk__version": 1}
    assert fields(arm("a"), arm("b", model="http/b", **card)) == ["model"]
    assert fields(arm("a"), arm("b", **card)) == ["training", "base_url", "sdk.version"]
    task = {"draft__model": "http/x", "draft__base_url": "http://a"}
    other = {"draft__model": "http/y", "draft__base_url": "http://b"}
    assert fields(arm("a", **task), arm("b", **other)) == ["draft.model"]
    same = {"draft__model": "http/x", "draft__base_url": "http://b"}
    assert fields(arm("a", **task), arm("b", **same)) == ["draft.base_url"]


def test_another_route_to_one_model_is_a_difference_that_model_does_not_cover() -> None:
    direct, through = arm("a", model="openai/gpt-x"), arm("b", model="litellm/openai/gpt-x")
    assert differences(direct, through) == (
        Difference("sdk.route", "openai/gpt-x", "litellm/openai/gpt-x"),
    )
    assert told(direct, through, factors=("model",)) != []
    assert told(direct, through, factors=("sdk",)) == []
    versions = arm("a", sdk__api_version="v1"), arm("b", sdk__api_version="v2")
    assert told(*versions, factors=("model",)) == [
        "confounded: a and b differ in sdk.api_version (v1 / v2)"
    ]
    assert fields(arm("a", model="http/org/m"), arm("b", model="litellm/vllm/org/m")) == [
        "sdk.route"
    ]


def test_the_first_line_that_differs_is_shown() -> None:
    left = Arm("a", {"user_template": ONE}, texts={"user_template": "Hello\nAnswer briefly.\n"})
    right = Arm("b", {"user_template": TWO}, texts={"user_template": "Hello\nAnswer at length."})
    assert told(left, right) == [
        "confounded: a and b differ in user_template (user.j2 sha256:1f1f1f1f.. / user.j2"
        ' sha256:9c9c9c9c.. (first difference in line 2: "Answer briefly." / "Answer at length."))'
    ]
    shorter = Arm("b", {"user_template": TWO}, texts={"user_template": "Hello"})
    (found,) = differences(left, shorter)
    assert found.detail == 'first difference in line 2: "Answer briefly." / no such line'
    far = ["x" * 200 + end + "y" * 200 for end in ("1", "2")]
    (found,) = differences(
        *(
            Arm(h, {"user_template": h}, texts={"user_template": t})
            for h, t in zip("ab", far, strict=True)
        )
    )
    shown = ['"...' + "x" * 20 + end + "y" * 39 + '..."' for end in ("1", "2")]
    assert found.detail == f"first difference in line 1: {' / '.join(shown)}"


def test_what_shows_nothing_is_remarked() -> None:
    arms = [arm("a"), arm("b"), arm("c", model="http/b", base_url="http://b")]
    assert remarks(arms, ["model", "base_url"]) == ("variants a and b do not differ in any factor",)
    assert remarks(arms[1:], ["model", "retrieval", "params.seed"]) == (
        "the factor retrieval is declared, but no two variants differ in it",
        "the factor params.seed is declared, but no two variants differ in it",
    )
    assert remarks([recorded("a", k=1), recorded("b", k=1)], ["k"]) == ()
    assert remarks([arm("a"), recorded("b")], []) == ()
    assert remarks([arm("a")], ["model"]) == ()


def test_a_file_counts_by_its_content() -> None:
    renamed = arm("b", user_template=named_hash("prompt.j2", "1f" * 32))
    assert differences(arm("a"), renamed) == ()
    assert content_of("no hash") == "no hash"
    assert content_of("x sha256:12") == "x sha256:12"


def test_values_of_another_type_differ() -> None:
    assert fields(arm("a", x=1), arm("b", x=True)) == ["x"]
    assert fields(arm("a", x=["a", "b"]), arm("b", x="a, b")) == ["x"]


def test_long_values_are_shortened() -> None:
    ((found),) = differences(arm("a", x="y" * 500), arm("b", x="z\n" * 300))
    assert len(found.left) == len(found.right) == 80
    assert "\n" not in found.right
    (whole,) = differences(arm("a"), arm("b", **{f"tools__t{i}": "v" * 50 for i in range(9)}))
    assert len(whole.right) == 120


def recorded(name: str, **facts: JsonValue) -> Arm:
    return Arm(name, facts, recorded=True)


def test_recorded_variants_are_compared_by_what_is_stated() -> None:
    a, b = recorded("a", model="m1", k=5), recorded("b", model="m2", k=20, prompt="v2")
    assert told(a, b, factors=("model",)) == [
        "confounded: a and b differ in k AND prompt (k: 5 / 20; prompt: not stated / v2)"
    ]
    assert told(a, recorded("b", model="m1", k="5")) == []


def test_recorded_and_live_are_compared_where_both_know() -> None:
    live = arm("live", model="openai/gpt-x")
    assert told(live, recorded("old")) == []
    assert told(live, recorded("old", model="gpt-x", owner="them")) == []
    assert told(live, recorded("old", model="gpt-y", params={"temperature": 1})) == [
        "confounded: live and old differ in model AND params.temperature"
        " (model: openai/gpt-x / gpt-y; params.temperature: 0 / 1)"
    ]


def test_excuses() -> None:
    arms = [arm("a"), arm("b", model="http/b"), arm("c")]
    excuses = [Excuse(("b", "a"), "a different vendor"), Excuse(("a", "c"), "none needed")]
    found = check(arms, [], excuses)
    assert [(pair.left, pair.right) for pair in found.confounded] == [("b", "c")]
    assert [(pair.left, pair.right, reason) for pair, reason in found.excused] == [
        ("a", "b", "a different vendor")
    ]
    assert found.needless == (1,)


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


@st.composite
def arms_of_experiments(draw: st.DrawFn) -> list[Arm]:
    found = []
    for number in range(draw(st.integers(2, 6))):
        model = draw(st.sampled_from(["openai/a", "litellm/openai/a", "http/b"]))
        factors: dict[str, JsonValue] = {"model": model}
        for name, values in (("stream", [True, False]), ("user_template", [ONE, TWO])):
            factors[name] = draw(st.sampled_from(values))
        for name in ("base_url", "sdk.version", "training.method", "tools.policy", "params.seed"):
            if draw(st.booleans()):
                factors[name] = draw(st.integers(0, 1))
        if draw(st.booleans()):
            factors |= RETRIEVAL | {"context.order": draw(st.sampled_from(["rank", "reverse"]))}
            if draw(st.booleans()):
                factors["rerank.kind"] = "http"
        if draw(st.booleans()):
            factors["few_shot.from"] = draw(st.sampled_from(["x", "y"]))
        texts = {}
        for name in ("system_template", "user_template", "draft.user_template"):
            texts[name] = draw(st.sampled_from(["Q", "shots", "passages", "shots passages"]))
            factors[name] = texts[name]
        used = " ".join(texts.values())
        for part, word in (("few_shot", "shots"), ("retrieval", "passages")):
            if word not in used:  # `harness check` refuses such a variant
                factors = {name: v for name, v in factors.items() if not name.startswith(part)}
        if "retrieval.kind" not in factors:
            factors = {n: v for n, v in factors.items() if not n.startswith(("rerank", "context"))}
        found.append(Arm(f"v{number}", factors, texts=texts))
    return found


def sound(arm: Arm) -> bool:
    """Whether some template of the prompt or the draft names what each part brings."""
    used = " ".join(arm.texts.values())
    has = {name.partition(".")[0] for name in arm.factors}
    return ("few_shot" not in has or "shots" in used) and (
        "retrieval" not in has or "passages" in used
    )


EVERYTHING = (
    "model", "stream", "user_template", "base_url", "sdk", "training", "tools", "params",
    "retrieval", "rerank", "context", "few_shot", "system_template", "draft",
)  # fmt: skip


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


@settings(deadline=None, max_examples=200)
@given(arms_of_experiments(), st.sets(st.sampled_from(EVERYTHING)))
def test_differences_are_symmetric_and_declared_or_told(arms: list[Arm], named: set[str]) -> None:
    left, right = arms[:2]
    forth, back = differences(left, right), differences(right, left)
    assert {(one.field, one.left, one.right) for one in forth} == {
        (one.field, one.right, one.left) for one in back
    }
    assert undeclared(left, right, EVERYTHING) == ()
    assert undeclared(left, right, ()) == forth
    assert set(undeclared(left, right, named)) <= set(forth)
    assert differences(left, left) == ()
