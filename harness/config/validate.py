"""A pydantic error as problems for people: where in the file, in plain words, with a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from harness.config.file_model import KNOWN_NAMES, PATTERN_WORDS
from harness.config.source import Location, Source, dotted
from harness.config.suggest import did_you_mean, nearest
from harness.errors import Problem

Model = TypeVar("Model", bound=BaseModel)

_DATE = "must be a date, such as 2026-11-01"
_PLAIN = {
    "string_type": "must be text",
    "string_unicode": "must be text without broken characters",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "model_attributes_type": "must be a mapping (key: value)",
    "string_too_short": "must not be empty",
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
}
_NUMERAL = re.compile(r"[-+]?[0-9.]+")
_QUOTED = re.compile(r"'([^']*)'")


def validated(
    model: type[Model], source: Source, problems: list[Problem], at: Location = ()
) -> Model | None:
    """The part of the document at `at` as `model`, or None with all that is wrong told."""
    try:
        return model.model_validate(source.value(at))
    except ValidationError as error:
        problems.extend(problems_of(error, source, model, at))
        return None


def problems_of(
    error: ValidationError, source: Source, model: type[BaseModel], at: Location = ()
) -> list[Problem]:
    """Every problem in `error`, sorted by position.

    Args:
        error: what validating the part of the document at `at` raised.
        source: the document.
        model: the model that the part was validated with; its keys make the hints.
        at: where in the document that part stands.
    """
    details = error.errors(include_url=False, include_context=True)
    # pydantic calls a tuple too short when its items are wrong; those have their own problems
    told = (
        detail
        for detail in details
        if not (detail["type"] == "too_short" and detail["input"])
        and not _follows(detail, source, at)
    )
    return in_order(_problem(detail, source, model, at) for detail in told)


def option_problems(
    error: ValidationError,
    model: type[BaseModel],
    where: Callable[[str], str],
    beside: Iterable[str] = (),
) -> list[Problem]:
    """Every problem in `error`, which validating a plugin's options with `model` raised.

    Args:
        error: what validating raised.
        model: the plugin's class.
        where: gives the place of an option by its dotted path; the empty path is the whole.
        beside: keys that may stand beside the plugin's options, for hints.
    """
    problems = []
    others = tuple(beside)
    for detail in error.errors(include_url=False, include_context=True):
        loc = tuple(part for part in detail["loc"] if not str(part).startswith(("<", "[")))
        path, key = ".".join(map(str, loc)), str(loc[-1]) if loc else ""
        if detail["type"] == "missing":
            hint = _key_hint(model, loc[:-1], key)
            problems.append(Problem(where(path), f"missing key '{key}'", hint))
        elif detail["type"] == "extra_forbidden":
            hint = _unknown_hint(model, loc[:-1], key, others if len(loc) == 1 else ())
            problems.append(Problem(where(path), f"unknown key '{key}'", hint))
        else:
            what = _in_words(detail)
            problems.append(
                Problem(where(path), f"{path}: {what}" if path else what, _value_hint(detail))
            )
    return problems


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems without doubles: files in order of appearance, lines and columns ascending."""
    unique = list(dict.fromkeys(problems))
    files = {file: i for i, file in enumerate(dict.fromkeys(_split(p.where)[0] for p in unique))}

    def position(problem: Problem) -> tuple[int, int, int]:
        file, line, column = _split(problem.where)
        return files[file], line, column

    return sorted(unique, key=position)


def _follows(detail: ErrorDetails, source: Source, at: Location) -> bool:
    """Whether a problem comes only of a value that could not be read, which is told already."""
    place = _locate(source, at, detail["loc"])
    if detail["type"] in {"value_error", "assertion_error"}:
        return any(broken[: len(place)] == place for broken in source.unreadable)
    return detail["type"] != "missing" and place in source.unreadable


def _problem(detail: ErrorDetails, source: Source, model: type[BaseModel], at: Location) -> Problem:
    kind, loc = detail["type"], detail["loc"]
    key = str(loc[-1]) if loc else ""
    if kind == "missing":
        place = _locate(source, at, loc[:-1], mapping=True)
        return Problem(source.where(place), f"missing key '{key}'", _key_hint(model, loc[:-1], key))
    place = _locate(source, at, loc)
    if kind == "extra_forbidden":
        hint = _unknown_hint(model, loc[:-1], key)
        return Problem(source.where(place, key=True), f"unknown key '{key}'", hint)
    what, name = _in_words(detail), dotted(place)
    if kind in {"value_error", "assertion_error"}:
        name += ":" if name else ""
    where = source.where(place, key=key == "[key]")
    return Problem(where, f"{name} {what}" if name else what, _value_hint(detail))


