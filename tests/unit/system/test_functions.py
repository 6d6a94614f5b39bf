"""A function of the user's that never ends does not hold up a trial."""

import asyncio
import threading

from harness.core.variant import Output, Rule
from harness.system.functions import FunctionRules


def test_a_function_that_hangs_is_a_broken_rule():
    released = threading.Event()

    def hangs(output, given):
        released.wait()

    rules = FunctionRules(
        Output(rules=(Rule("slow", function="m:f"), Rule("fine", function="m:g"))),
        {"m:f": hangs, "m:g": lambda output, given: None},
        limit_s=0.05,
    )
    try:
        reasons = asyncio.run(rules.reasons("x", {}))
    finally:
        released.set()
    assert [str(reason) for reason in reasons] == ["rule: slow: took more than 0.05 s"]


def test_a_function_that_gives_or_raises_what_has_no_words_is_a_broken_rule():
    class SilentError(Exception):
        def __str__(self):
            raise ValueError

    def gives(output, given):
        return SilentError()

    def raises(output, given):
        raise SilentError

    rules = FunctionRules(
        Output(rules=(Rule("gives", function="m:f"), Rule("raises", function="m:g"))),
        {"m:f": gives, "m:g": raises},
    )
    told = [str(reason) for reason in asyncio.run(rules.reasons("x", {}))]
    assert told == ["rule: gives: raised ValueError: ", "rule: raises: raised SilentError"]
