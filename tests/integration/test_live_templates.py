"""Templates of a config reach neither Python nor much memory, and what they name must be there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_model import HostileModel
from live_project import LiveProject
from model_server import ModelServer

ESCAPES = {
    "mro": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "attr": "{{ question|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "item": "{{ question['__class__'] }}",
    "globals": "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('touch owned').read() }}",
    "context": "{{ self._TemplateReference__context }}",
    "method": "{{ '{0.__class__}'.format(question) }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "power": "{{ 9 ** 9 ** 9 ** 9 }}",
    "padding": "{{ '%1000000000d'|format(1) }}",
    "range": "{% for a in range(10000000000) %}x{% endfor %}",
    "nesting": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
}
"""What `harness check` refuses; each stands on the second line of its template."""

BLOW_UPS = {
    "times": "{{ 'x' * 10000000000 }}",
    "doubling": "{% set x = 'x' %}" + "{% set x = x ~ x %}" * 60 + "{{ x }}",
    "lists": "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x | tojson }}",
    "digits": "{% set x = 99999999 %}" + "{% set x = x * x %}" * 60 + "{{ x }}",
    "replacing": "{% set x = question %}" + "{% set x = x | replace('e', x) %}" * 40,
    "indenting": "{{ (question ~ question) | indent(10000000000) }}",
    "built": "{{ question['_' ~ '_class_' ~ '_'] }}",
    "looping": "{% set x = question | list %}"
    + "".join(f"{{% for v{i} in x %}}" for i in range(9)) + "{% endfor %}" * 9,
}  # fmt: skip
"""What is found out when it is rendered: the trial ends there."""

BASE = "model: http/m\nbase_url: ${HARNESS_BASE_URL}\nuser: user.j2\n"
CONFIG = """\
name: templates
evalset: ../evalsets/small
baseline: plain
variants: [%s]
factors: [user_template, system_template, output, route, fallback, tools, retrieval]
scorers: [{id: says_yes, use: contains, any_of: ["yes"]}]
primary: [says_yes]
statistics: {resamples: 100}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProject]:
    with ModelServer(respond=HostileModel().reply) as server:
        project = LiveProject(tmp_path_factory.mktemp("templates"), server.openai_url)
        row = {"id": "e", "input": {"question": "Where are the beans?"}, "target": "yes"}
        project.evalset("small", [row])
        variant(project, "plain", "{{ question }}")
        project.write("corpus/beans.md", "# Beans\n\nOn the shelf.\n")
        yield project


def variant(project: LiveProject, name: str, template: str, more: str = "") -> None:
    project.write(f"variants/{name}/user.j2", f"A question:\n{template}\n")
    project.write(f"variants/{name}/variant.yaml", f"id: {name}\n{BASE}{more}")


def config(project: LiveProject, *names: str) -> str:
    listed = ", ".join(f"../variants/{name}" for name in ("plain", *names))
    project.write("configs/templates.yaml", CONFIG % listed)
    return "configs/templates.yaml"


@pytest.mark.parametrize("command", ["check", "run"])
def test_ways_to_python_are_refused_with_their_place(command: str, made: LiveProject) -> None:
    for name, template in ESCAPES.items():
        variant(made, name, template)
    done = made.harness(command, config(made, *ESCAPES), check=2)
    for name in ESCAPES:
        assert f"variants/{name}/user.j2:" in done.stderr, name
    assert done.stdout == ""
    assert not Path(made.folder, "reports").exists()
    assert not Path(made.folder, "owned").exists()


def test_a_template_that_blows_up_ends_its_trials_and_no_others(made: LiveProject) -> None:
    for name, template in BLOW_UPS.items():
        variant(made, name, template)
    run = made.run(config(made, *BLOW_UPS))
    for name in BLOW_UPS:
        ended = {(row["status"], row["error_kind"]) for row in run.trials(variant=name)}
        assert ended == {("system_failure", "template")}, name
        for row in run.trials(variant=name):
            assert "user.j2, line 2" in row["error_message"]
            assert len(row["error_message"]) < 1000
    assert {row["status"] for row in run.trials(variant="plain")} == {"ok"}


EXPRESSIONS = {
    "rule": "output: {rules: [{name: r, that: output.__class__}]}",
    "fallback": "fallback: {answer: human, when: \"''.__class__\"}",
    "route": "route: {rules: [{when: cycler.__init__, answer: a}]}",
    "where": "user: uses.j2\nretrieval: {corpus: ../../corpus, where: {a: \"{{ ''.__class__ }}\"}}",
    "query": "user: uses.j2\nretrieval: {corpus: ../../corpus, query: query.j2}",
}


def test_expressions_are_no_way_out_either(made: LiveProject) -> None:
    for name, more in EXPRESSIONS.items():
        made.write(f"variants/x_{name}/uses.j2", "{{ passages | tojson }} {{ question }}")
        made.write(f"variants/x_{name}/query.j2", "{{ lipsum.__globals__ }}")
        keys = BASE.replace("user: user.j2\n", "") if "user:" in more else BASE
        made.write(f"variants/x_{name}/user.j2", "{{ question }}")
        made.write(f"variants/x_{name}/variant.yaml", f"id: x_{name}\n{keys}{more}\n")
    done = made.harness("check", config(made, *(f"x_{name}" for name in EXPRESSIONS)), check=2)
    told = {
        line.split(":")[0] for line in done.stderr.splitlines() if not line.startswith((" ", "h"))
    }
    assert told == {
        *(f"variants/x_{name}/variant.yaml" for name in ("rule", "fallback", "route", "where")),
        "variants/x_query/query.j2",
    }


@pytest.mark.parametrize("command", ["check", "run"])
def test_an_unknown_field_is_told_with_its_place_and_a_hint(
    command: str, made: LiveProject
) -> None:
    variant(made, "typo", "{{ input.qestion }}", "system: system.j2\n")
    made.write("variants/typo/system.j2", "Be\nbrief.\n\n{{ quetsion }} {{ target }}\n")
    told = made.harness(command, config(made, "typo"), check=2).stderr
    assert "variants/typo/user.j2:2:10: no example's input has the field 'qestion'" in told
    assert "variants/typo/system.j2:4:4: no example's input has the field 'quetsion'" in told
    assert "hint: did you mean 'question'?" in told
    assert "'target' belongs to the examples' answers, which no system may see" in told


def test_a_field_that_only_some_examples_have_ends_their_trials_only(made: LiveProject) -> None:
    rows = [
        {"id": "with", "input": {"question": "Where?", "shop": "harbour"}, "target": "yes"},
        {"id": "without", "input": {"question": "Where?"}, "target": "yes"},
    ]
    made.evalset("some", rows)
    variant(made, "shop", "{{ shop }}: {{ question }}")
    text = CONFIG % "../variants/plain, ../variants/shop"
    made.write("configs/some.yaml", text.replace("small", "some").replace("templates", "some"))
    run = made.run("configs/some.yaml")
    assert run.trial("shop", "with")["status"] == "ok"
    row = run.trial("shop", "without")
    assert (row["status"], row["error_kind"]) == ("system_failure", "template")
    assert "user.j2, line 2: 'shop' is not defined" in row["error_message"]
