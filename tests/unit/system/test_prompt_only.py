"""One model, one prompt: what is asked, what the record says, and each way to fail."""

import pytest
from system_fakes import MAIN, Rig, rule, says, stages, step, variant

from harness.core.chat import ServiceError
from harness.core.record import Answer, AnswerPath, Failure, Status, Usage
from harness.core.variant import FewShot, ModelChoice, Output, Shot
from harness.errors import InputError
from harness.templating.template import TemplateError


def test_the_prompt_is_rendered_and_kept():
    rig = Rig("because")
    record = rig.answer(variant(system="Be brief.", user="Q: {{ question }}"))
    assert record.outcome == Answer("because", (), ())
    (request,) = rig.main.requests
    assert [(m.role, m.content) for m in request.messages] == [
        ("system", "Be brief."),
        ("user", "Q: why?"),
    ]
    detail = step(record, "generate").detail
    assert detail["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Q: why?"},
    ]
    assert detail["model"] == "scripted/model-1"
    assert (detail["text"], detail["finish_reason"]) == ("because", "stop")
    assert record.trace.validation is None


def test_an_input_that_is_no_mapping_is_seen_as_input():
    assert Rig(lambda r: r.messages[0].content).answer(
        variant(user="[{{ input }}]"), "why?"
    ).outcome == Answer("[why?]", (), ())


def test_a_field_does_not_shadow_what_harness_provides():
    rig = Rig("x")
    rig.answer(variant(user="{{ passages|length }}{{ input.passages }}"), {"passages": "mine"})
    assert rig.main.requests[0].messages[0].content == "0mine"


def test_every_normalisation_in_its_order():
    how = ("nfkc", "whitespace", "lower", "strip")
    rig = Rig("x")
    given = {"question": " \N{FULLWIDTH LATIN CAPITAL LETTER A}\n\t B ", "more": [" C ", 1, None]}
    record = rig.answer(
        variant(user="{{ question }}|{{ more[0] }}|{{ more[1] }}", normalise=how), given
    )
    assert rig.main.requests[0].messages[0].content == "a b|c|1"
    assert stages(record) == ["normalise", "generate"]


def test_a_seed_is_that_of_the_repeat():
    model = ModelChoice(MAIN.provider, "m", {"seed": 7, "temperature": 0})
    rig = Rig("x")
    for repeat in (0, 2):
        rig.answer(variant(model=model), repeat=repeat)
    assert [request.params["seed"] for request in rig.main.requests] == [7, 9]
    rig.answer(variant(), repeat=3)
    assert "seed" not in rig.main.requests[-1].params


def test_the_record_says_where_it_stands():
    record = Rig("x").answer(variant("mine"), block=4, cold=True, repeat=1)
    assert (record.variant, record.example_id, record.repeat) == ("mine", "e1", 1)
    assert record.path is AnswerPath.COLD
    assert record.trace.block == 4
    assert Rig("x").answer(variant()).path is AnswerPath.WARM


def test_time_to_first_token_served_model_and_confidence():
    answer = says("x", ttft_s=0.2, served_model="model-1-0613", confidence=0.75)
    record = Rig(answer).answer(variant())
    assert (record.trace.ttft_s, record.trace.served_model) == (0.2, "model-1-0613")
    assert step(record, "generate").detail["confidence"] == 0.75


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (says("cut of", finish_reason="length"), "truncated"),
        (says("I cannot", finish_reason="refusal"), "refused"),
        (says("", finish_reason="refusal"), "refused"),
        (says(" \n"), "no_answer"),
        (ServiceError("context_too_long", "9000 tokens"), "context_too_long"),
        (ServiceError("refused", "filtered"), "refused"),
    ],
)
def test_what_the_model_does_wrong_is_the_systems_failure(said, kind):
    record = Rig(said).answer(variant())
    assert record.status is Status.SYSTEM_FAILURE
    assert record.outcome.error_kind == kind
    assert record.trace.rejections[0].startswith(f"{kind}: ")


@pytest.mark.parametrize(
    "kind",
    ["timeout", "connection", "rate_limited", "overloaded", "server_error", "malformed",
     "authentication", "not_found", "bad_request"],
)  # fmt: skip
def test_what_a_service_does_wrong_is_the_infrastructures(kind):
    record = Rig(ServiceError(kind, "down")).answer(variant())
    assert record.outcome == Failure(True, kind, "down", (), ())
    assert record.cost_usd is None
    assert record.usage == Usage()
    assert step(record, "generate").detail["error"] == {"kind": kind, "message": "down"}
    assert record.trace.rejections == ()


def test_a_template_that_does_not_fit_the_input_is_a_failure_that_names_the_field():
    record = Rig("x").answer(variant(user="{{ input.answer }}"))
    assert record.outcome.error_kind == "template"
    assert "answer" in record.outcome.message
    assert stages(record) == []


def test_a_broken_template_schema_or_pattern_is_found_before_anything_runs():
    rig = Rig("x")
    with pytest.raises(TemplateError):
        rig.system(variant(user="{% if %}"))
    with pytest.raises(InputError, match="JSON Schema"):
        rig.system(variant(output=Output("json", {"type": "nonsense"})))
    with pytest.raises(TemplateError):
        rig.system(variant(output=Output(rules=(rule("output ==="),))))


def test_text_that_no_file_can_hold_is_replaced_before_it_goes_anywhere():
    rig = Rig("half \ud83d pair")
    record = rig.answer(variant(user="{{ input }}"), "odd \ud800 input")
    assert record.outcome.output == "half \ufffd pair"
    assert rig.main.requests[0].messages[0].content == "odd \ufffd input"


def test_the_same_token_forever_is_cut_in_the_record_and_rejected():
    record = Rig("ha" * 600_000).answer(variant())
    assert record.outcome.error_kind == "parse"
    kept = step(record, "generate").detail["text"]
    assert len(kept) < 210_000
    assert kept.endswith("[cut: 1000000 more characters]")


def test_a_deep_input_is_a_recorded_failure():
    deep = "x"
    for _ in range(5_000):
        deep = [deep]
    record = Rig("x").answer(variant(user="hi", normalise=("strip",)), {"question": deep})
    assert record.outcome.error_kind == "input"


SHOTS = tuple(Shot({"question": f"q{n}"}, n) for n in range(5))
SHOWN = "{% for shot in shots %}{{ shot.input.question }}={{ shot.output }} {% endfor %}"


def test_fixed_examples_are_the_first_ones():
    rig = Rig("x")
    rig.answer(variant(user=SHOWN, few_shot=FewShot(SHOTS, 2)))
    assert rig.main.requests[0].messages[0].content.split() == ["q0=0", "q1=1"]


def test_nearest_examples_are_those_that_the_ranking_names():
    asked = []

    def nearest(texts, query, k):
        asked.append((list(texts), query, k))
        return [3, 1]

    rig = Rig("x", nearest=nearest)
    rig.answer(variant(user=SHOWN, few_shot=FewShot(SHOTS, 2, "nearest")))
    assert rig.main.requests[0].messages[0].content.split() == ["q3=3", "q1=1"]
    assert asked == [(["q0", "q1", "q2", "q3", "q4"], "why?", 2)]


def test_only_the_input_can_reach_a_prompt():
    """`answer` takes no example: targets, slices and metadata are not there to be named."""
    record = Rig("x").answer(variant(user="{{ target }}"))
    assert record.outcome.error_kind == "template"
