"""Documents of a folder: Markdown, HTML, plain text, PDF, and JSONL with a document on each line.

A document's id is its path in the folder without the suffix; in JSONL, the `id` of its line. Every
problem of every file is collected; no file is passed over in silence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.core.values import JsonValue, encodable, parse_json
from harness.corpus.document import MAX_TITLE, Document
from harness.corpus.files import found_files
from harness.corpus.html_text import html_text
from harness.corpus.markdown import markdown_headings
from harness.corpus.metadata import SIDECARS, Sidecar, front_matter, read_sidecar
from harness.corpus.pdf import HINT, NO_PYPDF, can_read_pdf, pdf_text
from harness.errors import InputError, Problem

MAX_DOCUMENT_BYTES = 100_000_000
MAX_PROBLEMS = 50

_MAX_ID = 500
_PIECE = re.compile(r"~[0-9]+\Z")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NEWLINE = re.compile("\r\n?")


class _WrongError(Exception):
    """A file or line is no document: `what` and `hint` of a Problem, and the line from 1."""

    def __init__(self, what: str, hint: str = "", line: int = 0) -> None:
        self.what, self.hint, self.line = what, hint, line
        super().__init__(what)


def read_documents(folder: Path) -> Iterator[Document]:
    """Every document below `folder`, in the order of paths; hidden files are passed over.

    `metadata.yaml` (or `.json`) in the folder maps ids, or patterns of ids, to metadata, which
    stand over those that a document has itself.

    Raises:
        InputError: after the last document, listing what is wrong with files and lines; or at once
            if the folder cannot be read.
    """
    reader = _Reader(folder)
    try:
        yield from reader.documents()
    except OSError as error:
        reader.wrong(folder, f"cannot be read: {error.strerror}")
    reader.finish()


def skipped_files(folder: Path) -> list[str]:
    """Paths of files that are no documents by their suffix, for a warning.

    Raises:
        OSError: if the folder cannot be read.
    """
    names = [path.relative_to(folder).as_posix() for path, _ in found_files(folder)]
    return [name for name in names if not _is_document(name) and name not in SIDECARS]


@dataclass(slots=True)
class _Reader:
    """One walk over a folder."""

    folder: Path
    problems: list[Problem] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    """The file of every id."""
    sidecar: tuple[Path, Sidecar] | None = None

    def documents(self) -> Iterator[Document]:
        try:
            self.sidecar = read_sidecar(self.folder)
        except (OSError, ValueError) as error:
            self.wrong(self.folder / SIDECARS[0], str(error))
        for path, wrong_link in found_files(self.folder):
            name = path.relative_to(self.folder).as_posix()
            if wrong_link:
                self.wrong(path, wrong_link)
            elif _is_document(name):
                yield from self._of_file(path, name)

    def finish(self) -> None:
        """Raise all that was wrong."""
        if self.sidecar and not self.problems:
            path, sidecar = self.sidecar
            for key in sidecar.unused():
                self.wrong(path, f"'{key[:200]}' matches no document", "ids are paths, no suffix")
        if not self.problems and not self.files:
            hint = f"documents end in {', '.join(sorted(_READERS))}"
            self.wrong(self.folder, "holds no documents", hint)
        if self.problems:
            shown = self.problems[:MAX_PROBLEMS]
            more = len(self.problems) - len(shown)
            if more:
                shown.append(Problem(_shown(self.folder), f"{more} more problems like these"))
            raise InputError(shown)

    def wrong(self, path: Path, what: str, hint: str = "", line: int = 0) -> None:
        """Keep a problem."""
        place = f"{_shown(path)}:{line}:1" if line else _shown(path)
        self.problems.append(Problem(place, encodable(what), hint))

    def _of_file(self, path: Path, name: str) -> Iterator[Document]:
        try:
            for line, document in _READERS[_suffix(name)](path, name.rpartition(".")[0]):
                if isinstance(document, _WrongError):
                    self.wrong(path, document.what, document.hint, line)
                    continue
                try:
                    yield self._completed(document, name, line)
                except _WrongError as error:
                    self.wrong(path, error.what, error.hint, line)
        except _WrongError as error:
            self.wrong(path, error.what, error.hint, error.line)
        except OSError as error:
            self.wrong(path, f"cannot be read: {error.strerror}")

    def _completed(self, document: Document, name: str, line: int) -> Document:
        """The document with its file and the sidecar's metadata, if its id is possible and new."""
        _check_id(document.id)
        first = self.files.setdefault(document.id, f"{name}:{line}" if line else name)
        if first != (f"{name}:{line}" if line else name):
            raise _WrongError(f"the id '{document.id}' is that of {first} too")
        added = self.sidecar[1].of(document.id) if self.sidecar else {}
        return replace(document, file=name, metadata={**document.metadata, **added})


