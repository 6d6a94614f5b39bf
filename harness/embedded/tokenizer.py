"""Text to tokens and back: byte-pair encoding with a vocabulary of the embedded models' own."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.embedded.chat import Segment

GLUE = "\x01"
"""Stands before a space that is not in the text."""

_BARE_WORD = re.compile(r"(?<![A-Za-z ])(?=[A-Za-z])")


class Tokenizer:
    """Byte-level BPE (tiktoken computes it). Special tokens are no text: nothing spells them.

    `special` has their ids by name; `longest` is how many bytes a token has at most.
    """

    def __init__(self, path: Path) -> None:
        """Read `tokenizer.json`: a pattern that splits text, tokens in rank order, special ones.

        Raises:
            ValueError: if the file is not of that form.
        """
        import tiktoken

        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            ranks = {base64.b64decode(token): i for i, token in enumerate(found["tokens"])}
            special = {str(name): len(ranks) + i for i, name in enumerate(found["special"])}
            self._encoding = tiktoken.Encoding(
                "embedded", pat_str=found["pattern"], mergeable_ranks=ranks, special_tokens=special
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"cannot read the tokenizer {path}: {error}") from None
        self.special = special
        self.vocab_size = len(ranks) + len(special)
        self.longest = max(map(len, ranks))
        self._breaks = frozenset(rank for token, rank in ranks.items() if b"\n" in token)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text; a special token's name in it is text like any other."""
        return self._encoding.encode_ordinary(glued(text))

    def encode_segments(self, segments: Iterable[Segment]) -> list[list[int]]:
        """The tokens of each segment: its special token, if it has one, and its text's."""
        return [
            ([] if mark is None else [self.special[mark]]) + self.encode(text)
            for mark, text in segments
        ]

    def marks(self, tokens: Sequence[int]) -> list[int]:
        """What the network is told of each token of a message beside the token itself.

        1 in the last line, where a message most often says what is asked; 2 of a token above that
        stands in the last line as well; 0 of all others. (Exact matches as features of a reader:
        Chen et al., Reading Wikipedia to Answer Open-Domain Questions, 2017, section 3.2.)
        """
        end = len(tokens)
        while end and tokens[end - 1] in self._breaks:
            end -= 1
        start = next((i for i in range(end, 0, -1) if tokens[i - 1] in self._breaks), 0)
        line = set(tokens[start:end])
        return [1 if i >= start else 2 * (token in line) for i, token in enumerate(tokens)]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens; bytes that are no UTF-8 become U+FFFD."""
        return unglued(self._encoding.decode(tokens, errors="replace"))


def glued(text: str) -> str:
    """The text with a space before every word, so that a word has the same tokens wherever it is.

    Without that, a name at the start of a line or behind a quotation mark would have others than
    the same name in a sentence, and could not be found again by them.
    """
    return _BARE_WORD.sub(f"{GLUE} ", text.replace(GLUE, ""))


def unglued(text: str) -> str:
    """The text of a glued one."""
    return text.replace(f"{GLUE} ", "").replace(GLUE, "")
