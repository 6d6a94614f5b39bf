"""Runs a command and tells what it took, as JSON; what it prints goes to stderr.

    python -S benchmarks/watch.py COMMAND...

A process of its own, and a small one: Linux counts the memory of the process that starts a command
as memory that the command had.
"""

import json
import os
import subprocess
import sys
import time

if __name__ == "__main__":
    began = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    found = {
        "exit": process.returncode,
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss * unit / 2**20,
    }
    print(json.dumps(found))
