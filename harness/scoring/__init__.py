"""Scores and trials of a run, in columns."""
