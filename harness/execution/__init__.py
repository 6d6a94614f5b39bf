"""Runs trials: in what order, how many at once, and again after a failure of a service."""
