"""The text of a PDF, page by page."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

MAX_PAGES = 20_000
NO_PYPDF = "is a PDF, and PDFs need pypdf"
HINT = "install the extra with `pip install 'harness[pdf]'`"


def can_read_pdf() -> bool:
    """Whether the extra `pdf` is installed."""
    return importlib.util.find_spec("pypdf") is not None


def pdf_text(path: Path, max_characters: int) -> tuple[str, str]:
    """The text of all pages, an empty line between them, and the document's title.

    Raises:
        ValueError: saying what is wrong, to complete "the file ...".
    """
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # of a broken file, the problem says enough
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("is encrypted")
        if len(reader.pages) > MAX_PAGES:
            raise ValueError(f"has more than {MAX_PAGES} pages")
        pages: list[str] = []
        for page in reader.pages:
            pages.append(page.extract_text().strip())
            max_characters -= len(pages[-1])
            if max_characters < 0:
                raise ValueError("holds too much text")
        title = reader.metadata.title if reader.metadata else None
    except ValueError as error:
        raise ValueError(str(error) or "is a broken PDF") from None
    except Exception as error:  # noqa: BLE001 - hostile files raise anything
        raise ValueError(f"is a broken PDF: {type(error).__name__}: {error}"[:300]) from None
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise ValueError("is a PDF without text: scanned pages must be recognised first")
    return text, " ".join((title or "").split())
