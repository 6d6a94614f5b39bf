from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import write_models


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two models with random weights. Nobody changes it."""
    return write_models(tmp_path_factory.mktemp("models"))
