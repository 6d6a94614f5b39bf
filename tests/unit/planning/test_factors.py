"""What differs between variants, and whether it was declared."""

from arms import EVERYTHING, ONE, TWO, arm, arms_of_experiments, recorded, with_retrieval
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.experiment import Excuse
from harness.core.factors import content_of, named_hash
from harness.planning.factors import Arm, Difference, check, differences, remarks, undeclared


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
    assert 40 < len(found.right) <= len(found.left) == 80
    assert found.left.endswith("...")
    assert "\n" not in found.right
    (whole,) = differences(arm("a"), arm("b", **{f"tools__t{i}": "v" * 50 for i in range(9)}))
    assert 60 < len(whole.right) <= 120
    assert whole.right.endswith("...")


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
