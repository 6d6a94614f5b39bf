"""Never run, only type-checked: every built-in has the shape of its port."""

from __future__ import annotations

from harness.plugins.scorers.abstention import Abstention
from harness.plugins.scorers.citation import Citation
from harness.plugins.scorers.contains import Contains
from harness.plugins.scorers.exact_match import ExactMatch
from harness.plugins.scorers.field import Field
from harness.plugins.scorers.json_fields import FieldRule, JsonFields
from harness.plugins.scorers.json_schema import JsonSchema
from harness.plugins.scorers.json_valid import JsonValid
from harness.plugins.scorers.label import Label
from harness.plugins.scorers.numeric_match import NumericMatch
from harness.plugins.scorers.python import Python
from harness.plugins.scorers.regex import Regex
from harness.plugins.scorers.retrieval import Retrieval
from harness.plugins.scorers.rubric import Rubric
from harness.plugins.scorers.token_f1 import TokenF1
from harness.plugins.scorers.tool_calls import ToolCalls
from harness.ports import JudgedScorer, Scorer


def scorers() -> tuple[Scorer, ...]:
    return (
        Abstention(id="a"),
        Citation(id="a"),
        Contains(id="a"),
        ExactMatch(id="a"),
        Field(id="a", path="reward"),
        JsonFields(id="a", fields={"name": FieldRule()}),
        JsonSchema(id="a", schema={}),
        JsonValid(id="a"),
        Label(id="a"),
        NumericMatch(id="a"),
        Python(id="a", call="package.module:function"),
        Regex(id="a", pattern="x"),
        Retrieval(id="a"),
        Rubric(id="a", judge={"model": "http/m"}),
        TokenF1(id="a"),
        ToolCalls(id="a"),
    )


def judged() -> JudgedScorer:
    return Rubric(id="a", judge={"model": "http/m"})
