"""What `harness init` writes for a model of one's own runs as it is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from model_server import Asked, ModelServer, Say

from tests.integration.conftest import HARNESS


def team(asked: Asked) -> Say:
    """Right about parcels; about cards only if it was shown examples."""
    system, user = (message["content"] for message in asked.body["messages"])
    return Say("shipping" if "parcel" in user or "courier" not in system else "billing")


def test_two_prompts_on_a_model_of_ones_own(tmp_path: Path) -> None:
    with ModelServer(respond=team) as server:
        env = {**os.environ, "NO_COLOR": "1", "HARNESS_BASE_URL": server.openai_url}

        def harness(*arguments: str) -> str:
            done = subprocess.run(
                [*HARNESS, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True,
                encoding="utf-8", check=False, timeout=120,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout

        harness("init")
        harness("freeze", "evalsets/tickets")
        assert "few_shot" in harness("check", "configs/live.yaml")
        assert not server.requests
        run = json.loads(harness("run", "configs/live.yaml", "--json"))
        assert len(server.requests) == 48
    assert list(run["comparison"]["factors"]["few_shot.count"]) == ["prompt_shots"]
    assert {row["n_trials"] for row in run["comparison"]["variants"]} == {24}
