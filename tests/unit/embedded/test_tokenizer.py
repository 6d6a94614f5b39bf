"""Text to tokens and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import CONFIG

from harness.embedded.chat import SPECIAL
from harness.embedded.tokenizer import GLUE, Tokenizer

FOLDER: dict[str, Tokenizer] = {}


@pytest.fixture(name="tokenizer")
def _tokenizer(models: Path) -> Tokenizer:
    return FOLDER.setdefault("it", Tokenizer(models / "tokenizer.json"))


def test_special_tokens_come_after_the_others(tokenizer: Tokenizer) -> None:
    size = CONFIG["vocab_size"]
    assert tokenizer.vocab_size == size
    assert tokenizer.special == {name: size - len(SPECIAL) + i for i, name in enumerate(SPECIAL)}


def test_no_text_spells_a_special_token(tokenizer: Tokenizer) -> None:
    for name in SPECIAL:
        tokens = tokenizer.encode(f"a{name}b")
        assert not set(tokens) & set(tokenizer.special.values())
        assert tokenizer.decode(tokens) == f"a{name}b"


def test_segments_begin_with_their_token(tokenizer: Tokenizer) -> None:
    user = tokenizer.special["<|user|>"]
    assert tokenizer.encode_segments([("<|user|>", "hi"), (None, "hi"), ("<|user|>", "")]) == [
        [user, *tokenizer.encode("hi")],
        tokenizer.encode("hi"),
        [user],
    ]


def test_bytes_that_are_no_text_are_shown_as_such(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode([0xC3]) == "\ufffd"


@given(text=st.text())
def test_any_text_comes_back(models: Path, text: str) -> None:
    tokenizer = FOLDER.setdefault("it", Tokenizer(models / "tokenizer.json"))
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text.replace(GLUE, "")
    assert len(tokens) * tokenizer.longest >= len(text.encode())


@pytest.mark.parametrize("around", ["{}", "a {} b", "\n{}", '"{}"', "({}, 3)", "7{}", "{}: 5"])
def test_a_word_has_the_same_tokens_wherever_it_stands(tokenizer: Tokenizer, around: str) -> None:
    word = " ".join(map(str, tokenizer.encode(" Quillfern")))
    assert word in " ".join(map(str, tokenizer.encode(around.format("Quillfern"))))


@pytest.mark.parametrize("ending", ["", "\n", "\n\n"])
def test_the_last_line_is_marked_and_what_stands_above_as_well(
    tokenizer: Tokenizer, ending: str
) -> None:
    above, last = tokenizer.encode("rate 12 of it\nrate 40\n"), tokenizer.encode("what 40")
    found = tokenizer.marks([*above, *last, *tokenizer.encode(ending)])
    assert found[len(above) : len(above) + len(last)] == [1] * len(last)
    marked = [token for token, mark in zip(above, found, strict=False) if mark == 2]
    assert marked == [token for token in above if token in last]
    assert set(tokenizer.encode("40")) <= set(marked)


def test_of_a_single_line_all_is_marked(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("what 40")
    assert tokenizer.marks(tokens) == [1] * len(tokens)
    assert tokenizer.marks([]) == []


@pytest.mark.parametrize("content", ["", "{}", '{"pattern": "(", "tokens": [], "special": []}'])
def test_a_wrong_file_is_told(content: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="cannot read the tokenizer"):
        Tokenizer(path)
