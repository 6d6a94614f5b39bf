"""The tool of variants/prompt_tools: a search of the help articles by words."""

from __future__ import annotations

import re
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[2] / "evalsets" / "support_mini" / "corpus"


def find_articles(words: str) -> list[dict[str, str]]:
    """The five articles that hold the most of the words, as ids and titles."""
    wanted = set(re.findall(r"[a-z]+", words.lower()))
    found = []
    for path in sorted(CORPUS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        n_shared = len(wanted & set(re.findall(r"[a-z]+", text.lower())))
        title = re.search(r"^# (.*)$", text, re.MULTILINE)
        found.append((-n_shared, path.stem, title.group(1) if title else path.stem))
    return [{"article": name, "title": title} for n, name, title in sorted(found)[:5] if n]
