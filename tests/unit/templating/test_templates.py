"""What templates and expressions give, and what is said when they are wrong."""

from __future__ import annotations

import json

import pytest
from hostile_templates import ending
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.core.variant import Template
from harness.templating.template import (
    Expression,
    PromptTemplate,
    TemplateError,
    check_expression,
    check_template,
    field_names,
    names_of,
    render_value,
)

VARIABLES = {
    "question": " Where is my refund? ",
    "input": {"question": "Where?", "items": ["b", "a", "C", "a"], "n": 3, "_id": "x1"},
    "passages": [
        {"id": "p1", "score": 2.25, "text": "One.\nTwo.", "meta": {"page": 4}},
        {"id": "p2", "score": 1, "text": "", "meta": {"page": 2}},
    ],
    "checks": {"account": {"error": None, "value": {"plan": "free"}}},
    "empty": [],
    "nothing": None,
    "yes": True,
    "ratio": 0.456,
    "minus": -7,
    "word": "résumé-write up's",
}

AS_JINJA = [
    "",
    "plain\n",
    "{{ question }}|{{ question | trim }}|{{ question|upper }}",
    "{% for p in passages %}[{{ p.id }}] ({{ loop.index }}, {{ p.score }}) {{ p.text }}\n"
    "{% endfor %}",
    "{% for p in passages -%}\n  {{ p.id }}\n{%- endfor %}\nend",
    "  {% if yes %}\n  in\n  {% endif %}\nout\n",
    "{% for p in empty %}x{% else %}none{% endfor %}",
    "{% for p in passages if p.score > 2 %}{{ loop.index0 }}{{ loop.last }}{{ p.id }}{% endfor %}",
    "{% for p in passages %}{{ loop.revindex }}{{ loop.first }}{{ loop.length }}{% endfor %}",
    "{% for a in passages %}{% for b in input['items'] %}{{ a.id }}{{ b }}{{ loop.index }} "
    "{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for key in input %}{{ key }} {% endfor %}",
    "{% for key, value in input | items %}{{ key }}={{ value }} {% endfor %}",
    "{% set q = question | trim %}{{ q }}{% set q = q ~ '!' %}{{ q }}",
    "{% set q = 1 %}{% for p in passages %}{% set q = 2 %}{{ q }}{% endfor %}{{ q }}",
    "{% if checks.account.error %}a{% elif empty %}b{% elif yes and not nothing %}c{% else %}d"
    "{% endif %}",
    "{# a comment #}{% raw %}{{ not this }}{% endraw %}",
    "{{ nothing }} {{ yes }} {{ ratio }} {{ minus }} {{ input['items'] }} {{ checks }}",
    "{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 % 3 }} {{ 'a' + 'b' }} {{ [1] + [2] }} "
    "{{ -minus }}",
    "{{ 1 < 2 <= 2 }} {{ 'a' in 'cat' }} {{ 'z' not in input['items'] }} {{ 'n' in input }}",
    "{{ yes and 'x' or 'y' }} {{ nothing or 'd' }} {{ not yes }} {{ 'a' if yes else 'b' }}",
    "{{ question[1:6] }} {{ question[-3] }} {{ input['items'][::-1] }} {{ input['items'][1:] }}",
    "{{ passages.0.id }} {{ passages[1]['meta'].page }} {{ passages[-1].id }}",
    "{{ passages | length }} {{ question | length }} {{ input | count }}",
    "{{ missing | default('none') }} {{ '' | d('x', true) }} {{ input.q | default(3) }}",
    "{{ passages | first }} {{ input['items'] | last }} {{ empty | first | default('nil') }}",
    "{{ input['items'] | join(', ') }} {{ passages | join('-', attribute='id') }} "
    "{{ 'ab' | join }}",
    "{{ passages | map(attribute='meta.page') | list }} {{ passages | sum('score') }}",
    "{{ input['items'] | sort }} "
    "{{ passages | sort(attribute='meta.page') | map(attribute='id')|list }}",
    "{{ input['items'] | sort(true, true) }} {{ input['items'] | unique | list }}",
    "{{ passages | selectattr('text') | map(attribute='id') | list }}",
    "{{ passages | rejectattr('score', 'gt', 2) | map(attribute='id') | list }}",
    "{{ [3, 1] | min }} {{ ['b', 'A'] | max }} {{ passages | max(attribute='score') }}",
    "{{ 2.567 | round(2) }} {{ 2.5 | round }} {{ 2.1 | round(0, 'ceil') }} {{ 25 | round(-1) }}",
    "{{ '12' | int }} {{ 'x' | int(7) }} {{ '3.7' | int }} {{ '2.5' | float }} {{ 'y' | float }}",
    "{{ minus | abs }} {{ 3 | string ~ 4 }} {{ 'abc' | reverse }} {{ [1, 2] | reverse | list }}",
    "{{ word | title }} {{ word | capitalize }} {{ word | wordcount }} {{ word | lower }}",
    "{{ 'one two three four' | truncate(12) }} "
    "{{ 'one two three four' | truncate(9, true, '~', 0) }}",
    "{{ 'a\n\nb\n' | indent }}|{{ 'a\n\nb' | indent(2, true, true) }}|{{ '' | indent }}",
    "{{ 'aaa' | replace('a', 'b', 2) }} {{ 'aaa' | replace('a', '') }} "
    "{{ 'ab' | replace('', '-') }}",
    "{{ 'xxhixx' | trim('x') }}",
    "{{ question is defined }} {{ missing is defined }} {{ missing is undefined }}",
    "{{ nothing is none }} {{ yes is true }} {{ 1 is number }} {{ 'a' is string }} {{ 1 is odd }}",
    "{{ [] is sequence }} {{ {} is mapping }} {{ 'a' is iterable }} {{ 6 is divisibleby 3 }}",
    "{{ 1 is in [1] }} {{ 1 is eq 1 }} {{ 2 is gt 1 }} {{ yes is boolean }} {{ yes is integer }}",
    "{{ 1.0 is float }} {{ 2 is even }} {{ 1 is not equalto 2 }}",
    "{{ {'a': 1, 'b': [2]} }} {{ (1, 'a')[1] }}",
    "{{ input._id }}",
]


