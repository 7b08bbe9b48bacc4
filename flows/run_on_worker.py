"""What the worker starts for a run: Prefect's engine, printing to the worker's log, with memory kept for stages.

By itself it would print through the worker, and fail when that is killed.
"""

import os
import sys

from flows.server import worker
from llp_core.processes import memory_environment

if __name__ == "__main__":
    with worker().log.open("a") as log:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())
    os.execve(sys.executable, [sys.executable, "-m", "prefect.engine"], os.environ | memory_environment())  # noqa: S606
