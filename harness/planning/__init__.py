"""Before a run: what its size can show."""