def _in_words(detail: ErrorDetails) -> str:
    kind, given = detail["type"], detail["input"]
    if kind in {"value_error", "assertion_error"}:
        return detail["msg"].partition(", ")[2]
    if kind == "too_short":
        return "must not be empty"
    words = PATTERN_WORDS.get(detail.get("ctx", {}).get("pattern", "")) or _PLAIN.get(kind)
    if words is None:
        words = detail["msg"].replace("Input should", "must").replace("String should", "must")
        words = words.replace("must be greater than or equal to", "must be at least")
        words = words.replace("must be less than or equal to", "must be at most")
    return words if isinstance(given, dict | list) else f"{words}, not {_short(given)}"


def _short(value: Any) -> str:
    text = {True: "true", False: "false", None: "null"}.get(value) if _is_word(value) else None
    text = text or repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _value_hint(detail: ErrorDetails) -> str:
    given = detail["input"]
    if detail["type"] in {"literal_error", "enum"} and isinstance(given, str):
        return did_you_mean(given, _QUOTED.findall(str(detail.get("ctx", {}).get("expected", ""))))
    names = KNOWN_NAMES.get(detail.get("ctx", {}).get("pattern", ""))
    if names:
        return did_you_mean(str(given), names)
    if detail["type"] == "string_type" and isinstance(given, int | float):
        return "put it in quotes"
    if detail["type"] in {"float_type", "int_type"} and _NUMERAL.fullmatch(str(given)):
        return "write it without quotes"
    return ""


def _locate(
    source: Source, at: Location, loc: tuple[str | int, ...], *, mapping: bool = False
) -> Location:
    """Where in the document pydantic's `loc` leads.

    A `loc` also holds the tags of unions, which may be spelled like keys (`latency`). So of all
    its parts that lead somewhere, in order, the best are taken: those that end in its last part
    (or, with `mapping`, at a mapping), and then the most.
    """
    best, best_rank = at, (False, -1)
    for size in range(len(loc) + 1):
        for chosen in combinations(range(len(loc)), size):
            place = (*at, *(loc[i] for i in chosen))
            if place not in source.values:
                continue
            if mapping:
                ends_well = any(key[:-1] == place for key in source.keys) or not loc
            else:
                ends_well = bool(chosen) and chosen[-1] == len(loc) - 1
            if (ends_well, size) > best_rank:
                best, best_rank = place, (ends_well, size)
    return best


def _unknown_hint(
    model: type[BaseModel], loc: tuple[str | int, ...], key: str, beside: Iterable[str] = ()
) -> str:
    """What the model says of an unknown key, or of one spelled much like it; else the nearest."""
    keys = [*_keys(model, loc), *beside]
    hints = {word for found in _models_at(model, loc) for word in getattr(found, "key_hints", {})}
    told = _key_hint(model, loc, key)
    if told or nearest(key, keys) is not None:
        return told or did_you_mean(key, keys)
    word = nearest(key, hints)
    return (word and _key_hint(model, loc, word)) or did_you_mean(key, keys)


def _key_hint(model: type[BaseModel], loc: tuple[str | int, ...], key: str) -> str:
    """What the model itself has to say about a key that is missing or unknown."""
    for found in _models_at(model, loc):
        hints: Mapping[str, str] = getattr(found, "key_hints", {})
        if key in hints:
            return hints[key]
    return ""


def _keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    return [
        field.alias or name
        for found in _models_at(model, loc)
        for name, field in found.model_fields.items()
    ]


def _models_at(annotation: Any, loc: tuple[str | int, ...]) -> Iterator[type[BaseModel]]:
    """The models that may stand at `loc` inside a value of type `annotation`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not loc:
            yield annotation
        for name, field in annotation.model_fields.items():
            if loc and loc[0] == (field.alias or name):
                yield from _models_at(field.annotation, loc[1:])
    elif origin is Annotated:
        tags = [meta.tag for meta in arguments[1:] if isinstance(meta, Tag)]
        if not tags or (loc and loc[0] in tags):
            yield from _models_at(arguments[0], loc[1:] if tags else loc)
    elif origin in {list, tuple, dict}:
        item = arguments[1 if origin is dict else 0]
        yield from _models_at(item, loc[1:]) if loc else ()
    else:
        for member in arguments:
            yield from _models_at(member, loc)


def _split(where: str) -> tuple[str, int, int]:
    parts = where.rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
        return parts[0], int(parts[1]), int(parts[2])
    return where, 0, 0
