"""Tokens are those of o200k_base, counted offline and in linear time."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.corpus.tokens import count_tokens, identity, token_starts


def test_counts_are_tiktokens_own():
    assert identity().endswith("o200k_base")
    assert count_tokens("hello world") == 2
    assert count_tokens("") == 0
    assert count_tokens("<|endoftext|>") > 1  # a special token in a document is text


@given(st.text(max_size=200))
@settings(deadline=None)
def test_starts_are_as_many_as_tokens_and_inside_the_text(text):
    starts = token_starts(text)

    assert len(starts) == count_tokens(text)
    assert np.all(np.diff(starts) >= 0)
    assert not len(starts) or (starts[0] == 0 and starts[-1] < len(text))


def test_starts_of_signs_of_several_bytes():
    text = "日本語 é"
    starts = token_starts(text)

    assert starts[0] == 0
    assert text[starts[-1] :].strip() == "é"


@pytest.mark.parametrize("unit", ["a", " ", "!", "\n", "1", "é", "返", "😀"])
def test_long_runs_take_linear_time(unit):
    # One piece of 2 million characters would take tiktoken minutes.
    text = unit * 2_000_000

    assert 0 < count_tokens(text) <= 4 * len(text)


def run(code, **environment):
    env = {**os.environ, **environment}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    return json.loads(result.stdout)


def test_counting_imports_no_litellm_and_connects_to_nothing():
    code = (
        "import json, socket, sys\n"
        "def refuse(*_): raise AssertionError('a connection')\n"
        "sys.addaudithook(lambda e, a: refuse() if e.startswith('socket.connect') else None)\n"
        "from harness.corpus.tokens import count_tokens\n"
        "print(json.dumps([count_tokens('hello world'), 'litellm' in sys.modules]))"
    )

    assert run(code) == [2, False]


def test_a_wrong_vocabulary_is_neither_used_nor_deleted(tmp_path):
    wrong = tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790"
    wrong.write_bytes(b"YQ== 0\n")
    code = (
        "import json\nfrom harness.corpus.tokens import count_tokens, identity\n"
        "print(json.dumps([count_tokens('hello world'), identity()]))"
    )

    count, name = run(code, TIKTOKEN_CACHE_DIR=str(tmp_path))

    assert (count, name) == (2, identity())
    assert wrong.read_bytes() == b"YQ== 0\n"


def test_without_the_vocabulary_words_are_counted_and_the_identity_says_so(tmp_path):
    code = (
        "import json, sys\n"
        "sys.modules['litellm'] = None\n"  # as if it were not installed
        "from harness.corpus.tokens import count_tokens, identity, token_starts\n"
        "text = 'Hello, wonderful world.'\n"
        "print(json.dumps([identity(), count_tokens(text), token_starts(text).tolist()]))"
    )

    found = run(code, TIKTOKEN_CACHE_DIR=str(tmp_path))

    assert found == ["words and marks", 6, [0, 5, 7, 13, 17, 22]]
