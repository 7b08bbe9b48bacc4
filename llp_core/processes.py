"""How many processes find room, and what every process that this package starts does first."""

import ctypes
import multiprocessing
import os
import platform
import signal
import threading
from multiprocessing.connection import wait

_MALLOC = {"MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1), "MALLOC_MMAP_MAX_": (-4, 0), "MALLOC_ARENA_MAX": (-8, 1)}
"""Settings of glibc: their names in the environment, their numbers in malloc.h, and values."""


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reuse_memory() -> None:
    """Tells the C library to keep freed memory of this process for its next tensors, where that library is glibc.

    By default it gives large pieces back to the system at once and asks for them again in the next step of a
    training, which then waits longer for its pages than it computes. Of a thread that was there before the first call
    it keeps pieces below 64 MB only. Called again, it changes nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        for number, value in _MALLOC.values():
            ctypes.CDLL(None).mallopt(number, value)


def memory_environment() -> dict[str, str]:
    """The variables that make a program do what `reuse_memory` does, from its start."""
    return {name: str(value) for name, (_, value) in _MALLOC.items()}


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
