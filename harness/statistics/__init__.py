"""Pure statistics on arrays: intervals, tests, multiplicity, quantiles, power.

No module here knows what a variant is. docs/statistics.md explains each choice and what the
simulations in tests/statistical measured.
"""
