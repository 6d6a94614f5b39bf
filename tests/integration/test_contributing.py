"""The provider that CONTRIBUTING.md shows is a whole one."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from tests.integration.conftest import HARNESS, lines

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """\
name: echo
evalset: evalsets/e
baseline: plain
variants:
  - {id: plain, model: echo/any, user: user.j2}
  - {id: shouting, model: echo/any, user: user.j2, provider: {prefix: "!"}}
factors: [provider]
scorers: [{id: correct, use: exact_match}]
primary: [correct]
"""


def test_the_provider_shown_works(tmp_path: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "echo_provider.py").write_text(code, encoding="utf-8")
    installed = tmp_path / "echo_provider-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: echo-provider\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[harness.providers]\necho = echo_provider:Echo\n")
    (tmp_path / "user.j2").write_text("{{ word }}")
    (tmp_path / "evalsets" / "e").mkdir(parents=True)
    rows = [{"id": f"e{i}", "input": {"word": f"w{i}"}, "target": f"w{i}"} for i in range(12)]
    (tmp_path / "evalsets" / "e" / "examples.jsonl").write_text(lines(rows))
    (tmp_path / "evalsets" / "e" / "evalset.yaml").write_text("name: e\n")
    (tmp_path / "x.yaml").write_text(CONFIG)
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "NO_COLOR": "1"}

    def harness(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*HARNESS, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True,
            encoding="utf-8", check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done

    harness("freeze", "evalsets/e")
    run = json.loads(harness("run", "x.yaml", "--json").stdout)
    means = {row["variant"]: row["mean"] for row in run["comparison"]["scores"]}
    assert means == {"plain": 1.0, "shouting": 0.0}

    (tmp_path / "x.yaml").write_text(CONFIG.replace("user.j2}", "user.j2, params: {top_k: 3}}"))
    assert "echo takes no top_k" in harness("check", "x.yaml", code=2).stderr
