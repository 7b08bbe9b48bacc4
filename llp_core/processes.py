"""How many processes find room, and what every process that this package starts does first."""

import ctypes
import multiprocessing
import os
import platform
import signal
import threading
from multiprocessing.connection import wait

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Of malloc.h."""


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reuse_memory() -> None:
    """Tells the C library to keep freed memory of this process for its next tensors, where that library is glibc.

    By default it gives large pieces back to the system at once and asks for them again in the next step of a
    training, which then waits longer for its pages than it computes. In other threads than the main one this holds for
    pieces below 64 MB. Called again, it changes nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_MMAP_MAX, 0)


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
