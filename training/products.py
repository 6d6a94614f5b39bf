"""Random products, companies and document ids, so that none of them can be learned by heart."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from training.wordings import Wordings

_SYLLABLES = (
    "ka ke lo ru mi sa to ve na bri cor del fen gal hol jun kes lum mar nor ost pel quin ros sil"
    " tar ul vor wes yar zan zo be da ti pu li mo ra ne ash brook dell fern glen heath moor rook"
    " stone thorn vale wick wood wyn by ford gate ham ley ton worth bell crest drift ember frost"
).split()
_ONSETS = "b c d f g h j k l m n p r s t v w z br cr dr fl gr pl sh st th tr ch qu sk sn".split()
_VOWELS = "a e i o u ai ea oo y ie".split()
_ENDS = " l n r s t m k p x th nd ck".split(" ")
_PREFIXES = ("KB-", "KB-", "KB-", "KB-", "KB", "DOC-", "ART-", "A-", "Help-", "P")


def name(r: Random, words: Wordings) -> str:
    """A product's name: a known noun, or one made of syllables or letters."""
    draw = r.random()
    if draw < 0.3:
        return str(r.choice(words.names["words"]))
    if draw < 0.4:
        return f"{r.choice(words.names['words'])} {made_up(r)}"
    return made_up(r)


def made_up(r: Random) -> str:
    """A name that no list holds, so that every piece of a word is met as a part of one."""
    if r.random() < 0.5:
        return "".join(r.choice(_SYLLABLES) for _ in range(r.choice((2, 2, 2, 3)))).capitalize()
    parts = (
        r.choice(_ONSETS) + r.choice(_VOWELS) + r.choice(_ENDS)
        for _ in range(r.choice((1, 2, 2, 3)))
    )
    made = "".join(parts).capitalize()
    return made if len(made) > 3 else made_up(r)


def product(r: Random, words: Wordings, named: str | None = None) -> str:
    """A product as a text mentions it: `the Alder kit`."""
    return str(r.choice(words.names["kinds"])).format(n=named or name(r, words))


def products(r: Random, words: Wordings, n: int) -> list[str]:
    """Distinct products; now and then two whose names differ by one word only."""
    found = [product(r, words)]
    while len(found) < n:
        known = bare(r.choice(found))
        draw = r.random()
        if draw < 0.15:
            new = product(r, words, known)
        elif draw < 0.22 and " " not in known:
            new = product(r, words, f"{known} {r.choice(('Plus', 'Pro', 'Mini', 'Max', 'Lite'))}")
        else:
            new = product(r, words)
        if new not in found:
            found.append(new)
    return found


def bare(product: str) -> str:
    """A product's name without the words around it."""
    kept = [word for word in product.split() if word[:1].isupper()]
    return " ".join(kept) or product


def company(r: Random, words: Wordings) -> str:
    """A company's name."""
    if r.random() < 0.4:
        return str(r.choice(words.names["companies"]))
    return name(r, words) + r.choice(("", "", " Ltd", " Inc", " Group", " & Co"))


def document_ids(r: Random, n: int, prefix: str | None = None) -> Sequence[str]:
    """Ids of one form: `KB-512`."""
    prefix = prefix or r.choice(_PREFIXES)
    return [f"{prefix}{number}" for number in r.sample(range(100, 1000), n)]
