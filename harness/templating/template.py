"""Templates of prompts and expressions over data: a part of Jinja that is safe to take from anyone.

What there is: docs/reference/templates.md. How it is kept safe: `compiler` and `runtime`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeVar

from harness.core.values import JsonValue
from harness.core.variant import Template
from harness.templating.compiler import Compiler, Run
from harness.templating.expressions import Eval
from harness.templating.parsing import Flaw, SyntaxFlawError, parse_expression, parse_template
from harness.templating.runtime import Frame, Halt, TemplateError

__all__ = [
    "Expression",
    "PromptTemplate",
    "TemplateError",
    "check_expression",
    "check_template",
    "field_names",
    "names_of",
    "render_value",
]

T = TypeVar("T")


class PromptTemplate:
    """A template, compiled once and rendered often."""

    def __init__(self, template: Template) -> None:
        """Compile.

        Raises:
            TemplateError: with the first thing that is wrong; `check_template` lists all.
        """
        self.name = template.name
        self._run = _compiled(template, _compile_template)

    def render(self, variables: Mapping[str, JsonValue]) -> str:
        """The text. What stands in the variables is data and never a template.

        Raises:
            TemplateError: if a variable or field is missing or has the wrong type, or if
                rendering takes too much work.
        """
        frame = Frame(variables)
        _guarded(self.name, frame, self._run)
        return "".join(frame.out)


class Expression:
    """An expression, compiled once and evaluated often."""

    def __init__(self, template: Template) -> None:
        """Compile.

        Raises:
            TemplateError: with what is wrong.
        """
        self.name = template.name
        self._evaluate = _compiled(template, _compile_expression)

    def value(self, variables: Mapping[str, JsonValue]) -> JsonValue:
        """The value, with its type.

        Raises:
            TemplateError: as `PromptTemplate.render` does.
        """
        return _guarded(self.name, Frame(variables), self._evaluate)

    def holds(self, variables: Mapping[str, JsonValue]) -> bool:
        """Whether the value is true; null, 0, and what is empty are not.

        Raises:
            TemplateError: as `PromptTemplate.render` does.
        """
        return bool(self.value(variables))


def check_template(text: str) -> list[tuple[int, str]]:
    """All that is wrong with a template, as (line, message)."""
    return [(flaw.line, flaw.message) for flaw in _compile_template(text)[1].flaws]


def check_expression(text: str) -> list[str]:
    """All that is wrong with an expression."""
    return [flaw.message for flaw in _compile_expression(text)[1].flaws]


def names_of(text: str, *, expression: bool = False) -> set[str]:
    """The variables that a template needs, or an expression does.

    Those that are asked for only with `default` or `is defined` are not needed. Text that is no
    template needs none.
    """
    return set(_look_through(text, expression=expression).names)


def field_names(text: str, name: str, *, expression: bool = False) -> set[str]:
    """The fields that it needs of the variable `name`, where they are written out.

    `input.question` and `input['question']` need the field `question` of `input`.
    """
    return set(_look_through(text, expression=expression).fields.get(name, ()))


def render_value(value: JsonValue, variables: Mapping[str, JsonValue], name: str = "") -> JsonValue:
    """`value` with every text in it rendered; keys stay as they are.

    A text that is one `{{ expression }}` and nothing else becomes the expression's value, of
    whatever type.

    Raises:
        TemplateError: if a text is no template, or as `PromptTemplate.render` does.
    """
    if isinstance(value, str):
        return _text_value(Template(name, value))(variables)
    if isinstance(value, Mapping):
        return {key: render_value(item, variables, name) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render_value(item, variables, name) for item in value]
    return value


@lru_cache(maxsize=512)
def _text_value(template: Template) -> Callable[[Mapping[str, JsonValue]], JsonValue]:
    evaluate = _compiled(template, _compile_single)
    if evaluate is None:
        return PromptTemplate(template).render
    return lambda variables: _guarded(template.name, Frame(variables), evaluate)


def _compile_template(text: str) -> tuple[Run, Compiler]:
    compiler = Compiler()
    try:
        return compiler.body(parse_template(text).body), compiler
    except SyntaxFlawError as error:
        compiler.flaws.append(error.flaw)
        return _nothing, compiler


def _compile_expression(text: str) -> tuple[Eval, Compiler]:
    compiler = Compiler()
    try:
        return compiler.expr(parse_expression(text)), compiler
    except SyntaxFlawError as error:
        compiler.flaws.append(error.flaw)
        return _nothing, compiler


def _compile_single(text: str) -> tuple[Eval | None, Compiler]:
    """The one expression that the text is; None if it is not just one."""
    compiler = Compiler()
    try:
        body = parse_template(text.strip()).body
    except SyntaxFlawError as error:
        compiler.flaws.append(error.flaw)
        return None, compiler
    parts = [part for output in body for part in getattr(output, "nodes", (None, None))]
    if len(parts) != 1 or type(parts[0]).__name__ == "TemplateData":
        return None, compiler
    return compiler.expr(parts[0]), compiler


def _compiled(template: Template, compile_: Callable[[str], tuple[T, Compiler]]) -> T:
    made, compiler = compile_(template.text)
    if compiler.flaws:
        flaw: Flaw = min(compiler.flaws)
        raise TemplateError(template.name, flaw.line, flaw.message)
    return made


def _look_through(text: str, *, expression: bool) -> Compiler:
    return (_compile_expression(text) if expression else _compile_template(text))[1]


def _guarded(name: str, frame: Frame, run: Callable[[Frame], T]) -> T:
    """Run, and turn what can go wrong into a TemplateError."""
    try:
        return run(frame)
    except Halt as error:
        raise TemplateError(name, frame.line, str(error)) from None
    except RecursionError:
        raise TemplateError(name, frame.line, "a value nests too deep") from None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise TemplateError(name, frame.line, str(error)) from None


def _nothing(frame: Frame) -> None:
    """Stands for what could not be compiled."""
