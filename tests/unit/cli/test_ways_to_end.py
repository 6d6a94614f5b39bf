"""What every way to end a command means for its exit code and its last words."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from harness.cli import main
from harness.errors import InputError, NotComparableError, Problem

@main.app.command("end")
def end() -> int:
    {body}

main.main(["end"])
"""


def ended(body: str) -> subprocess.CompletedProcess[str]:
    script = SCRIPT.format(body=body)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ("return None", 0, ""),
        ("return 4", 4, ""),
        (
            "raise InputError([Problem('a.yaml:1:2', 'is wrong', 'do this'), Problem('', 'too')])",
            2,
            "a.yaml:1:2: is wrong\n  hint: do this\ntoo\nharness: 2 problems; nothing was done\n",
        ),
        ("raise NotComparableError(Problem('', 'other set'))", 2, "other set\n"),
        ("raise InputError(Problem('x\\x1b[2J', 'y'))", 2, "x\\x1b[2J: y\n"),
        (
            "open('/no/such/file')",
            2,
            "harness: /no/such/file: No such file or directory\n",
        ),
        (
            "raise KeyboardInterrupt",
            3,
            "harness: interrupted; nothing was kept. Run the same command again.\n",
        ),
    ],
)
def test_exit_code_and_words(body: str, code: int, told: str) -> None:
    done = ended(body)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", told)


@pytest.mark.parametrize("error", ["ValueError('boom')", "RecursionError()", "KeyError('x')"])
def test_a_bug_is_called_one(error: str) -> None:
    done = ended(f"raise {error}")
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert "this is a bug in harness" in done.stderr
    assert done.stdout == ""
