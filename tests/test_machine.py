"""What is asked of the operating system: memory that is used again, and the peak of what a process held."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from llp_core.machine import peak_memory_mb

glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is another one here")
linux_only = pytest.mark.skipif(platform.system() != "Linux", reason="Linux alone tells it")

FAULTS = """
import resource, sys, threading
import torch
from llp_core.processes import reuse_memory

if sys.argv[1] == "reuse":
    reuse_memory()

def work():
    size = int(sys.argv[3])
    torch.ones(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for number in range(20):  # each larger than the one before, so that glibc does not learn the size
        torch.ones(size + size // 50 * number)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

if sys.argv[2] == "main":
    work()
else:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
"""

PEAKS = """
import torch
from llp_core.machine import forget_peak_memory, peak_memory_mb

start = peak_memory_mb()
large = torch.ones(50_000_000)
peak = peak_memory_mb()
del large
forget_peak_memory()
print(start, peak, peak_memory_mb())
"""


def run(code: str, *arguments: str) -> list[float]:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


@glibc_only
@pytest.mark.parametrize(("thread", "size"), [("main", 20_000_000), ("another", 5_000_000)])
def test_freed_memory_is_used_again_without_asking_the_system(thread: str, size: int) -> None:
    (fresh,), (again,) = run(FAULTS, "fresh", thread, str(size)), run(FAULTS, "reuse", thread, str(size))
    assert fresh > 20 * size * 4 / 4200  # pages, each touched for the first time
    assert again < fresh / 2  # a few steps, until the memory that is kept is large enough


@linux_only
def test_a_peak_is_seen_and_forgotten() -> None:
    start, peak, after = run(PEAKS)
    assert peak - start > 180  # of 191 MB
    assert after - start < 60


def test_a_peak_is_told_where_linux_tells_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "Name:\tllp\nVmRSS:\t1 kB\n")  # as in gVisor
    assert peak_memory_mb() > 50
