"""YAML, eval sets and recordings become core values; every problem at once, with its place."""
