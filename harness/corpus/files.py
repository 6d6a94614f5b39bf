"""The files of a corpus folder: all that are not hidden, and none from outside the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn


class CorpusError(ValueError):
    """A folder cannot be a corpus. `what` completes "the folder X ..."."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


def corpus_files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, in the order of their paths.

    Raises:
        CorpusError: if there is a link to a folder, or to a file that is not in the folder.
        OSError: if a folder cannot be read.
    """
    for path, wrong in found_files(folder):
        if wrong:
            raise CorpusError(f"holds '{path.name}', {wrong}")
        yield path


def found_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below `folder` and, for links that must not be followed, what is wrong with it.

    Hidden files and hidden folders are passed over.

    Raises:
        OSError: if a folder cannot be read.
    """
    root = os.path.realpath(folder)
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            path = Path(parent) / name
            if path.is_symlink():
                yield path, "a link to a folder, which is not followed"
        for name in sorted(files):
            if not name.startswith("."):
                path = Path(parent) / name
                yield path, _wrong_link(path, root)


def _wrong_link(path: Path, root: str) -> str:
    if not path.is_symlink():
        return ""
    target = os.path.realpath(path)
    inside = os.path.commonpath([root, target]) == root
    return "" if inside else "a link that leads out of the folder"


def _raise(error: OSError) -> NoReturn:
    raise error
