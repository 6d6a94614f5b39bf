"""What is known of documents beside their text: front matter, and `metadata.yaml` for a folder.

YAML is read as plain data: texts, numbers, true, false, null, lists and mappings. Dates stay the
texts that they are written as. Nothing is constructed, and what nests or repeats itself (by
aliases) beyond what a person would write is refused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import translate
from pathlib import Path
from typing import Any

from harness.core.values import JsonValue, parse_json

SIDECARS = ("metadata.yaml", "metadata.json")
MAX_FRONT_MATTER = 64_000
MAX_SIDECAR = 1_000_000

_MAX_VALUES = 50_000
_MAX_DEPTH = 20
_END = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?")


def front_matter(text: str) -> tuple[dict[str, JsonValue], str]:
    """The mapping between `---` lines that a Markdown text begins with, and the text after it.

    Raises:
        ValueError: if what stands there is no YAML mapping.
    """
    first, newline, _ = text.partition("\n")
    if first.rstrip() != "---" or not newline:
        return {}, text
    found = _END.search(text, len(first) + 1, MAX_FRONT_MATTER)
    if found is None:
        return {}, text  # a rule across the page, not front matter
    metadata = read_mapping(text[len(first) + 1 : found.start()])
    return metadata, text[found.end() :].removeprefix("\n")


def read_mapping(text: str) -> dict[str, JsonValue]:
    """The mapping that a YAML text holds; an empty text holds an empty one.

    Raises:
        ValueError: saying what is wrong.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice is legal YAML
            node = YAML(typ="safe", pure=True).compose(text)
        found = {} if node is None else _Reader().plain(node)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" (its line {mark.line + 1})" if mark else ""
        raise ValueError(f"broken YAML: {error.problem or error.context}{place}") from None
    except RecursionError:
        raise ValueError("broken YAML: it nests too deep") from None
    except YAMLError as error:
        raise ValueError(f"broken YAML: {error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError("metadata must be a mapping (key: value)")
    return found


class Sidecar:
    """`metadata.yaml` or `metadata.json` of a folder: ids of documents, or patterns, to metadata.

    Every entry that matches a document adds to its metadata, a later one over an earlier one.
    """

    def __init__(self, entries: Mapping[str, Mapping[str, JsonValue]]) -> None:
        self._entries = entries
        self._patterns = {
            key: re.compile(translate(key)) for key in entries if any(c in key for c in "*?[")
        }
        self._unused = set(entries)

    def of(self, document: str) -> dict[str, JsonValue]:
        """What the file says of a document."""
        found: dict[str, JsonValue] = {}
        for key in self._matching(document):
            self._unused.discard(key)
            found |= self._entries[key]
        return found

    def unused(self) -> list[str]:
        """Ids and patterns that no document asked about matched, in the file's order."""
        return [key for key in self._entries if key in self._unused]

    def _matching(self, document: str) -> Iterable[str]:
        if not self._patterns:
            return (document,) if document in self._entries else ()
        return [
            key
            for key in self._entries
            if key == document or (key in self._patterns and self._patterns[key].match(document))
        ]


def read_sidecar(folder: Path) -> tuple[Path, Sidecar] | None:
    """The file of a folder that describes its documents; None where there is none.

    Raises:
        ValueError: if there are two, or one that cannot be read.
        OSError: as reading does.
    """
    present = [folder / name for name in SIDECARS if (folder / name).is_file()]
    if not present:
        return None
    if len(present) > 1:
        raise ValueError(f"there are both {' and '.join(SIDECARS)}")
    path = present[0]
    if path.stat().st_size > MAX_SIDECAR:
        raise ValueError(f"it is larger than {MAX_SIDECAR} bytes")
    text = path.read_bytes().decode("utf-8-sig")
    found = parse_json(text) if path.suffix == ".json" else read_mapping(text)
    if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
        raise ValueError(
            "it must map ids of documents to mappings: 'policies/*': {audience: staff}"
        )
    return path, Sidecar(found)


class _Reader:
    """One walk over the nodes of a document."""

    def __init__(self) -> None:
        self._n_values = 0

    def plain(self, node: Any, depth: int = 0) -> JsonValue:
        self._n_values += 1
        if depth > _MAX_DEPTH or self._n_values > _MAX_VALUES:
            raise ValueError("it nests too deep or holds too many values")
        if node.id == "mapping":
            return dict(self._pairs(node, depth))
        if node.id == "sequence":
            return [self.plain(item, depth + 1) for item in node.value]
        return _scalar(str(node.tag), node.value)

    def _pairs(self, node: Any, depth: int) -> Iterator[tuple[str, JsonValue]]:
        seen: set[str] = set()
        for key, value in node.value:
            if key.id != "scalar" or str(key.tag) == f"{_TAG}merge":
                raise ValueError("a key must be text; << is not read")
            if key.value in seen:
                raise ValueError(f"duplicate key '{key.value[:80]}'")
            seen.add(key.value)
            yield key.value, self.plain(value, depth + 1)


def _scalar(tag: str, text: str) -> JsonValue:
    kind = tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.casefold() == "true"
    if kind == "int" and _INT.fullmatch(text):
        return int(text)
    if kind == "float" and _FLOAT.fullmatch(text):
        return float(text)
    return text
