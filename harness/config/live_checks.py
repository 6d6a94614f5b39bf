"""What is wrong with live variants in view of the eval set: unknown names, and leaked examples."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from harness.config.findings import Findings
from harness.config.live import Live
from harness.config.live_files import ShotsFile
from harness.config.live_texts import CONDITION, SCOPES, PlacedText
from harness.config.readers import read_rows
from harness.config.suggest import did_you_mean
from harness.core.example import EvalSet, Example
from harness.core.factors import USERS, names_word
from harness.core.values import JsonValue, canonical_json
from harness.errors import Problem

_GOLD = frozenset({"target", "slices", "evidence", "tool_calls", "abstain", "cluster", "metadata"})
_ALWAYS = ("input",)
_PUNCTUATION = string.punctuation + "\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026"
_Words: TypeAlias = tuple[str, ...]
LEAST_WORDS = 4
"""Shorter texts are found only where they stand alone."""
_LOOPS = {
    "passages": "{% for passage in passages %}[{{ passage.id }}] {{ passage.text }}{% endfor %}",
    "shots": "{% for shot in shots %}{{ shot.input }} -> {{ shot.output }}{% endfor %}",
}
_BLOCK = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)


def input_fields(evalset: EvalSet) -> tuple[str, ...]:
    """The fields that any example's input has, in order of appearance."""
    fields: dict[str, None] = {}
    for example in evalset.examples:
        if isinstance(example.input, dict):
            fields |= dict.fromkeys(example.input)
    return tuple(fields)


def template_problems(live: Live, fields: Collection[str]) -> list[Problem]:
    """Names in templates and expressions that stand for nothing, and parts that no text uses.

    Args:
        live: the variant; those that it leads to are checked too.
        fields: what `input_fields` gives.
    """
    problems: list[Problem] = []
    for variant in live.all():
        for text in variant.texts:
            problems += _unknown_names(text, fields)
            problems += _unknown_checks(variant, text)
        problems += _unused(variant)
    return problems


def _unknown_names(text: PlacedText, fields: Collection[str]) -> Iterator[Problem]:
    from harness.templating.template import field_names, names_of

    ours = (*_ALWAYS, *SCOPES[text.scope])
    for name in sorted(names_of(text.text, expression=text.expression)):
        if name not in fields and name not in ours:
            yield _unknown(text, name, [*fields, *ours])
    if not fields:
        return
    for name in sorted(field_names(text.text, "input", expression=text.expression)):
        if name not in fields:
            yield _unknown(text, name, fields)


def _unknown_checks(live: Live, text: PlacedText) -> Iterator[Problem]:
    """Checks that a text names and that no call under `tools.before` makes.

    Nothing is said of a variant without such calls: it may share a template with one that has.
    """
    from harness.templating.template import field_names

    tools = live.readable.tools
    made = [check.name for check in tools.before] if tools else []
    for name in sorted(field_names(text.text, "checks", expression=text.expression)):
        if made and name not in made:
            what, hint = f"no check is called '{name}'", did_you_mean(name, made)
            yield Problem(text.place(_index_of(name, text)), what, hint)


def _unknown(text: PlacedText, name: str, known: Collection[str]) -> Problem:
    where = text.place(_index_of(name, text))
    if name in _GOLD:
        what = f"'{name}' belongs to the examples' answers, which no system may see"
        return Problem(where, what, f"known here: {', '.join(known)}")
    others = {other for scope in SCOPES.values() for other in scope}
    if name in others:
        return Problem(where, f"'{name}' is not known yet where this text is used")
    return Problem(where, f"no example's input has the field '{name}'", did_you_mean(name, known))


