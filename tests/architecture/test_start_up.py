"""`harness --help` stays light: what is heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"openai", "anthropic", "litellm", "datasets", "pandas", "scipy", "pyarrow", "jinja2"}
SHOW_MODULES_AFTER_HELP = """
import json, sys
sys.argv = ["harness", "--help"]
from harness.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_help_imports_nothing_heavy() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES_AFTER_HELP], capture_output=True, text=True, check=True
    )
    imported = set(json.loads(result.stdout.splitlines()[-1]))

    assert "harness" in imported
    assert not imported & HEAVY
