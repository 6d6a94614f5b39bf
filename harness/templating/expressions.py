"""From the expressions of Jinja's syntax tree to functions of a frame.

Nothing becomes Python code: every node is a closure that reads JSON values and pays for its work
(`runtime`). There are no calls, and a field is a field of the data, never an attribute of an
object, so there is no road from a template to Python. What is not listed here is refused.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from harness.core.values import JsonValue
from harness.templating.filters import FILTERS, MAY_BE_MISSING, TESTS, compare
from harness.templating.parsing import Flaw
from harness.templating.runtime import Frame, Halt, Missing, field_of, kind, show

Eval: TypeAlias = Callable[[Frame], JsonValue]

_LOOP: dict[str, Callable[[int, int], JsonValue]] = {
    "index": lambda index, length: index + 1,
    "index0": lambda index, length: index,
    "revindex": lambda index, length: length - index,
    "revindex0": lambda index, length: length - index - 1,
    "first": lambda index, length: index == 0,
    "last": lambda index, length: index == length - 1,
    "length": lambda index, length: length,
}


class ExpressionCompiler:
    """Compiles an expression; collects all that is wrong with it.

    `names` are the variables that it needs; `fields` are the fields that it needs of each of
    them, where they are written out. Those that `default` or `is defined` ask for are not needed.
    """

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self.names: set[str] = set()
        self.fields: defaultdict[str, set[str]] = defaultdict(set)
        self.local: set[str] = set()
        self.loops = 0
        self.parts = 0
        self._optional = 0

    def expr(self, node: Any) -> Eval:
        """What gives the value of an expression; a missing one ends the rendering."""
        optional, self._optional = self._optional, 0
        evaluate = self._maybe(node)
        self._optional = optional
        if not _can_be_missing(node):
            return evaluate

        def checked(frame: Frame) -> JsonValue:
            value = evaluate(frame)
            if isinstance(value, Missing):
                raise Halt(value.why)
            return value

        return checked

    def _maybe(self, node: Any) -> Eval:
        """What gives the value of an expression, which may be `Missing`."""
        self.parts += 1
        name = type(node).__name__
        if name not in _EXPRESSIONS:
            self.refuse(node, _REFUSED.get(name, f"`{name}` is not allowed in a template"))
            return nothing
        made: Eval = _EXPRESSIONS[name](self, node)
        return made

    def priced(self, node: Any) -> tuple[Eval, int]:
        """`expr`, and what one evaluation costs beside its filters and comparisons."""
        before = self.parts
        return self.expr(node), self.parts - before

    def _const(self, node: Any) -> Eval:
        value = node.value
        return lambda frame: value

    def _name(self, node: Any) -> Eval:
        name = node.name
        missing = Missing(f"'{name}' is not defined")
        if name.startswith("__"):
            self.refuse(node, f"'{name}': names that start with __ are not allowed")
        if name == "loop":
            self.refuse(node, "`loop` is known inside a for, with one of: " + ", ".join(_LOOP))
        if name not in self.local:
            if not self._optional:
                self.names.add(name)
            return lambda frame: frame.variables.get(name, missing)

        def local(frame: Frame) -> JsonValue:
            found = frame.locals.get(name, missing)
            return frame.variables.get(name, missing) if found is missing else found

        return local

    def _getattr(self, node: Any) -> Eval:
        if is_a(node.node, "Name") and node.node.name == "loop" and self.loops:
            figure = _LOOP.get(node.attr)
            if figure:
                return lambda frame: figure(*frame.locals["loop"])
        return self._field(node, node.attr)

    def _getitem(self, node: Any) -> Eval:
        if is_a(node.arg, "Slice"):
            return self._slice(node)
        if is_a(node.arg, "Const"):
            return self._field(node, node.arg.value)
        value, key, what = self._maybe(node.node), self.expr(node.arg), f"'{source_of(node.node)}'"

        def get(frame: Frame) -> JsonValue:
            found = value(frame)
            return found if isinstance(found, Missing) else field_of(found, key(frame), what)

        return get

    def _field(self, node: Any, key: JsonValue) -> Eval:
        if isinstance(key, str) and key.startswith("__"):
            self.refuse(node, f"'{key}': fields that start with __ are not allowed")
        owner = node.node
        known = is_a(owner, "Name") and owner.name not in self.local
        if known and isinstance(key, str) and not self._optional:
            self.fields[owner.name].add(key)
        value, what = self._maybe(owner), f"'{source_of(owner)}'"

        def get(frame: Frame) -> JsonValue:
            found = value(frame)
            return found if isinstance(found, Missing) else field_of(found, key, what)

        return get

    def _slice(self, node: Any) -> Eval:
        value = self.expr(node.node)
        limits = [
            self.expr(limit) if limit is not None else nothing
            for limit in (node.arg.start, node.arg.stop, node.arg.step)
        ]
        what = f"'{source_of(node.node)}'"

        def cut(frame: Frame) -> JsonValue:
            found = value(frame)
            if not isinstance(found, str | list | tuple):
                raise Halt(f"{what} is {kind(found)} and cannot be cut")
            part = slice(*(limit(frame) for limit in limits))
            return frame.made(found[part])

        return cut

    def _many(self, node: Any) -> Eval:
        elements = [self.expr(element) for element in node.items]
        if is_a(node, "Tuple"):
            return lambda frame: tuple(element(frame) for element in elements)
        return lambda frame: [element(frame) for element in elements]

    def _dict(self, node: Any) -> Eval:
        pairs = [(self.expr(pair.key), self.expr(pair.value)) for pair in node.items]

        def make(frame: Frame) -> JsonValue:
            made = {key(frame): value(frame) for key, value in pairs}
            if not all(isinstance(key, str) for key in made):
                raise Halt("the keys of a mapping are texts")
            return made

        return make

    def _both(self, node: Any) -> Eval:
        left, right = self.expr(node.left), self.expr(node.right)
        if is_a(node, "And"):
            return lambda frame: left(frame) and right(frame)
        return lambda frame: left(frame) or right(frame)

    def _not(self, node: Any) -> Eval:
        value = self.expr(node.node)
        return lambda frame: not value(frame)

    def _choice(self, node: Any) -> Eval:
        if node.expr2 is None:
            self.refuse(node, "an `if` inside an expression needs an `else`")
            return nothing
        condition = self.expr(node.test)
        then, otherwise = self.expr(node.expr1), self.expr(node.expr2)
        return lambda frame: then(frame) if condition(frame) else otherwise(frame)

    def _compare(self, node: Any) -> Eval:
        first = self.expr(node.expr)
        others = [(operand.op, self.expr(operand.expr)) for operand in node.ops]

        def check(frame: Frame) -> bool:
            left = first(frame)
            for operator, other in others:
                right = other(frame)
                if not compare(frame, operator, left, right):
                    return False
                left = right
            return True

        return check

    def _sign(self, node: Any) -> Eval:
        value, negative = self.expr(node.node), is_a(node, "Neg")

        def apply(frame: Frame) -> JsonValue:
            number = calculate(frame, "Add", value(frame), 0)
            return -number if negative else number

        return apply

    def _arithmetic(self, node: Any) -> Eval:
        left, right = self.expr(node.left), self.expr(node.right)
        operator = type(node).__name__
        return lambda frame: calculate(frame, operator, left(frame), right(frame))

    def _concat(self, node: Any) -> Eval:
        parts = [self.expr(part) for part in node.nodes]

        def join(frame: Frame) -> str:
            texts: list[str] = []
            for part in parts:
                texts.append(show(frame, part(frame)))
                frame.room_for(sum(map(len, texts)))
            return "".join(texts)

        return join

    def _filter(self, node: Any) -> Eval:
        if node.node is None:
            self.refuse(node, "`filter` is not allowed in a template")
            return nothing
        function = FILTERS.get(node.name)
        if function is None:
            known = ", ".join(sorted(FILTERS))
            self.refuse(node, f"there is no filter '{node.name}' here (known: {known})")
            return nothing
        apply = self._applied(node, function, fills=node.name in {"default", "d"})
        return lambda frame: frame.made(apply(frame))

    def _test(self, node: Any) -> Eval:
        function = TESTS.get(node.name)
        if function is None:
            known = ", ".join(sorted(TESTS))
            self.refuse(node, f"there is no test '{node.name}' here (known: {known})")
            return nothing
        return self._applied(node, function, fills=node.name in {"defined", "undefined"})

    def _applied(self, node: Any, function: Callable[..., JsonValue], *, fills: bool) -> Eval:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self.refuse(node, "`*` and `**` are not allowed in a template")
        self._optional += fills
        value = self._maybe(node.node) if fills else self.expr(node.node)
        self._optional -= fills
        arguments = [self.expr(argument) for argument in node.args]
        named = {pair.key: self.expr(pair.value) for pair in node.kwargs}
        try:
            inspect.signature(function).bind(None, None, *arguments, **named)
        except TypeError as error:
            self.refuse(node, f"'{node.name}': {error}")
        if not arguments and not named:
            return lambda frame: function(frame, value(frame))

        def apply(frame: Frame) -> JsonValue:
            given = [argument(frame) for argument in arguments]
            return function(
                frame, value(frame), *given, **{key: each(frame) for key, each in named.items()}
            )

        return apply

    def refuse(self, node: Any, message: str) -> None:
        """Note what is wrong with a node."""
        self.flaws.append(Flaw(getattr(node, "lineno", 1), message))


def calculate(frame: Frame, operator: str, left: JsonValue, right: JsonValue) -> JsonValue:
    """Arithmetic of numbers; `+` also joins two texts or two lists.

    Raises:
        Halt: for anything else, and for numbers that grow without bound.
    """
    if operator == "Add" and type(left) is type(right) and isinstance(left, str | list):
        return frame.made(left + right)
    for value in (left, right):
        if not isinstance(value, int | float):
            raise Halt(f"{kind(value)} is not a number")
        if isinstance(value, int) and value.bit_length() > 1024:
            raise Halt("a number is too large")
    return _ARITHMETIC[operator](left, right)


_ARITHMETIC: Mapping[str, Callable[[Any, Any], JsonValue]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
    "FloorDiv": lambda a, b: a // b,
    "Mod": lambda a, b: a % b,
}

_EXPRESSIONS: dict[str, Callable[[ExpressionCompiler, Any], Eval]] = {
    "Const": ExpressionCompiler._const,
    "Name": ExpressionCompiler._name,
    "Getattr": ExpressionCompiler._getattr,
    "Getitem": ExpressionCompiler._getitem,
    "List": ExpressionCompiler._many,
    "Tuple": ExpressionCompiler._many,
    "Dict": ExpressionCompiler._dict,
    "And": ExpressionCompiler._both,
    "Or": ExpressionCompiler._both,
    "Not": ExpressionCompiler._not,
    "CondExpr": ExpressionCompiler._choice,
    "Compare": ExpressionCompiler._compare,
    "Neg": ExpressionCompiler._sign,
    "Pos": ExpressionCompiler._sign,
    **dict.fromkeys(_ARITHMETIC, ExpressionCompiler._arithmetic),
    "Concat": ExpressionCompiler._concat,
    "Filter": ExpressionCompiler._filter,
    "Test": ExpressionCompiler._test,
}
_REFUSED = {
    "Call": "calls are not allowed in a template (there are filters: `mapping | items`)",
    "Pow": "`**` is not allowed in a template",
}


def is_a(node: Any, name: str) -> bool:
    """Whether a node is of the class of that name; jinja2 is not imported for it."""
    return type(node).__name__ == name


def _can_be_missing(node: Any) -> bool:
    if is_a(node, "Filter"):
        return node.name in MAY_BE_MISSING
    return type(node).__name__ in {"Name", "Getattr", "Getitem"}


def nothing(frame: Frame) -> None:
    """Stands where nothing is to be done."""


def source_of(node: Any) -> str:
    """A name or field as it is written, for messages."""
    if is_a(node, "Name"):
        return str(node.name)
    if is_a(node, "Getattr"):
        return f"{source_of(node.node)}.{node.attr}"
    if is_a(node, "Getitem") and is_a(node.arg, "Const"):
        return f"{source_of(node.node)}[{str(node.arg.value)[:40]!r}]"
    if is_a(node, "Filter") and node.node is not None:
        return f"{source_of(node.node)} | {node.name}"
    return "a value"
