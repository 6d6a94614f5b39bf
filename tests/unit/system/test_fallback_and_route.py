"""Where a trial is handed on: fallbacks, routes, and what the trace says of it."""

import pytest
from system_fakes import (
    SHELF,
    SMALL,
    Rig,
    passage,
    says,
    stages,
    step,
    steps,
    subtask,
    template,
    variant,
)

from harness.core.chat import ServiceError
from harness.core.record import Answer, Status
from harness.core.variant import Fallback, Output, Route, RouteRule

JSON = Output("json", {"type": "object"})


def other(id="other", **more):
    return variant(id, "other asks {{ question }}", model=SMALL, **more)


def test_a_rejected_output_leads_to_the_other_variant():
    rig = Rig("no json", small=["saved"], found=[passage("a", "alpha")])
    record = rig.answer(variant(output=JSON, retrieval=SHELF, fallback=Fallback(other())))
    assert record.outcome == Answer("saved", (), ())
    assert record.trace.fallback_used == "other"
    assert record.trace.validation == "failed"
    assert len(record.trace.rejections) == 1
    assert [(one.stage.value, one.variant) for one in record.trace.steps][-3:] == [
        ("validate", ""), ("fallback", ""), ("generate", "other"),
    ]  # fmt: skip
    marker = step(record, "fallback")
    assert marker.detail["reason"] == "rejected"
    assert marker.detail["kind"] == "parse"
    assert marker.detail["to"] == "other"
    assert marker.detail["reasons"] == list(record.trace.rejections)
    assert (marker.latency_s, marker.cost_usd) == (0.0, 0.0)
    assert rig.small.requests[0].messages[0].content == "other asks why?"


def test_repairs_come_first():
    rig = Rig("no", "no", small=["saved"])
    output = Output("json", {"type": "object"}, repair=1)
    record = rig.answer(variant(output=output, fallback=Fallback(other())))
    assert stages(record) == [
        "generate", "validate", "repair", "validate", "fallback", "generate",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        says("", finish_reason="refusal"),
        says("cut", finish_reason="length"),
        "",
        ServiceError("context_too_long", "too long"),
        ServiceError("refused", "filtered"),
    ],
)
def test_no_output_at_all_leads_there_too(said):
    record = Rig(said, small=["saved"]).answer(variant(fallback=Fallback(other())))
    assert record.outcome.output == "saved"


def test_an_outage_does_not():
    rig = Rig(ServiceError("overloaded", "busy"), small=["saved"])
    record = rig.answer(variant(fallback=Fallback(other())))
    assert record.status is Status.INFRASTRUCTURE_FAILURE
    assert record.trace.fallback_used is None
    assert rig.small.requests == []


def test_an_outage_of_the_fallback_is_one_of_the_trial():
    rig = Rig("", small=[ServiceError("timeout", "slow")])
    record = rig.answer(variant(fallback=Fallback(other())))
    assert record.status is Status.INFRASTRUCTURE_FAILURE
    assert record.trace.fallback_used == "other"


def test_a_fixed_answer_hands_over_to_a_human_and_keeps_the_evidence():
    fixed = {"escalate": True}
    rig = Rig(says("no json", ttft_s=0.25), found=[passage("a", "alpha")])
    record = rig.answer(variant(output=JSON, retrieval=SHELF, fallback=Fallback(None, fixed)))
    assert record.outcome == Answer(fixed, (), ("a",))
    assert record.trace.fallback_used == "human"
    assert record.trace.ttft_s is None


@pytest.mark.parametrize(("confidence", "used"), [(0.25, "other"), (0.75, None)])
def test_a_doubt_about_an_accepted_output(confidence, used):
    rig = Rig(says("perhaps", confidence=confidence), small=["saved"])
    fallback = Fallback(other(), when=template("confidence < 0.5 and output != 'sure'"))
    record = rig.answer(variant(fallback=fallback))
    assert record.trace.fallback_used == used
    assert record.outcome.output == ("saved" if used else "perhaps")
    assert record.trace.rejections == ()
    if used:
        assert step(record, "fallback").detail == {
            "reason": "condition",
            "when": "confidence < 0.5 and output != 'sure'",
            "confidence": 0.25,
            "output": "perhaps",
            "to": "other",
        }


def test_a_condition_that_cannot_be_decided_is_a_rejection():
    rig = Rig("perhaps", small=["saved"])
    fallback = Fallback(other(), when=template("output.confidence < 0.5"))
    record = rig.answer(variant(fallback=fallback))
    assert record.outcome.output == "saved"
    assert record.trace.rejections[0].startswith("template: ")


def test_a_chain_of_fallbacks():
    inner = other("second", output=JSON, fallback=Fallback(None, "human, please"))
    rig = Rig("", small=["no json"])
    record = rig.answer(variant(fallback=Fallback(inner)))
    assert record.outcome.output == "human, please"
    assert record.trace.fallback_used == "human"
    assert [one.variant for one in steps(record, "fallback")] == ["", "second"]
    assert [reason.split(":")[0] for reason in record.trace.rejections] == ["no_answer", "parse"]


