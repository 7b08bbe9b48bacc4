"""What the tests of processes run."""

import os
import signal
import sys
import time
from pathlib import Path

from llp_core.errors import InputError
from llp_core.paper.processes import Task, Tell, side_by_side


def note(path: Path, tell: Tell) -> None:
    """Notes when it began and ended."""
    began = time.monotonic()
    tell("halfway")
    time.sleep(0.3)
    path.write_text(f"{began} {time.monotonic()}")


def refuse(tell: Tell) -> None:
    raise InputError("nodes.csv: not found")


def break_down(tell: Tell) -> None:
    sys.stderr.write("on the way\n")
    raise ZeroDivisionError("by zero")


def be_killed(tell: Tell) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_long(path: Path, tell: Tell) -> None:
    path.write_text(str(os.getpid()))
    tell("waiting")
    time.sleep(600)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    task = Task("long", wait_long, (folder / "pid",), folder / "log")
    for _ in side_by_side([task], 1):
        pass
