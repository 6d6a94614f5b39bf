"""The requests that are checked before anything is sent."""

from dataclasses import replace

from system_fakes import BENCH, MAIN, SHELF, SMALL, Rig, subtask, template, tools, variant

from harness.core.variant import Context, Fallback, Output, Route, RouteRule
from harness.system.requests import requests

SCHEMA = {"type": "object"}


def test_every_model_call_of_a_variant_and_of_those_it_leads_to():
    other = variant("other", model=SMALL)
    given = variant(
        retrieval=replace(SHELF, rewrite=subtask("r")),
        context=Context(compress=subtask("c")),
        tools=tools(),
        output=Output("json", SCHEMA, structured=True),
        route=Route((RouteRule("a", when=template("true"), variant=other),), subtask("l")),
        fallback=Fallback(variant("last")),
    )
    rig = Rig("x", functions={"t": str})
    found = {what: (choice, request) for what, choice, request in requests(given, rig.parts)}
    assert list(found) == [
        "v: generate", "v: rewrite", "v: compress", "v: route", "other: generate", "last: generate",
    ]  # fmt: skip
    choice, request = found["v: generate"]
    assert choice is MAIN
    assert request.messages == ()
    assert (request.schema, [tool.name for tool in request.tools]) == (SCHEMA, ["t"])
    assert request.tool_choice == "auto"
    assert found["v: route"][1].schema is None
    assert found["other: generate"][0] is SMALL
    assert found["other: generate"][1].tools == ()


def test_the_schema_is_asked_of_who_writes_the_output():
    given = variant(output=Output("json", SCHEMA, structured=True), draft=subtask("d"))
    schemas = {what: request.schema for what, _, request in requests(given, Rig("x").parts)}
    assert schemas == {"v: generate": None, "v: draft": SCHEMA}


def test_the_strictest_policy_is_checked():
    rig = Rig("x", functions={"t": str})
    when = template("true")

    def choice(**policy):
        ((_, _, request),) = requests(variant(tools=tools(**policy)), rig.parts)
        return request.tool_choice if request.tools else None

    assert choice(policy="none") is None
    assert choice(policy="none", when=when, otherwise="required") == "required"
    assert choice(policy="auto", otherwise="required") == "auto"
    assert choice(policy="required", when=when) == "required"


def test_tools_that_are_not_opened_yet_are_left_out():
    rig = Rig("x", functions={"t": str})
    parts = replace(rig.parts, tools={})
    ((_, _, request),) = requests(variant(tools=tools()), parts)
    assert request.tools == ()
    assert BENCH.key not in parts.tools
