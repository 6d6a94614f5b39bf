"""From the statements of Jinja's syntax tree to functions of a frame.

Data, `if`, `for` and `set` are all there is: no macros, no blocks, no imports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.core.values import JsonValue
from harness.templating.expressions import Eval, ExpressionCompiler, is_a, nothing, source_of
from harness.templating.runtime import Frame, Halt, items_of, kind, show

if TYPE_CHECKING:
    from jinja2 import nodes

Run: TypeAlias = Callable[[Frame], None]


class Compiler(ExpressionCompiler):
    """Compiles a template or an expression."""

    def body(self, statements: Sequence[nodes.Node]) -> Run:
        """What runs the statements one after the other."""
        runs = [self._statement(statement) for statement in statements]
        if len(runs) == 1:
            return runs[0]

        def run(frame: Frame) -> None:
            for each in runs:
                each(frame)

        return run

    def _statement(self, node: Any) -> Run:
        name = type(node).__name__
        if name not in _STATEMENTS:
            word = _TAGS.get(name, name.lower())
            self.refuse(node, f"`{word}` is not allowed in a template")
            return nothing
        made: Run = _STATEMENTS[name](self, node)
        return made

    def _output(self, node: Any) -> Run:
        before = self.parts
        pieces: list[tuple[int, str | Eval]] = [
            (child.lineno, child.data if is_a(child, "TemplateData") else self.expr(child))
            for child in node.nodes
        ]
        cost = self.parts - before + len(pieces)

        def run(frame: Frame) -> None:
            frame.spend(cost)
            for line, piece in pieces:
                frame.line = line
                frame.write(piece if isinstance(piece, str) else show(frame, piece(frame)))

        return run

    def _if(self, node: Any) -> Run:
        branches = []
        for each in (node, *node.elif_):
            condition, cost = self.priced(each.test)
            branches.append((each.lineno, condition, cost, self.body(each.body)))
        otherwise = self.body(node.else_)

        def run(frame: Frame) -> None:
            for line, condition, cost, body in branches:
                frame.line = line
                frame.spend(cost)
                if condition(frame):
                    return body(frame)
            return otherwise(frame)

        return run

    def _for(self, node: Any) -> Run:
        if node.recursive:
            self.refuse(node, "a loop cannot be recursive")
        source, cost = self.priced(node.iter)
        local = set(self.local)
        assign = self._target(node.target)
        chosen, choice_cost = self.priced(node.test) if node.test else (None, 0)
        self.loops += 1
        body = self.body(node.body)
        self.loops -= 1
        self.local = local
        otherwise = self.body(node.else_)
        line, what = node.lineno, f"'{source_of(node.iter)}'"

        def choose(frame: Frame, items: list[JsonValue]) -> list[JsonValue]:
            if chosen is None:
                return items
            outer, kept = frame.locals, []
            for item in items:
                frame.spend(choice_cost + len(outer) + 10)
                frame.locals = dict(outer)
                assign(frame, item)
                if chosen(frame):
                    kept.append(item)
            frame.locals = outer
            return kept

        def run(frame: Frame) -> None:
            frame.line = line
            frame.spend(cost)
            items = choose(frame, frame.made(items_of(source(frame), what)))
            outer = frame.locals
            for index, item in enumerate(items):
                frame.spend(len(outer) + 10)
                frame.locals = {**outer, "loop": (index, len(items))}
                frame.line = line
                assign(frame, item)
                body(frame)
            frame.locals = outer
            if not items:
                otherwise(frame)

        return run

    def _set(self, node: Any) -> Run:
        value, cost = self.priced(node.node)
        assign = self._target(node.target)
        line = node.lineno

        def run(frame: Frame) -> None:
            frame.line = line
            frame.spend(cost)
            assign(frame, value(frame))

        return run

    def _target(self, node: Any) -> Callable[[Frame, JsonValue], None]:
        names = [each.name if is_a(each, "Name") else "" for each in getattr(node, "items", [node])]
        if not all(names):
            self.refuse(node, "only a name can be set")
        for name in names:
            if name == "loop" or name.startswith("__"):
                self.refuse(node, f"'{name}' cannot be set")
        self.local.update(names)
        if is_a(node, "Name"):
            return lambda frame, value: frame.locals.__setitem__(names[0], value)

        def unpack(frame: Frame, value: JsonValue) -> None:
            if not isinstance(value, list | tuple) or len(value) != len(names):
                raise Halt(f"{kind(value)} cannot be taken apart into {', '.join(names)}")
            frame.locals.update(zip(names, value, strict=True))

        return unpack


_STATEMENTS: dict[str, Callable[[Compiler, Any], Run]] = {
    "Output": Compiler._output,
    "If": Compiler._if,
    "For": Compiler._for,
    "Assign": Compiler._set,
}
_TAGS = {
    "AssignBlock": "set ... endset", "CallBlock": "call", "FilterBlock": "filter",
    "FromImport": "from", "ScopedEvalContextModifier": "autoescape", "ExprStmt": "do",
}  # fmt: skip