def _index_of(name: str, text: PlacedText) -> int:
    """Where in a template a name is used first."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    for block in _BLOCK.finditer(text.text):
        found = word.search(block[0])
        if found:
            return block.start() + found.start()
    return 0


def _unused(live: Live) -> Iterator[Problem]:
    """Passages or examples that are fetched and reach no prompt."""
    prompts = [text.text for text in live.texts if text.scope in {"prompt", "draft"}]
    for part, name in USERS.items():
        if part in live.where and not any(names_word(text, name) for text in prompts):
            what = f"{part} is given, but no template of the prompt uses `{name}`"
            yield Problem(live.where[part], what, f"in the template: {_LOOPS[name]}")


def query_warnings(live: Live, evalset: EvalSet) -> list[str]:
    """Variants whose queries hold a text that was meant for a condition: a tenant, a right.

    A default query is made of all texts of the input, those that `retrieval.where` uses among them.

    Args:
        live: the variant; those that it leads to are looked at too.
        evalset: the set that it is to be judged on.
    """
    from harness.templating.template import field_names, names_of

    texts = {
        field
        for example in evalset.examples
        if isinstance(example.input, dict)
        for field, value in example.input.items()
        if isinstance(value, str)
    }
    warnings = []
    for variant in live.all():
        retrieval = variant.readable.retrieval
        if retrieval is None or retrieval.query or retrieval.rewrite or len(texts) < 2:
            continue
        conditions = [text.text for text in variant.texts if text.scope == CONDITION]
        used = set().union(*(names_of(t) | field_names(t, "input") for t in conditions)) & texts
        if used:
            named = " and ".join(sorted(used))
            warnings.append(
                f"{variant.where['retrieval']}: the query is made of all texts of the input, "
                f"{named} among them, which retrieval.where uses; give query: query.j2 with the "
                "texts to look for"
            )
    return warnings


def leak_problems(live: Live, evalset: EvalSet) -> list[Problem]:
    """Examples of the eval set that stand in a prompt's examples or in a training set.

    An example does if all texts of its input are, but for case, white space and punctuation,
    among the texts of one line; its longest may also stand inside a longer text, as a prompt would
    hold it, if it has `LEAST_WORDS` words.

    Args:
        live: the variant; those that it leads to are checked too.
        evalset: the set that it is to be judged on.
    """
    shots = {v.shots.path: v.shots for v in live.all() if v.shots is not None}
    training = dict.fromkeys(v.training for v in live.all() if v.training is not None)
    if not shots and not training:
        return []
    known = _Known(evalset.examples)
    found = [_leaked_shots(file, known) for file in shots.values()]
    found += [_leaked_lines(path, known) for path in training]
    return [problem for findings in found for problem in findings.problems()]


class _Known:
    """The inputs of examples, by the first words of the longest of their texts."""

    def __init__(self, examples: Iterable[Example]) -> None:
        self._by_start: dict[_Words, list[tuple[str, _Words, frozenset[_Words]]]] = {}
        for example in examples:
            texts = _content(example.input)
            longest = max(texts, key=lambda words: (len(words), words))
            known = (example.id, longest, texts)
            self._by_start.setdefault(longest[:LEAST_WORDS], []).append(known)

    def held_by(self, value: JsonValue) -> list[str]:
        """The ids of examples whose texts are among (the longest: inside) those of a value."""
        texts = _content(value)
        found: dict[str, None] = {}
        for text in texts:
            for start in range(max(1, len(text) - LEAST_WORDS + 1)):
                for example_id, longest, needed in self._by_start.get(
                    text[start : start + LEAST_WORDS], ()
                ):
                    same = text[start : start + len(longest)] == longest
                    whole = len(longest) >= LEAST_WORDS or text == longest
                    if same and whole and needed - {longest} <= texts:
                        found[example_id] = None
        return sorted(found)


def _content(value: JsonValue) -> frozenset[_Words]:
    """Every text in a value as its words, or its JSON if it has none."""
    return frozenset(_texts(value)) or frozenset({(canonical_json(value),)})


def _texts(value: JsonValue) -> Iterator[_Words]:
    """Every text in a value that has words, in one case and without punctuation around them."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            words = tuple(w.strip(_PUNCTUATION) or w for w in item.casefold().split())
            if words:
                yield words
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _leaked_shots(file: ShotsFile, known: _Known) -> Findings:
    findings = Findings(file.path)
    for shot, line in zip(file.shots, file.lines, strict=True):
        for example_id in known.held_by(dict(shot.input)):
            what = f"this example for the prompt is '{example_id}' of the eval set"
            findings.add(line, what, "examples for prompts come from elsewhere")
    return findings


def _leaked_lines(path: Path, known: _Known) -> Findings:
    findings = Findings(path)
    for row in read_rows(path, findings):
        for example_id in known.held_by(row.values):
            what = f"the training set holds '{example_id}' of the eval set"
            findings.add(row.line, what, "train on other data, or judge on other examples")
    return findings
