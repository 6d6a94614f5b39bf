"""Templates from a config cannot reach Python, and cannot use up memory or time."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import hostile_templates
from hostile_templates import ENDED, REFUSED

GIGABYTE = 1 << 30


def test_every_hostile_template_is_refused_or_ends_in_an_error() -> None:
    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE))
        resource.setrlimit(resource.RLIMIT_CPU, (300, 300))

    done = subprocess.run(
        [sys.executable, str(Path(hostile_templates.__file__))],
        capture_output=True,
        text=True,
        preexec_fn=limits,
        check=False,
    )
    endings = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = ["refused"] * len(REFUSED) + ["error"] * len(ENDED)
    wrong = [
        (template[:100], ending)
        for template, ending, right in zip(REFUSED + ENDED, endings, wanted, strict=False)
        if ending != right
    ]
    assert wrong == []
    assert len(endings) == len(wanted), done.stderr[-2000:]
    assert done.returncode == 0
