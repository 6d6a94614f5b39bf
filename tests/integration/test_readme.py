"""The README shows what the programme really does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def harness(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_excerpt_is_what_the_quickstart_prints(tmp_path: Path) -> None:
    blocks = re.findall(r"^```\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    excerpt = next(block for block in blocks if "section_lookup" in block)

    printed = harness(tmp_path, "run", str(ROOT / "configs" / "quickstart.yaml"))

    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith(excerpt.rstrip("\n"))


def test_the_five_minutes_work(tmp_path: Path) -> None:
    block = README[README.index("   harness freeze") :].partition("```")[0]
    commands = [line.split("#")[0].split()[1:] for line in block.splitlines() if line.strip()]
    own = re.findall(r"^   ```yaml\n(.*?)^   ```", README, flags=re.MULTILINE | re.DOTALL)

    assert harness(tmp_path, "init", "my-eval").returncode == 0
    folder = tmp_path / "my-eval"
    (folder / "configs" / "tickets.yaml").write_text(own[0], encoding="utf-8")
    codes = {command[0]: harness(folder, *command).returncode for command in commands}

    assert list(codes) == ["freeze", "check", "run", "gate"]
    assert codes["freeze"] == codes["check"] == codes["run"] == 0
    assert codes["gate"] == 0


def test_the_notebook_lines_work(tmp_path: Path) -> None:
    lines = re.search(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert lines
    for name in ("configs", "variants"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "evalsets" / "support_mini", tmp_path / "evalsets" / "support_mini")
    text = lines.group(1) + "\nprint(len(run.pairs), len(run.scores), len(run.trials))"

    done = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert all(int(rows) > 0 for rows in done.stdout.split()[-3:])
