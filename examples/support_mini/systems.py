"""Two small real systems that answer support questions with an article of the corpus.

Both take a question and give an `Answer`: the article's id (`none` if they abstain), a text, and
the ids of the articles they looked at, best first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bm25s
import numpy as np

NONE = "none"
REFUSAL = "I have no article on that. A colleague will answer you."
_FUNCTION_WORDS = """
    a all am an and any are as at be been but by can could did do does for from get had has have
    he her his how i if in is it its me my no not of on or our please she should so that the their
    them then there they this to up was we were what when where which who why will with would you
    your
"""
STOPWORDS = frozenset(_FUNCTION_WORDS.split())


@dataclass(frozen=True)
class Answer:
    """`evidence` holds article ids, best first."""

    article: str
    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One section of an article: its heading with the title, and its text."""

    article: str
    heading: str
    text: str


def read_sections(corpus: Path) -> list[Section]:
    """The sections of all Markdown articles in a folder, in the order of file names."""
    sections = []
    for path in sorted(corpus.glob("*.md")):
        title, *parts = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        title = title.strip().splitlines()[0].removeprefix("# ")
        for part in parts:
            heading, _, body = part.partition("\n")
            sections.append(Section(path.stem, f"{title}: {heading.strip()}", body.strip()))
    return sections


class KeywordRule:
    """The first rule whose words all occur in the question names the article.

    The rules were written from the articles' titles and the development questions. A word matches
    where it starts a word of the question, so `return` finds "returned".
    """

    RULES = (
        ("forgot password", "account-access"),
        ("password", "account-access"),
        ("mail address", "account-access"),
        ("delete account", "account-delete"),
        ("my data", "account-delete"),
        ("newsletter", "newsletter"),
        ("messages", "newsletter"),
        ("allerg", "allergens"),
        ("decaf", "allergens"),
        ("grind size", "grind-sizes"),
        ("ground coffee", "grind-sizes"),
        ("store", "coffee-storage"),
        ("freeze", "coffee-storage"),
        ("descal", "descaling"),
        ("vinegar", "descaling"),
        ("clean", "grinder-cleaning"),
        ("spare part", "spare-parts"),
        ("burrs", "spare-parts"),
        ("repair", "repair-service"),
        ("warranty grinder", "warranty-grinders"),
        ("warranty", "warranty"),
        ("points", "loyalty-points"),
        ("voucher", "vouchers"),
        ("gift card", "vouchers"),
        ("invoice", "invoices"),
        ("compan", "business-accounts"),
        ("office", "business-accounts"),
        ("declined", "payment-failed"),
        ("charged twice", "payment-failed"),
        ("price promise", "price-match"),
        ("subscription gift", "subscription-gift"),
        ("subscription pause", "subscription-pause"),
        ("subscription end", "subscription-cancel"),
        ("subscription cancel", "subscription-cancel"),
        ("subscription change", "subscription-change"),
        ("subscription", "subscription-start"),
        ("notice period", "subscription-cancel"),
        ("on hold", "subscription-pause"),
        ("taste", "taste-promise"),
        ("exchange", "exchanges"),
        ("refund", "refunds-timing"),
        ("money back", "refunds-timing"),
        ("return label", "returns-how"),
        ("return printer", "returns-how"),
        ("return", "returns-window"),
        ("send back", "returns-window"),
        ("damaged", "parcel-damaged"),
        ("broke", "parcel-damaged"),
        ("missing", "order-missing-item"),
        ("wrong", "wrong-item"),
        ("tracking", "order-status"),
        ("pickup", "pickup-points"),
        ("collect", "pickup-points"),
        ("countr", "shipping-abroad"),
        ("abroad", "shipping-abroad"),
        ("not arrived", "parcel-lost"),
        ("deliver cost", "shipping-rates"),
        ("express price", "shipping-rates"),
        ("deliver long", "shipping-times"),
        ("roast days", "shipping-times"),
        ("cancel", "order-cancel"),
        ("change order", "order-change"),
        ("edit order", "order-change"),
        ("add order", "order-change"),
        ("pay", "payment-methods"),
    )

    def __init__(self, sections: Sequence[Section]) -> None:
        self._texts: dict[str, str] = {}
        for section in sections:
            self._texts.setdefault(section.article, section.text)

    def __call__(self, question: str) -> Answer:
        """The answer to one question."""
        text = " ".join(re.findall(r"[a-z0-9]+", question.lower()))
        for keywords, article in self.RULES:
            if all(f" {keyword}" in f" {text}" for keyword in keywords.split()):
                return Answer(article, self._texts[article], (article,))
        return Answer(NONE, REFUSAL, ())


class SectionLookup:
    """BM25 over the sections: the best section answers, if its score reaches the threshold."""

    def __init__(self, sections: Sequence[Section], threshold: float, top_k: int = 5) -> None:
        self._sections = sections
        self._threshold = threshold
        self._top_k = top_k
        self._index = bm25s.BM25()
        texts = [f"{section.heading} {section.text}" for section in sections]
        self._index.index([words(text) for text in texts], show_progress=False)

    def __call__(self, question: str) -> Answer:
        """The answer to one question."""
        ranked, scores = self.rank(question)
        articles = tuple(dict.fromkeys(section.article for section in ranked))
        if not ranked or scores[0] < self._threshold:
            return Answer(NONE, REFUSAL, articles)
        return Answer(ranked[0].article, ranked[0].text, articles)

    def rank(self, question: str) -> tuple[list[Section], list[float]]:
        """The best sections and their scores; none where no word of the question is known."""
        known = [word for word in words(question) if word in self._index.vocab_dict]
        if not known:
            return [], []
        scores = self._index.get_scores(known)
        order = np.argsort(-scores, kind="stable")[: self._top_k]
        found = [int(i) for i in order if scores[i] > 0]
        return [self._sections[i] for i in found], [float(scores[i]) for i in found]


def words(text: str) -> list[str]:
    """The words that carry meaning, lower case, without common endings."""
    found = re.findall(r"[a-z0-9]+", text.lower())
    return [_ENDING.sub("", word) for word in found if word not in STOPWORDS]


_ENDING = re.compile(r"(?<=[a-z]{3})(ies|es|s|ing|ed|y|e)$")


def best_threshold(lookup: SectionLookup, questions: Sequence[str], wanted: Sequence[str]) -> float:
    """The score below which to abstain, so that most of the questions come out right.

    `wanted` names each question's article or `none`. Of equally good thresholds, the lowest.
    """
    tops = [lookup.rank(question) for question in questions]
    scores = np.array([score[0] if score else 0.0 for _, score in tops])
    found = np.array([sections[0].article if sections else NONE for sections, _ in tops])
    expected = np.array(wanted)

    def n_right(threshold: float) -> int:
        said = np.where(scores < threshold, NONE, found)
        return int((said == expected).sum())

    ordered = np.unique(scores)
    between = [0.0, *((ordered[1:] + ordered[:-1]) / 2)]
    return max(between, key=lambda threshold: (n_right(threshold), -threshold))