def test_a_chain_that_ends_without_an_answer():
    record = Rig("", small=["no json"]).answer(variant(fallback=Fallback(other(output=JSON))))
    assert record.outcome.error_kind == "parse"
    assert record.trace.fallback_used == "other"


def test_the_other_variant_normalises_the_input_itself():
    rig = Rig("", small=["x"])
    rig.answer(variant(normalise=("lower",), fallback=Fallback(other())), {"question": "WHY?"})
    assert rig.small.requests[0].messages[0].content == "other asks WHY?"


RULES = (
    RouteRule("risky", when=template("'legal' in question"), answer="ask a lawyer"),
    RouteRule("simple", label="simple", variant=other()),
    RouteRule("keep", label="hard"),
)


def routed(label, question="why?", **more):
    rig = Rig("mine", small=[label, "theirs"])
    route = Route(RULES, subtask("route {{ question }}"))
    return rig, rig.answer(variant(route=route, **more), {"question": question})


@pytest.mark.parametrize(
    ("label", "rule", "to", "answer"),
    [
        (" Simple\n", "simple", "other", "theirs"),
        ("hard", "keep", "v", "mine"),
        ("who knows", None, None, "mine"),
        ("", None, None, "mine"),
    ],
)
def test_a_label_decides(label, rule, to, answer):
    rig, record = routed(label)
    assert record.outcome.output == answer
    assert record.trace.routed_to == to
    call, decision = steps(record, "route")
    assert call.detail["text"] == label
    assert decision.detail == {"rule": rule, "label": label.strip(), "to": to}
    assert rig.small.requests[0].messages[0].content == "route why?"


def test_a_condition_decides_before_labels_and_a_fixed_answer_ends_it():
    rig, record = routed("simple", "legal?")
    assert record.outcome == Answer("ask a lawyer", (), ())
    assert record.trace.routed_to == "answer"
    assert rig.main.requests == []
    assert len(rig.small.requests) == 1


def test_a_label_without_a_router_applies_to_nothing():
    record = Rig("mine").answer(variant(route=Route(RULES)))
    assert record.outcome.output == "mine"
    assert step(record, "route").detail == {"rule": None, "label": None, "to": None}


def test_a_route_by_conditions_alone_costs_nothing():
    route = Route((RouteRule("short", when=template("question|length < 9"), variant=other()),))
    rig = Rig("mine", small=["theirs"])
    record = rig.answer(variant(route=route))
    assert [(one.stage.value, one.variant) for one in record.trace.steps] == [
        ("route", ""), ("generate", "other"),
    ]  # fmt: skip
    assert record.cost_usd == 1.0
    assert record.variant == "v"


def test_a_fixed_answer_by_a_route_uses_no_tokens_and_costs_nothing():
    route = Route((RouteRule("all", when=template("true"), answer="no"),))
    record = Rig("x").answer(variant(route=route))
    assert record.cost_usd == 0
    assert record.usage.prompt_tokens == 0


def test_who_is_handed_a_trial_by_a_route_answers_for_it_alone():
    route = Route((RouteRule("all", when=template("true"), variant=other(output=JSON)),))
    rig = Rig("mine", small=["no json"])
    record = rig.answer(variant(route=route, fallback=Fallback(None, "never")))
    assert record.outcome.error_kind == "parse"
    assert record.trace.fallback_used is None


def test_a_route_that_does_not_fit_the_input_leads_to_the_fallback():
    route = Route((RouteRule("all", when=template("input.risk > 3"), variant=other()),))
    record = Rig("mine").answer(variant(route=route, fallback=Fallback(None, "human")))
    assert record.outcome.output == "human"
    assert record.trace.rejections[0].startswith("template: ")


def test_thin_router_then_small_tuned_model_then_large_one_out_of_distribution():
    large = variant("large", "large: {{ question }}")
    small = other("small", fallback=Fallback(large, when=template("confidence < 0.5")))
    route = Route(
        (
            RouteRule("in", label="in_domain", variant=small),
            RouteRule("out", label="other", variant=large),
        ),
        subtask("label?"),
    )
    unsure = says("hm", confidence=0.25, served_model="small-1")
    rig = Rig(says("large says", served_model="large-1"), small=["in_domain", unsure])
    record = rig.answer(variant("thin", route=route))
    assert record.outcome.output == "large says"
    assert (record.trace.routed_to, record.trace.fallback_used) == ("small", "large")
    assert record.trace.served_model == "large-1"
    assert [(one.stage.value, one.variant) for one in record.trace.steps] == [
        ("route", ""),
        ("route", ""),
        ("generate", "small"),
        ("fallback", "small"),
        ("generate", "large"),
    ]


def test_the_routes_of_a_variant_that_took_over_are_in_its_steps_only() -> None:
    last = other("small")
    routing = other("routing", route=Route((RouteRule("all", template("true"), variant=last),)))
    rig = Rig(says("hm", confidence=0.25), small=["last says"])
    unsure = Fallback(routing, when=template("confidence < 0.5"))
    record = rig.answer(variant("first", fallback=unsure))
    assert record.outcome.output == "last says"
    assert (record.trace.routed_to, record.trace.fallback_used) == (None, "routing")
    (route,) = (one for one in record.trace.steps if one.stage.value == "route")
    assert (route.variant, route.detail["to"]) == ("routing", "small")
