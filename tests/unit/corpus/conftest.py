"""Folders of documents for the tests of corpora."""

import pytest


@pytest.fixture
def folder(tmp_path):
    """An empty corpus folder with a function `write(name, content)`."""
    root = tmp_path / "corpus"
    root.mkdir()

    def write(name, content):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8", newline="")
        return path

    write.root = root
    return write
