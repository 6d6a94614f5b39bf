"""Holds an output against what it must be. Pure, and bounded in time and size.

Functions of the user's are called by `functions`, from the same `Output`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from harness.core.values import Absent, JsonValue, as_text, look_up
from harness.core.variant import Citations, Output, Rule
from harness.errors import InputError, Problem
from harness.system.finding import Ranked
from harness.system.rejection import Reason, RejectedError
from harness.system.text import READ_CHARS, bounded, read_json
from harness.templating.template import Expression, TemplateError

MOST_REASONS = 10
"""How many of a schema's errors, or of the citations that do not exist, are told."""

SHOWN_CHARS = 300
"""How much of each is told."""

WHOLE_CHARS = 32_000
"""An output longer than that is told the first of a schema's errors only: listing all of them
takes seconds where there are hundreds of thousands."""

PATTERN_TIMEOUT_S = 1.0


class Validator:
    """What a variant's output must be, compiled."""

    def __init__(self, output: Output, where: str = "") -> None:
        """Compile.

        Raises:
            InputError: if the schema or the pattern of the citations is no good.
        """
        self._output = output
        self._schema = _schema(output.schema, where) if output.schema is not None else None
        self._citations = CitationCheck(output.citations, where) if output.citations else None
        self._rules = [
            (rule, Expression(rule.expression)) for rule in output.rules if rule.expression
        ]

    @property
    def validates(self) -> bool:
        """Whether there is anything that an output could break."""
        output = self._output
        return bool(output.parse == "json" or output.schema or output.rules or output.citations)

    def read(self, text: str) -> JsonValue:
        """The output that a model's text is. A Markdown code block around JSON is taken off.

        Raises:
            RejectedError: if it is not what `parse` says, is null, or is too long.
        """
        if self._output.parse != "json" and self._schema is None:
            if len(text) > READ_CHARS:
                too_long = f"the output has {len(text)} characters, more than {READ_CHARS}"
                raise RejectedError(Reason("parse", too_long))
            return text
        try:
            value = read_json(text, allow_fence=True)
        except ValueError as error:
            raise RejectedError(Reason("parse", f"the output is no JSON: {error}")) from None
        if value is None:
            raise RejectedError(Reason("parse", "the output is null"))
        return value

    def reasons(
        self, text: str, value: JsonValue, variables: Mapping[str, Any], shown: Sequence[Ranked]
    ) -> list[Reason]:
        """All that is wrong with an output, rules in Python aside.

        Args:
            text: the model's text.
            value: the output that it was read as.
            variables: what the rules see: `output`, `confidence`, `passages` and the input.
            shown: the passages that the model was shown.
        """
        reasons = list(self._schema_reasons(value, len(text)))
        for rule, expression in self._rules:
            reasons += _broken(rule, expression, variables)
        if self._citations is not None:
            reasons += self._citations.reasons(text, value, shown)
        return reasons

    def _schema_reasons(self, value: JsonValue, n_chars: int) -> Iterator[Reason]:
        if self._schema is None:
            return
        try:
            for error in _schema_errors(self._schema, value, n_chars):
                path = ".".join(str(part) for part in error.instance_path)
                told = bounded(error.message, SHOWN_CHARS)
                yield Reason("schema", f"{bounded(path, SHOWN_CHARS) or 'the output'}: {told}")
        except (ValueError, RecursionError) as problem:
            yield Reason("schema", f"cannot be validated: {bounded(str(problem), SHOWN_CHARS)}")


class CitationCheck:
    """Citations must be among the ids of the passages shown, or of their sections."""

    def __init__(self, citations: Citations, where: str = "") -> None:
        """Compile.

        Raises:
            InputError: if the pattern is no regular expression.
        """
        self._citations = citations
        self._pattern = _pattern(citations.pattern, where) if citations.pattern else None

    def reasons(self, text: str, value: JsonValue, shown: Sequence[Ranked]) -> list[Reason]:
        """What is wrong with the citations of an output."""
        try:
            cited = self._found(text) if self._pattern else _listed(value, self._citations.field)
        except _UnreadableError as error:
            return [Reason("citation", str(error))]
        if not cited:
            missing = Reason("citation", "the output cites nothing")
            return [missing] if self._citations.required else []
        known = {one.passage.id for one in shown}
        known.update(section for one in shown for section in one.passage.sections)
        unknown = list(dict.fromkeys(name for name in cited if name not in known))
        return [
            Reason("citation", f"{bounded(name, SHOWN_CHARS)!r} is no passage that was given")
            for name in unknown[:MOST_REASONS]
        ]

    def _found(self, text: str) -> list[str]:
        assert self._pattern is not None  # noqa: S101 - asked for only with a pattern
        group = 1 if self._pattern.groups else 0
        try:
            matches = self._pattern.finditer(text, timeout=PATTERN_TIMEOUT_S)
            return [(match.group(group) or "").strip() for match in matches]
        except TimeoutError:
            raise _UnreadableError("finding the citations took too long") from None


class _UnreadableError(Exception):
    """The citations of an output cannot be told."""


def _listed(value: JsonValue, field: str | None) -> list[str]:
    """The ids at `field`: a text, or a list of texts."""
    found = look_up(value, field)
    if isinstance(found, Absent) or found is None:
        return []
    cited = found if isinstance(found, list) else [found]
    if not all(isinstance(name, str) for name in cited):
        raise _UnreadableError(f"{field}: neither a text nor a list of texts")
    return [name.strip() for name in cited if name.strip()]


def _broken(rule: Rule, expression: Expression, variables: Mapping[str, Any]) -> list[Reason]:
    try:
        if expression.holds(variables):
            return []
    except TemplateError as error:
        return [Reason("rule", f"{rule.name}: cannot be decided: {error}")]
    return [broken(rule)]


def broken(rule: Rule, what: JsonValue = None) -> Reason:
    """The reason that a broken rule gives: its name, its message, and what it said is wrong."""
    said = [text for text in (rule.message, "" if what is None else as_text(what)) if text]
    return Reason("rule", bounded(f"{rule.name}: {': '.join(said) or 'is broken'}", SHOWN_CHARS))


def _schema(schema: Mapping[str, JsonValue], where: str) -> Any:
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(dict(schema), offline=True)
    except ValueError as error:
        what = f"not a usable JSON Schema: {str(error).splitlines()[0]}"
        raise InputError(Problem(where, what)) from None


def _schema_errors(validator: Any, value: JsonValue, n_chars: int) -> Iterable[Any]:
    """The first errors of a schema: of a long output, the first one."""
    import jsonschema_rs

    if n_chars <= WHOLE_CHARS:
        return islice(validator.iter_errors(value), MOST_REASONS)
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return (error,)
    return ()


def _pattern(pattern: str, where: str) -> Any:
    import regex

    try:
        return regex.compile(pattern, regex.VERSION0)
    except regex.error as error:
        raise InputError(Problem(where, f"not a regular expression: {error}")) from None