@pytest.mark.parametrize("text", AS_JINJA)
def test_what_is_allowed_means_what_it_means_in_jinja(text: str) -> None:
    jinja = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    wanted = jinja.from_string(text).render(VARIABLES)
    assert check_template(text) == []
    assert render(text, **VARIABLES) == wanted


def test_json_is_written_plainly_and_in_the_order_of_the_data() -> None:
    value = {"b": "<é> & 'x'", "a": [1, None, True]}
    assert render("{{ v | tojson }}", v=value) == json.dumps(value, ensure_ascii=False)
    assert render("{{ v | tojson(indent=2) }}", v=[1]) == "[\n  1\n]"


def test_a_field_is_a_field_of_the_data_even_if_python_has_one_of_that_name() -> None:
    data = {"items": 3, "keys": "k", "get": None}
    assert render("{{ d.items }}{{ d.keys }}{{ d.get }}", d=data) == "3kNone"


def test_what_may_be_missing_is_asked_for_at_any_depth() -> None:
    assert render("{{ a.b.c | default('x') }}{{ a.b is defined }}", a={}) == "xFalse"


texts = st.text() | st.sampled_from(
    ["{{ 7 * 7 }}", "{% for x in y %}", "{#", "%}", "{{", "}}", "{% raw %}", "#}", "\n", "\r\n"]
)


@given(st.lists(texts).map("".join))
def test_data_is_never_a_template(data: str) -> None:
    assert render("{{ d }}|{% for x in [d] %}{{ x }}{% endfor %}", d=data) == f"{data}|{data}"
    assert render_value("{{ d }}", {"d": data}) == data
    assert render_value({"k": ["<{{ d }}>"]}, {"d": data}) == {"k": [f"<{data}>"]}


