"""The composition root: the only place that knows the order of the stages.

`run` is the whole walk on one screen; `check`, `gate` and `merge` start from parts of it. Commands
import the module they need, so that a light one does not wait for the statistics.
"""
