"""What is in the repository is meant for everybody: no machine's paths, no package index."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST_FILE_BYTES = 2_000_000
WEIGHTS = ROOT / "harness" / "embedded" / "data"
WEIGHTS_BYTES = 15_000_000
# Written in parts, so that this file does not match itself.
FORBIDDEN = {
    "a path of one machine": re.compile(
        r"(?<![\w.~-])/(?:" + "|".join(["ro" + "ot", "wo" + "rk", "home/\\w+", "Use" + "rs"]) + ")/"
    ),
    "the address of a package index": re.compile("py" + r"pi\.org|python" + "hosted"),
    "a secret": re.compile(r"\b(?:sk-[A-Za-z0-9]{20}|ghp_[A-Za-z0-9]{30}|AKIA[A-Z0-9]{16})"),
    "a mark of a merge": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}
TEXT_SUFFIXES = {
    *(".py", ".md", ".yaml", ".yml", ".toml", ".json", ".jsonl", ".sh", ".js", ".css", ".html"),
    *(".j2", ".txt", ".xml", ""),
}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def test_no_forbidden_text() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {what}: {match.group()!r}"
        for path in tracked()
        if path.suffix in TEXT_SUFFIXES and path.name != "uv.lock"
        for what, pattern in FORBIDDEN.items()
        if (match := pattern.search(path.read_text(encoding="utf-8")))
    ]
    assert not found


def test_no_large_files() -> None:
    large = [path for path in tracked() if path.stat().st_size > LARGEST_FILE_BYTES]
    assert not [path.name for path in large if path.parent != WEIGHTS]


def test_the_weights_are_small_enough_for_the_wheel() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < WEIGHTS_BYTES


def test_reports_are_not_tracked() -> None:
    inside = [path.relative_to(ROOT) for path in tracked() if ROOT / "reports" in path.parents]
    assert not [
        path for path in inside if path.name != "README.md" and path.parts[1] != "baselines"
    ]