@given(st.text(alphabet="ab{}%#-|.([])'\"~ \nifor", max_size=60))
def test_any_text_is_a_template_or_has_a_flaw(text: str) -> None:
    flaws = check_template(text)
    assert all(line >= 1 and message for line, message in flaws)
    assert bool(flaws) == (ending(text) == "refused")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n{{ nmae }}", "t, line 2: 'nmae' is not defined"),
        ("{{ input.qestion }}", "t, line 1: 'input' has no field 'qestion'"),
        ("{{ input['qestion'].x }}", "t, line 1: 'input' has no field 'qestion'"),
        ("{{ input.question.x }}", "t, line 1: 'input.question' is a text and has no field 'x'"),
        ("{{ passages[2] }}", "t, line 1: 'passages' has no item 2"),
        ("{{ nothing.x }}", "t, line 1: 'nothing' is null and has no field 'x'"),
        ("a\n{% if missing %}{% endif %}", "t, line 2: 'missing' is not defined"),
        ("{% for x in question %}{% endfor %}", "t, line 1: 'question' is a text, not a list"),
        ("{% for x in missing %}{% endfor %}", "t, line 1: 'missing' is not defined"),
        ("{{ 1 / 0 }}", "t, line 1: division by zero"),
        ("{{ 'a' * 3 }}", "t, line 1: a text is not a number"),
        ("{{ passages | map(attribute='x') | list }}", "t, line 1: an element has no field 'x'"),
        ("{{ empty | first }}", "t, line 1: what `first` is asked of has no item 0"),
        ("{% if true %}\n\n{{ question }}{{ x }}{% endif %}", "t, line 3: 'x' is not defined"),
    ],
)
def test_an_error_names_the_line_and_the_field(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as raised:
        render(text, **VARIABLES)
    assert str(raised.value) == message
    assert raised.value.name == "t"


def test_a_value_that_is_no_json_cannot_be_shown() -> None:
    for text in ("{{ v }}", "{{ v | tojson }}", "{{ v == 1 }}", "{{ [v] | string }}"):
        with pytest.raises(TemplateError, match="cannot stand in a template"):
            render(text, v=object())


def test_all_flaws_are_told_with_their_lines() -> None:
    assert check_template("{% include 'a' %}\n{{ x() }}\n{{ x | nope }}{{ y is nope }}") == [
        (1, "`include` is not allowed in a template"),
        (2, "calls are not allowed in a template (there are filters: `mapping | items`)"),
        *[(3, message) for _, message in check_template("{{ x | nope }}{{ y is nope }}")],
    ]
    assert check_template("ok\n{{ x")[0][0] == 2
    with pytest.raises(TemplateError, match=r"^t, line 2: calls are not allowed"):
        PromptTemplate(Template("t", "\n{{ x() }}"))


def test_wrong_arguments_of_a_filter_are_found_before_anything_runs() -> None:
    assert check_template("{{ x | replace('a') }}") == [
        (1, "'replace': missing a required argument: 'new'")
    ]
    assert len(check_template("{{ x | map('upper') }}{{ x | join(a=1) }}")) == 2


EXPRESSIONS = [
    ("output.amount <= 100 and output.category in ['a', 'b']", True),
    ("question | length > 400", False),
    ("'refund' in question | lower", True),
    ("passages | length == 0", False),
    ("passages[0].score < 2.5", True),
    ("confidence is not none and confidence < 0.6", True),
    ("output.note is defined", False),
    ("not checks", True),
    ("checks", False),
    ("output", True),
]


@pytest.mark.parametrize(("text", "wanted"), EXPRESSIONS)
def test_expressions(text: str, *, wanted: bool) -> None:
    variables = {
        "output": {"amount": 100, "category": "b"},
        "question": "Where is my Refund?",
        "passages": [{"score": 2}],
        "confidence": 0.5,
        "checks": {},
    }
    assert check_expression(text) == []
    assert Expression(Template("e", text)).holds(variables) is wanted


def test_an_expression_keeps_the_type_of_its_value() -> None:
    assert Expression(Template("e", "[a, a.b]")).value({"a": {"b": None}}) == [{"b": None}, None]


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "a }} {{ b", "{{ a }}", "a,", "f(x)", "(a", "x %}"]
)
def test_what_is_no_expression(text: str) -> None:
    assert len(check_expression(text)) == 1
    with pytest.raises(TemplateError):
        Expression(Template("e", text))


def test_a_long_expression_is_refused() -> None:
    assert check_expression("a or " * 10_000 + "a") == ["it is longer than 20,000 characters"]


def test_the_names_that_a_template_needs() -> None:
    text = """
        {% set q = question %}{{ q }}{% for p in passages if p.x == limit %}{{ p }}{{ loop.index }}
        {% endfor %}{{ p }}{{ maybe | default(other) }}{{ perhaps.x is defined }}
    """
    assert names_of(text) == {"question", "passages", "limit", "p", "other"}
    assert names_of("a.b[c] > d", expression=True) == {"a", "c", "d"}
    assert names_of("{{ broken") == set()


def test_the_fields_that_a_template_needs() -> None:
    text = "{{ input.a }}{{ input['b'].c }}{{ input.d | default(1) }}{{ other.e }}{{ input[k] }}"
    assert field_names(text, "input") == {"a", "b"}
    assert field_names("input.a and (input.b is defined)", "input", expression=True) == {"a"}
    assert field_names("{% for input in x %}{{ input.a }}{% endfor %}", "input") == set()


def test_texts_inside_a_value_are_templates() -> None:
    variables = {"id": 7, "tags": ["a"], "name": "Ann"}
    value = {
        "id": "{{ id }}",
        "tags": "{{ tags }}\n",
        "text": "Dear {{ name }}",
        "pair": "{{ id }}{{ id }}",
        "fixed": [1, None, "{{ x"[:1]],
        "{{ id }}": True,
    }
    assert render_value(value, variables) == {
        "id": 7,
        "tags": ["a"],
        "text": "Dear Ann",
        "pair": "77",
        "fixed": [1, None, "{"],
        "{{ id }}": True,
    }
    with pytest.raises(TemplateError, match="calls are not allowed"):
        render_value("{{ id() }}", variables)
    with pytest.raises(TemplateError, match=r"^w: |^w, line 1: 'nope' is not defined$"):
        render_value(["{{ nope }}"], variables, "w")


def render(text: str, /, **variables: object) -> str:
    return PromptTemplate(Template("t", text)).render(variables)
