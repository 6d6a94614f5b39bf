"""From text to Jinja's syntax tree, within limits. Jinja's parser runs none of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

T = TypeVar("T", bound="nodes.Node")

MAX_TEMPLATE_CHARS = 1_000_000
MAX_EXPRESSION_CHARS = 20_000
MAX_TOKENS = 60_000
MAX_NODES = 10_000
MAX_DEPTH = 100


class Flaw(NamedTuple):
    """What is wrong, and on which line (from 1)."""

    line: int
    message: str


class SyntaxFlawError(Exception):
    """The text is no template."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.flaw = Flaw(line, message)


def parse_template(text: str) -> nodes.Template:
    """The tree of a template.

    Raises:
        SyntaxFlawError: if it is none, or if it is too large.
    """

    def parse() -> nodes.Template:
        for count, _token in enumerate(_environment().lex(text)):
            if count > MAX_TOKENS:
                raise SyntaxFlawError(1, f"it has more than {MAX_TOKENS:,} parts")
        return _environment().parse(text)

    return _parse(text, MAX_TEMPLATE_CHARS, parse)


def parse_expression(text: str) -> nodes.Expr:
    """The tree of an expression.

    Raises:
        SyntaxFlawError: if it is none, or if it is too large.
    """

    def parse() -> nodes.Expr:
        from jinja2.parser import Parser

        parser = Parser(_environment(), text, state="variable")
        found = parser.parse_expression()
        if not parser.stream.eos:
            raise SyntaxFlawError(parser.stream.current.lineno, "there is more than one expression")
        return found

    if not text.strip():
        raise SyntaxFlawError(1, "the expression is empty")
    return _parse(text, MAX_EXPRESSION_CHARS, parse)


def _parse(text: str, limit: int, parse: Callable[[], T]) -> T:
    from jinja2 import TemplateSyntaxError

    if len(text) > limit:
        raise SyntaxFlawError(1, f"it is longer than {limit:,} characters")
    try:
        tree = parse()
    except TemplateSyntaxError as error:
        message = (error.message or "a syntax error").rstrip(".")
        raise SyntaxFlawError(error.lineno, f"it cannot be read: {message}") from None
    except RecursionError:
        raise SyntaxFlawError(1, "it nests too deep") from None
    except (ValueError, OverflowError, SyntaxError) as error:  # numbers and escapes
        raise SyntaxFlawError(1, f"a literal is wrong ({error})") from None
    _check_size(tree)
    return tree


def _check_size(tree: nodes.Node) -> None:
    count = 0
    level: list[nodes.Node] = [tree]
    for _depth in range(MAX_DEPTH):
        level = [child for node in level for child in node.iter_child_nodes()]
        count += len(level)
        if count > MAX_NODES:
            raise SyntaxFlawError(1, f"it has more than {MAX_NODES:,} parts")
        if not level:
            return
    raise SyntaxFlawError(getattr(level[0], "lineno", 1), "it nests too deep")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, autoescape=False
    )
