"""A tiny language model that comes with harness, and all that is needed to run it: no torch."""
