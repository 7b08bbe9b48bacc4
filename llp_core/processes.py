"""How many processes find room, and what every process that this package starts does first."""

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def belong_to_parent() -> None:
    """Makes this process end when the one that started it ends, however that ends, and by nothing else.

    Ctrl-C goes to all processes of a terminal; the parent ends its own.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
