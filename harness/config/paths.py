"""Paths as configuration files write them, and what is wrong with those that lead nowhere."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import Literal

from harness.config.suggest import did_you_mean, listed

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_ALLOWED = re.compile(r"(HARNESS_[A-Z0-9_]+)(?::-(.*))?", re.DOTALL)
_REASONS = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "does not exist: a part of its path is a file",
    errno.ELOOP: "is a loop of symbolic links",
    errno.EACCES: "cannot be read: permission denied",
    errno.EPERM: "cannot be read: permission denied",
    errno.ENAMETOOLONG: "has too long a name",
    errno.EISDIR: "is a folder, not a file",
}


class PathError(ValueError):
    """A path cannot be what it should be. `what` completes "path X ..."; `hint` may be empty."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = what
        self.hint = hint
        super().__init__(what)


def resolve(text: str, base: Path) -> Path:
    """The path that `text` names in a file of the folder `base`, its variables `expanded`.

    Raises:
        PathError: if a variable is not allowed or not set.
    """
    return base / expanded(text)


def expanded(text: str) -> str:
    """`text` with `${HARNESS_X}` and `${HARNESS_X:-default}` replaced by environment variables.

    No other variable is read, so that a configuration cannot carry a secret into a path or an
    address.

    Raises:
        PathError: if a variable is not allowed or not set.
    """
    return _VARIABLE.sub(_value, text)


def require(path: Path, kind: Literal["file", "folder"]) -> None:
    """Make sure that `path` is a regular file, or a folder.

    Raises:
        PathError: if it is not, or if its path is a loop of symbolic links.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        absent = isinstance(error, FileNotFoundError)
        raise PathError(reason(error), _near(path) if absent else "") from None
    if kind == "folder" and not stat.S_ISDIR(mode):
        raise PathError("is a file, not a folder")
    if kind == "file" and stat.S_ISDIR(mode):
        raise PathError("is a folder, not a file")
    if kind == "file" and not stat.S_ISREG(mode):
        raise PathError("is not a regular file")


def near_config(path: Path) -> str:
    """A hint at the configs that may have been meant by a path that is no file; mostly empty."""
    if path.is_dir():
        inside = [shown(file) for file in sorted(path.glob("*.yaml"))]
        return f"name one of: {listed(inside, 5)}" if inside else ""
    names = (path.name, f"{path.name}.yaml")
    places = (folder / name for folder in (path.parent, Path("configs")) for name in names)
    meant = next((place for place in places if place != path and place.is_file()), None)
    return f"did you mean '{meant}'?" if meant else ""


def reason(error: OSError | ValueError) -> str:
    """Why the operating system refused a path, in words that complete "path X ..."."""
    if isinstance(error, OSError):
        known = _REASONS.get(error.errno or 0)
        return known or f"cannot be read: {error.strerror or error}"
    return "is not a possible path"


def shown(path: Path) -> str:
    """`path` as messages show it: from the working folder, or whole where that is shorter."""
    whole = os.path.abspath(path)  # noqa: PTH100 - resolve() would raise on a loop of links
    return min(os.path.relpath(whole), whole, key=len)


def _value(match: re.Match[str]) -> str:
    inside = match.group(1)
    allowed = _ALLOWED.fullmatch(inside)
    if allowed is None:
        raise PathError(
            f"uses ${{{inside}}}, which is not read",
            "only ${HARNESS_NAME} and ${HARNESS_NAME:-default} stand for environment variables",
        )
    name, default = allowed.groups()
    value = os.environ.get(name) or default
    if value is None:
        raise PathError(
            f"uses ${{{name}}}, which is not set",
            f"set {name}, or give a default: ${{{name}:-path}}",
        )
    return value


def _near(path: Path) -> str:
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 - names, not paths, are compared
    except (OSError, ValueError):
        return ""
    hint = did_you_mean(path.name, names)
    return hint if hint.startswith("did you mean") else ""
