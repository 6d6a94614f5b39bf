"""The files that a live variant names: templates, examples of a prompt, schemas, training data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.config.findings import Findings
from harness.config.paths import PathError, reason, shown
from harness.config.readers import Row, read_rows
from harness.config.rows import kind
from harness.config.source import undecodable
from harness.config.spot import Spot
from harness.config.suggest import did_you_mean
from harness.core.values import JsonValue, parse_json
from harness.core.variant import Shot, Template
from harness.errors import Problem
from harness.files import sha256

MAX_TEXT_BYTES = 1_000_000
"""Of a template or a schema."""
MAX_SHOTS_BYTES = 20_000_000
"""Of a file of examples for prompts."""

_MAX_QUOTED = 80
_QUOTED = re.compile(r"'(\w+)'|`(\w+)`")
_SHOT_KEYS = ("input", "output")


@dataclass(frozen=True, slots=True)
class ShotsFile:
    """Examples for prompts, the line of each, and their file."""

    shots: tuple[Shot, ...]
    lines: tuple[int, ...]
    path: Path


def read_text(spot: Spot, text: str, noun: str) -> tuple[Path, str] | None:
    """The UTF-8 text of the file that `text` names at `spot`; None, with a problem, if none."""
    path = spot.path(text, "file", noun)
    if path is None:
        return None
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= MAX_TEXT_BYTES else b""
    except OSError as error:
        spot.tell(f"{noun} {text} {reason(error)}")
        return None
    if size > MAX_TEXT_BYTES:
        spot.tell(f"{noun} {text} holds {size} bytes, more than {MAX_TEXT_BYTES}")
        return None
    try:
        return path, raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line, column, what = undecodable(raw, error)
        where = f"{shown(path)}:{line}:{column}"
        spot.problems.append(Problem(where, what, "save the file as UTF-8"))
        return None


def read_template(spot: Spot, text: str) -> tuple[Path, Template] | None:
    """The template in a file; None, with every problem, if it is none."""
    from harness.templating.template import check_template

    found = read_text(spot, text, "the template")
    if found is None:
        return None
    path, content = found
    wrong = check_template(content)
    lines = content.split("\n")
    for number, what in wrong:
        line = lines[number - 1] if number <= len(lines) else ""
        where = f"{shown(path)}:{number}:{_column(line, what)}"
        spot.problems.append(Problem(where, f"{what}, in {quoted(line)}"))
    return None if wrong else (path, Template(path.name, content))


def quoted(line: str) -> str:
    """A line of a template for a message: bounded."""
    text = " ".join(line.split())
    return f'"{text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}..."}"'


def _column(line: str, what: str) -> int:
    """The column, from 1, of the word or the tag that a message is about, if it can be only one."""
    words = [word for pair in _QUOTED.findall(what) for word in pair if word]
    for pattern in (*(rf"\b{re.escape(word)}\b" for word in reversed(words)), r"\{[{%]"):
        found = [match.start() for match in re.finditer(pattern, line)]
        if len(found) == 1:
            return found[0] + 1
    return 1


def read_schema(spot: Spot, given: JsonValue) -> tuple[str, Mapping[str, JsonValue]] | None:
    """A JSON Schema, given as a path or as itself, and the name of its file, else empty."""
    name, where = "", spot.where()
    schema = given
    if isinstance(given, str):
        found = read_text(spot, given, "the schema")
        if found is None:
            return None
        name, where = found[0].name, f"{shown(found[0])}:1:1"
        try:
            schema = parse_json(found[1])
        except ValueError as error:
            spot.problems.append(Problem(where, f"broken JSON: {error}"))
            return None
    wrong = _schema_flaw(schema)
    if wrong:
        spot.problems.append(Problem(where, f"not a usable JSON Schema: {wrong}"))
    return None if wrong else (name, schema)


def _schema_flaw(schema: JsonValue) -> str:
    import jsonschema_rs

    if not isinstance(schema, dict):
        return f"it must be an object, not {kind(schema)}"
    try:
        jsonschema_rs.validator_for(schema, offline=True)
    except (ValueError, RecursionError) as error:
        return str(error).splitlines()[0]
    return ""


def read_shots(spot: Spot, text: str) -> ShotsFile | None:
    """Every example in a file of them; None, with the problems of its lines, if there are any."""
    path = spot.path(text, "file", "the file of examples")
    if path is None:
        return None
    if path.suffix.lower() != ".jsonl":
        spot.tell(f"the file of examples {text} must be a .jsonl file")
        return None
    if path.stat().st_size > MAX_SHOTS_BYTES:
        spot.tell(f"the file of examples {text} is larger than {MAX_SHOTS_BYTES} bytes")
        return None
    findings = Findings(path)
    shots: list[Shot] = []
    lines: list[int] = []
    for row in read_rows(path, findings):
        shot = _shot(row, findings)
        if shot is not None:
            shots.append(shot)
            lines.append(row.line)
    if not shots and not findings.count:
        findings.add_whole("the file of examples is empty")
    spot.problems.extend(findings.problems())
    return None if findings.count else ShotsFile(tuple(shots), tuple(lines), path)


def _shot(row: Row, findings: Findings) -> Shot | None:
    wrong = [key for key in _SHOT_KEYS if row.values.get(key) is None]
    for key in wrong:
        findings.add(row.line, f"missing key '{key}'", "a line is {input: {...}, output: ...}")
    for key in row.values:
        if key not in _SHOT_KEYS:
            findings.add(row.line, f"unknown key '{key}'", did_you_mean(key, _SHOT_KEYS))
            wrong.append(key)
    if wrong:
        return None
    given = row.values["input"]
    return Shot(given if isinstance(given, dict) else {"input": given}, row.values["output"])


def training_hash(spot: Spot, text: str, stated: str | None) -> tuple[Path, str] | None:
    """The training set and its sha256; None, with a problem, if it is not the one stated."""
    path = spot.inside("data").path(text, "file", "the training set")
    if path is None:
        return None
    try:
        found = sha256(path)
    except OSError as error:
        spot.inside("data").tell(f"the training set {text} {reason(error)}")
        return None
    if stated is not None and stated != found:
        what = f"the training set {text} has the sha256 {found}, not data_sha256 {stated}"
        hint = "the model was trained on another file, or the hash is an old one"
        spot.inside("data_sha256").tell(what, hint)
        return None
    return path, found


def file_hash(path: Path) -> str:
    """The sha256 of a file that an option names.

    Raises:
        PathError: if it cannot be read.
    """
    try:
        return sha256(path)
    except OSError as error:
        raise PathError(reason(error)) from None
