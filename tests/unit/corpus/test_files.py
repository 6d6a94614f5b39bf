"""A corpus's hash is of its files and of nothing outside its folder."""

import pytest

from harness.config.lock import corpus_hash
from harness.config.paths import PathError
from harness.corpus.files import CorpusError, corpus_files


def test_files_are_in_order_and_hidden_ones_left_out(folder):
    for name in ("b.md", "a/z.md", ".git/config", "a/.hidden", "c.png"):
        folder(name, "x")

    found = [path.relative_to(folder.root).as_posix() for path in corpus_files(folder.root)]

    assert found == ["b.md", "c.png", "a/z.md"]


def test_links_out_of_the_folder_are_refused(folder, tmp_path):
    outside = tmp_path / "corpus-secret.txt"  # its path begins as the folder's does
    outside.write_text("x")
    (folder.root / "leak.txt").symlink_to(outside)

    with pytest.raises(CorpusError, match=r"holds 'leak\.txt', a link that leads out"):
        list(corpus_files(folder.root))
    with pytest.raises(PathError, match="leads out of the folder"):
        corpus_hash(folder.root)


def test_links_inside_the_folder_are_files(folder):
    folder("real.md", "x")
    before = corpus_hash(folder.root)
    (folder.root / "again.md").symlink_to("real.md")

    assert corpus_hash(folder.root) != before


def test_loop_of_links_is_an_error_and_no_crash(folder):
    (folder.root / "a.md").symlink_to("a.md")

    with pytest.raises(PathError, match="a loop of symbolic links"):
        corpus_hash(folder.root)
