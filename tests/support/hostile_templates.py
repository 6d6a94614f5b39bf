"""Templates that try to reach Python, or to use up memory or time.

Run as a program, it renders all of them inside limits of memory and CPU time that the caller sets,
and prints for each, as a JSON line, how it ended: `refused` (at compile time), `error` (a
TemplateError), or the length of what it gave.
"""

from __future__ import annotations

import json
import sys

from harness.core.variant import Template
from harness.templating.template import PromptTemplate, TemplateError, check_template

REFUSED = [
    "{{ ''.__class__.__mro__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ()|attr('__class__') }}",
    "{{ question|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ question['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os }}",
    "{{ url_for.__globals__ }}",
    "{{ config.__class__.from_envvar.__globals__.__builtins__ }}",
    "{{ loop }}",
    "{% for p in passages %}{{ loop.__class__ }}{% endfor %}",
    "{% for p in passages %}{{ loop.cycle }}{% endfor %}",
    "{% for p in passages recursive %}{{ loop(passages) }}{% endfor %}",
    "{{ [].append(1) }}",
    "{{ input.update({'a': 1}) }}",
    "{{ 'x'.join(passages) }}",
    "{{ '{0.__class__}'.format(question) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ 'x'|center(1000000000) }}",
    "{{ range(1000000000) }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "{{ lipsum(n=1000000) }}",
    "{{ dict(a=1) }}",
    "{{ namespace(x=1) }}",
    "{% set ns.x = 1 %}",
    "{% set __x = 1 %}",
    "{% set loop = 1 %}",
    "{% set big %}{{ text }}{{ text }}{% endset %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% call m() %}{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% include '/etc/passwd' %}",
    "{% include question %}",
    "{% import 'os' as os %}",
    "{% from 'os' import popen %}",
    "{% extends 'base' %}",
    "{% block a %}{% endblock %}",
    "{% with a = 1 %}{% endwith %}",
    "{% autoescape true %}{% endautoescape %}",
    "{% do question %}",
    "{% debug %}",
    "{{ 10 ** 1000000000 }}",
    "{{ 9**9**9**9 }}",
    "{{ question|map('upper') }}",
    "{{ passages|map(attribute='id', default=1) }}",
    "{{ passages|random }}",
    "{{ question|pprint }}",
    "{{ question|xmlattr }}",
    "{{ question|safe }}",
    "{{ question is sameas(question) }}",
    "{{ question is callable }}",
    "{{ question|default(*passages) }}",
    "{{ question|default(**input) }}",
    "{{ x if y }}",
    "{{ 0x" + "f" * 200_000 + " }}" + "{{ 1" + "0" * 5000 + " }}",
    "{{ '\\N{no such letter}' }}",
    "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "{{ " + "[" * 20_000 + "1" + "]" * 20_000 + " }}",
    "{{ " + "not " * 5000 + "x }}",
    "{{ x" + ".a" * 5000 + " }}",
    "{{ " + " + ".join(["1"] * 5000) + " }}",
    "{% if x %}" * 500 + "{% endif %}" * 500,
    "{% if x %}" + "{% elif x %}" * 20_000 + "{% endif %}",
    "{% for a in b %}" * 200 + "{% endfor %}" * 200,
    "{{ x }}" * 100_000,
    "x" * 10_000_000,
    "{{" * 100_000,
    "{#" * 100_000,
    "{{ 'x",
    "{% raw %}" * 1000,
]
"""Each is a flaw that `check_template` tells."""

_DOUBLED = "{% set x = x ~ x %}" * 60

