"""Files that are there whole or not at all, and their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TextIO

import pytest

from harness.errors import InputError
from harness.files import read_pinned, sha256, write_atomically


def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_atomically(path, "old")

    def half(file: TextIO) -> None:
        file.write("new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, half)
    assert path.read_text() == "old"
    write_atomically(path, lambda file: file.write("new \ud83d\n"))
    assert path.read_bytes() == b"new \\ud83d\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_read_is_what_is_hashed(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    path.write_bytes(b"content")
    expected = hashlib.sha256(b"content").hexdigest()
    assert read_pinned(path, path.read_text) == ("content", expected)
    assert sha256(path) == expected


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    path.write_text("content")

    def read() -> str:
        text = path.read_text()
        path.write_text(text + " and more")
        return text

    with pytest.raises(InputError, match="changed while it was read"):
        read_pinned(path, read)
    with pytest.raises(InputError, match=r"nothing\.txt: cannot be read"):
        read_pinned(tmp_path / "nothing.txt", read)
