"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no defect: nothing here asserts how long anything takes.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
