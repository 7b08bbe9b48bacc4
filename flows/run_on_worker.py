"""What the worker starts for a run: Prefect's engine, printing to the worker's log.

By itself it would print through the worker, and fail when that is killed.
"""

import os
import sys

from flows.server import worker

if __name__ == "__main__":
    with worker().log.open("a") as log:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())
    os.execv(sys.executable, [sys.executable, "-m", "prefect.engine"])  # noqa: S606