ENDED = [
    "{{ question.upper }}",
    "{{ input.items }}",
    "{{ input.keys }}",
    "{{ passages.append }}",
    "{{ question.format }}",
    "{{ question._formatter_parser }}",
    "{{ input['_' ~ '_class_' ~ '_'] }}",
    "{{ question['_' ~ '_class_' ~ '_'] }}",
    "{{ joiner }}",
    "{{ self }}",
    "{{ cycler }}",
    "{{ 'x' * 1000000000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ '%1000000000d' % 1 }}",
    "{% set x = 'x' %}" + _DOUBLED + "{{ x }}",
    "{% set x = text %}" + _DOUBLED,
    "{% set x = 'x' %}" + "{% set x = x + x %}" * 60,
    "{% set x = [1] %}" + "{% set x = x + x %}" * 60,
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}",
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x | tojson }}",
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x == x }}",
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ 1 in x }}",
    "{% set x = [1] %}" + "{% set x = {'a': x, 'b': x} %}" * 60 + "{{ x | string }}",
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ [x, x] | sort }}",
    "{% set x = '\"' %}" + "{% set x = x | tojson %}" * 40,
    "{% set x = text %}" + "{% set x = x | replace('a', x) %}" * 9,
    "{{ text | replace('', text) }}",
    "{{ text | list | join(text) }}",
    "{{ text | indent(1000000000) }}",
    "{{ lines | indent(40) | indent(40) | indent(40) | indent(40) | tojson }}" * 20,
    "{{ passages | tojson(1000000000) }}",
    "{{ 1.5 | round(1000000000) }}",
    "{{ 15 | round(-1000000000) }}",
    "{{ 1.5 | round(1000000000, 'floor') }}",
    "{% set x = 99999999 %}" + "{% set x = x * x %}" * 60,
    "{% for a in big %}{% for b in big %}x{% endfor %}{% endfor %}",
    "{% for a in big %}{% for b in big if false %}{% endfor %}{% endfor %}",
    "{% for a in big %}{% for b in big %}{% for c in big %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in big %}{% set q = text | upper %}{% endfor %}",
    "{% for a in big %}{% if text == text ~ 'b' %}{% endif %}{% endfor %}",
    "{% for a in big %}{% if 'ab' in text %}{% endif %}{% endfor %}",
    "{% for a in big %}{% if big | sort | length %}{% endif %}{% endfor %}",
    "{% for a in big %}{{ text }}{% endfor %}",
    "{% for a in big %}{{ big | sum }}{{ big | unique }}{{ big | max }}{% endfor %}",
    "{{ text }}" * 100,
    "{{ text ~ text ~ text ~ text ~ text ~ text ~ text ~ text ~ text ~ text ~ text ~ text }}",
    "{{ question[::0] }}",
    "{{ question[input] }}",
    "{{ input[passages] }}",
    "{% for a, b in passages %}{% endfor %}",
    "{{ 1 / 0 }}",
    "{{ 5 % 0 }}",
    "{{ 1e308 | int * 10 | tojson }}{{ 1e999 | tojson }}",
    "{{ -question }}",
    "{% for a in big %}{{ colliding | unique | length }}{% endfor %}",
    "{{ deep | tojson }}{{ deep == deep2 }}{{ deep | string }}",
]
"""Each compiles, and ends in a TemplateError."""

_DEEP: list[object] = []
_DEEP2: list[object] = []
for _ in range(50_000):
    _DEEP, _DEEP2 = [_DEEP], [_DEEP2]

VARIABLES = {
    "question": "what?",
    "input": {"question": "what?"},
    "passages": [{"id": "a"}, {"id": "b"}],
    "text": "a" * 500_000,
    "lines": "a\n" * 20_000,
    "big": list(range(100_000)),
    "colliding": [number * ((1 << 61) - 1) for number in range(100_000)],
    "deep": _DEEP,
    "deep2": _DEEP2,
    "x": "x",
    "y": True,
}


def ending(text: str) -> str | int:
    """How a template ends."""
    if check_template(text):
        return "refused"
    try:
        return len(PromptTemplate(Template("t", text)).render(VARIABLES))
    except TemplateError:
        return "error"


if __name__ == "__main__":
    for template in REFUSED + ENDED:
        sys.stdout.write(json.dumps(ending(template)) + "\n")
