"""Makes `reporting_fixtures` importable: with importlib mode, tests/ is not on the path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
