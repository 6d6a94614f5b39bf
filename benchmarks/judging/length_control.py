"""What length-controlled win rates of a leaderboard cost: 50 models of 805 judgments.

    python benchmarks/judging/length_control.py [models] [resamples]

Every model is fitted with a regulariser of 1,610 rows, as AlpacaEval 2's are, and refitted for its
interval. Prints seconds by the clock and of CPU; on a busy machine only the latter mean something.
"""

import sys
import time

import numpy as np

from harness.statistics.length_control import Regulariser, length_controlled

PROMPTS = 805


def main(models: int, resamples: int) -> None:
    rng = np.random.default_rng(0)
    difficulty = rng.normal(size=PROMPTS)
    x = np.tanh(rng.normal(size=2 * PROMPTS))
    d = np.tile(difficulty, 2)
    y = 1 / (1 + np.exp(1.5 * x - 0.8 * d))
    held = Regulariser(x, d, float(x @ y), float(d @ y))
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(models):
        lengths = np.round(600 * rng.standard_t(4, PROMPTS) - rng.integers(-400, 400))
        odds = rng.normal(-1, 1) + 0.8 * difficulty - 1.5 * np.tanh(lengths / lengths.std())
        chance = 1 / (1 + np.exp(-odds))
        preference = rng.beta(0.5 * chance + 0.01, 0.5 * (1 - chance) + 0.01)
        length_controlled(preference, lengths, difficulty, regulariser=held, resamples=resamples)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{models} models x {PROMPTS} rows, {resamples} refits: {wall:.1f} s, {cpu:.1f} s of CPU")


if __name__ == "__main__":
    main(*(int(part) for part in (sys.argv[1:] + ["50", "1000"][len(sys.argv) - 1 :])))
