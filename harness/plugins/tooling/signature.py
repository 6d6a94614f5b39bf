"""What a Python function takes, read from its source. Nothing is imported or run."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from harness.core.values import JsonValue

_TYPES = {
    "str": "string", "int": "integer", "float": "number", "bool": "boolean",
    "list": "array", "dict": "object",
}  # fmt: skip
_ARGUMENT = re.compile(r"^\s+(\w+)\s*(?:\([^)]*\))?:\s*(.+)$")
_SECTION = re.compile(r"^\w+:\s*$")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model is told of a function: its docstring's first paragraph, and a JSON Schema."""

    description: str
    parameters: dict[str, JsonValue]


def source_of(module: str) -> Path:
    """The file that a module's source stands in, on `sys.path` or in the working folder.

    Raises:
        ValueError: if there is none.
    """
    places = [*sys.path, str(Path.cwd())]
    name, origin = "", None
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        # by its own name alone: of a folder without __init__.py it would import the parent
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            raise ValueError(f"there is no module '{name}' on the path or in the working folder")
        places, origin = list(spec.submodule_search_locations or []), spec.origin
    if origin is None or not origin.endswith(".py"):
        raise ValueError(f"the module '{module}' has no source")
    return Path(origin)


def signature_of(source: str, name: str) -> Signature:
    """The signature of a function at the top of a module's source.

    Raises:
        ValueError: if there is none, or if its parameters cannot be told as a JSON Schema.
    """
    function = next(
        (
            node
            for node in ast.parse(source).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
        ),
        None,
    )
    if function is None:
        raise ValueError(f"it is not written as `def {name}(...)` there")
    takes = function.args
    if takes.vararg or takes.kwarg or takes.posonlyargs:
        raise ValueError("it takes more than named arguments")
    doc = ast.get_docstring(function) or ""
    told = _told(doc)
    properties: dict[str, JsonValue] = {}
    for argument in [*takes.args, *takes.kwonlyargs]:
        if argument.annotation is None:
            raise ValueError(f"its argument '{argument.arg}' has no type")
        properties[argument.arg] = _schema(argument.annotation)
        if argument.arg in told:
            properties[argument.arg] |= {"description": told[argument.arg]}
    parameters = {
        "type": "object",
        "properties": properties,
        "required": _required(takes),
        "additionalProperties": False,
    }
    return Signature(" ".join(doc.partition("\n\n")[0].split()), parameters)


def may_have(source: str, name: str) -> bool:
    """Whether a module may have something of that name, by its source.

    That is if it is written or imported there, or if only running it would tell.
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):
        return True  # importing it tells what is wrong
    return any(name in _bound(node) or _is_untold(node) for node in nodes)


_UNTOLD = {"*", "__getattr__", "exec", "globals", "locals", "setattr", "vars"}


def _is_untold(node: ast.AST) -> bool:
    """Whether a module may get names by this that do not stand in its source."""
    return not _UNTOLD.isdisjoint(_bound(node)) or (
        isinstance(node, ast.Name) and node.id in _UNTOLD
    )


def _bound(node: ast.AST) -> set[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Name(id=name, ctx=ast.Store()):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {(alias.asname or alias.name).partition(".")[0] for alias in names}
        case _:
            return set()


def _required(takes: ast.arguments) -> list[str]:
    positional = takes.args[: len(takes.args) - len(takes.defaults)]
    named = [
        argument
        for argument, default in zip(takes.kwonlyargs, takes.kw_defaults, strict=True)
        if default is None
    ]
    return [argument.arg for argument in [*positional, *named]]


def _schema(annotation: ast.expr) -> dict[str, JsonValue]:
    schema: dict[str, JsonValue] | None = None
    match annotation:
        case ast.Constant(value=str() as text):  # a type written as a text
            schema = _schema(ast.parse(text, mode="eval").body)
        case ast.Name(id=name) if name in _TYPES:
            schema = {"type": _TYPES[name]}
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            schema = {"anyOf": [_schema(left), {"type": "null"}]}
        case ast.Subscript(value=ast.Name(id=name), slice=inner):
            schema = _generic(name, inner)
        case _:
            pass
    if schema is None:
        written = ast.unparse(annotation)[:80]
        raise ValueError(f"the type `{written}` cannot be told as a JSON Schema")
    return schema


def _generic(name: str, inner: ast.expr) -> dict[str, JsonValue] | None:
    match name, inner:
        case "Optional", _:
            return {"anyOf": [_schema(inner), {"type": "null"}]}
        case "list", _:
            return {"type": "array", "items": _schema(inner)}
        case "dict", ast.Tuple(elts=[ast.Name(id="str"), values]):
            return {"type": "object", "additionalProperties": _schema(values)}
        case "Literal", _:
            options = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return {"enum": [ast.literal_eval(option) for option in options]}
        case _:
            return None


def _told(doc: str) -> dict[str, str]:
    """The lines of a docstring's section `Args:`, by argument."""
    found: dict[str, str] = {}
    inside = False
    for line in inspect.cleandoc(doc).splitlines():
        if _SECTION.match(line):
            inside = line.strip() in {"Args:", "Arguments:"}
        elif inside and (match := _ARGUMENT.match(line)):
            found[match[1]] = match[2].strip()
    return found
