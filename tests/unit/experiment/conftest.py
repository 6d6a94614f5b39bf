"""A working folder, cache and server for experiments with live variants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import live_desk
import pytest
from model_server import ModelServer


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: an eval set, a cache of its own, and the price of nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    live_desk.examples()
    return tmp_path


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model that knows every answer."""
    with ModelServer(respond=live_desk.echo) as running:
        yield running