def _check_id(identifier: str) -> None:
    why = ""
    if not identifier.strip() or len(identifier) > _MAX_ID:
        why = f"is empty or longer than {_MAX_ID} characters"
    elif _UNPRINTABLE.search(identifier):
        why = "holds characters that cannot be printed"
    elif "#" in identifier or _PIECE.search(identifier):
        why = "looks like a section's: it holds # or ends in ~ and a number"
    if why:
        shown = _UNPRINTABLE.sub("?", identifier[:80])
        raise _WrongError(f"the document's id '{shown}' {why}", "rename the document")


_Found = Iterator[tuple[int, Document | _WrongError]]


def _markdown(path: Path, identifier: str) -> _Found:
    source = _text(path)
    try:
        metadata, text = front_matter(source)
    except ValueError as error:
        hint = "begin the file with an empty line if its first line is a rule across the page"
        raise _WrongError(f"the front matter is wrong: {error}", hint, 1) from None
    title = _title(metadata.get("title"))
    yield 0, Document(identifier, text, title, markdown_headings(text), metadata)


def _html(path: Path, identifier: str) -> _Found:
    page = html_text(_text(path))
    yield 0, Document(identifier, page.text, page.title, page.headings, page.metadata)


def _plain(path: Path, identifier: str) -> _Found:
    yield 0, Document(identifier, _text(path))


def _pdf(path: Path, identifier: str) -> _Found:
    if not can_read_pdf():
        raise _WrongError(NO_PYPDF, HINT)
    _check_size(path)
    try:
        text, title = pdf_text(path, MAX_DOCUMENT_BYTES)
    except ValueError as error:
        raise _WrongError(str(error)) from None
    yield 0, Document(identifier, encodable(text), _title(title))


def _jsonl(path: Path, _: str) -> _Found:
    _check_regular(path)
    with path.open("rb") as file:
        line = 0
        while raw := file.readline(MAX_DOCUMENT_BYTES + 1):
            line += 1
            if len(raw) > MAX_DOCUMENT_BYTES:
                raise _WrongError(f"a line is longer than {MAX_DOCUMENT_BYTES} bytes", line=line)
            if raw.strip():
                yield line, _of_line(raw.removeprefix(b"\xef\xbb\xbf") if line == 1 else raw)


def _of_line(raw: bytes) -> Document | _WrongError:
    try:
        row: Any = parse_json(raw.decode())
    except UnicodeDecodeError as error:
        return _WrongError(f"byte {error.start} of the line is not UTF-8")
    except ValueError as error:
        return _WrongError(f"the line is no JSON: {error}")
    hint = 'a line is {"id": ..., "text": ...}, with `title` and metadata if there are any'
    if not isinstance(row, dict):
        return _WrongError("the line is no JSON object", hint)
    identifier, text, title = row.pop("id", None), row.pop("text", None), row.get("title")
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        identifier = str(identifier)
    if not isinstance(identifier, str) or not isinstance(text, str):
        return _WrongError("the line needs an `id` and a `text`", hint)
    inner = row.pop("metadata", None)
    metadata = {**row, **inner} if isinstance(inner, Mapping) else row
    return Document(identifier, _lines(encodable(text)), _title(title), metadata=metadata)


def _title(value: JsonValue) -> str:
    return " ".join(encodable(value).split())[:MAX_TITLE] if isinstance(value, str) else ""


def _text(path: Path) -> str:
    """A text file's content, with line feeds alone between its lines."""
    _check_size(path)
    raw = path.read_bytes()
    try:
        return _lines(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8 text"
        raise _WrongError(what, "save the file as UTF-8", line) from None


def _lines(text: str) -> str:
    return _NEWLINE.sub("\n", text) if "\r" in text else text


def _check_size(path: Path) -> None:
    _check_regular(path)
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        raise _WrongError(f"is larger than {MAX_DOCUMENT_BYTES} bytes", "split the document")


def _check_regular(path: Path) -> None:
    if not path.is_file():  # reading a pipe may never end
        raise _WrongError("does not exist or is not a regular file")


def _suffix(name: str) -> str:
    return "." + name.rpartition("/")[2].rpartition(".")[2].lower()


def _is_document(name: str) -> bool:
    return _suffix(name) in _READERS


def _shown(path: Path) -> str:
    """`path` from the working folder, or whole where that is shorter, fit to be printed."""
    whole = os.path.abspath(path)  # noqa: PTH100 - resolve() would raise on a loop of links
    return encodable(min(os.path.relpath(whole), whole, key=len))


_READERS: dict[str, Callable[[Path, str], _Found]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".txt": _plain,
    ".pdf": _pdf,
    ".jsonl": _jsonl,
}
