"""Immutable values that every stage speaks: examples, records, scores, comparisons, verdicts."""
