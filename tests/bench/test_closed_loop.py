"""Workers answer one request after the other, and none of them can hold up the rest for ever."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator

import pytest
import torch
from bench_source import DeadSource, Mortal, Slow, TinySource
from torch import Tensor

from llp_core.bench import closed_loop as module
from llp_core.bench.closed_loop import closed_loop
from llp_core.bench.result import MEANINGS

REQUESTS = [torch.tensor([[0], [1]])]


def test_workers_answer_at_the_same_time() -> None:
    one = module._result("slow", module._run_workers(Slow(), [REQUESTS], seconds=0.3))
    three = module._result("slow", module._run_workers(Slow(), [REQUESTS] * 3, seconds=0.3))
    assert (one.workers, three.workers) == (1, 3)
    assert 0.002 <= one.p50_seconds <= one.p95_seconds <= one.p99_seconds
    assert one.per_second <= 500
    assert three.per_second > 1.5 * one.per_second  # they sleep, so that cores do not count


def test_the_clock_starts_when_all_workers_are_ready() -> None:
    class Late(list[list[Tensor]]):
        """Between one fork and the next passes more time than a loop takes."""

        def __iter__(self) -> Iterator[list[Tensor]]:
            for requests in super().__iter__():
                time.sleep(0.5)
                yield requests

    times = module._run_workers(Slow(), Late([REQUESTS] * 3), seconds=0.3)
    begun = max(float(moments[0]) for moments in times)
    assert all(float(moments[-1]) - begun > 0.15 for moments in times)  # the last to begin had company all along


def test_a_slow_worker_answers_three_requests_at_least() -> None:
    class VerySlow(Slow):
        def online(self, pairs: Tensor) -> Tensor:
            time.sleep(0.1)
            return pairs.sum(0).float()

    assert module._result("slow", module._run_workers(VerySlow(), [REQUESTS], seconds=0.01)).requests == 2


def test_the_first_request_of_each_worker_is_left_out() -> None:
    times = [torch.tensor([0.0, 9.0, 10.0, 12.0]), torch.tensor([0.0, 9.0, 10.0])]
    found = module._result("x", times)
    assert (found.requests, found.p50_seconds, found.p99_seconds) == (3, 1.0, 2.0)
    assert found.per_second == pytest.approx(2 / 3 + 1)


def test_readers_are_told_that_requests_repeat() -> None:
    assert f"repeats {module._REQUESTS} requests" in MEANINGS["closed loop"]


def test_a_worker_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(Slow):
        def online(self, pairs: Tensor) -> Tensor:
            time.sleep(1000)
            return pairs.sum(0).float()

    monkeypatch.setattr(module, "_WORKER_SECONDS", 0.5)
    with pytest.raises(TimeoutError, match="a worker did not answer within 1 seconds"):
        module._run_workers(Stuck(), [REQUESTS] * 2, seconds=0.1)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("dies", ["before the start", "at a request"])
def test_a_worker_that_dies_holds_up_nobody(monkeypatch: pytest.MonkeyPatch, dies: str) -> None:
    scorer = Mortal()
    scorer.home = -1
    if dies == "before the start":
        monkeypatch.setattr(module.gc, "disable", lambda: os.kill(os.getpid(), signal.SIGKILL))
    began = time.monotonic()
    with pytest.raises(ChildProcessError, match="a worker ended with code -9; if that is -9, there was too little"):
        module._run_workers(scorer, [REQUESTS] * 2, seconds=0.1)
    assert time.monotonic() - began < module._WORKER_SECONDS / 2
    assert multiprocessing.active_children() == []


def test_the_others_go_on_where_one_fails() -> None:
    names = ["mortal", "eager", "int9", "broken"]
    loops = closed_loop(TinySource(extra="broken"), names, pairs=2, seconds=0.05, workers=(1, 2), seed=0)
    first, *found, last = [loop if isinstance(loop, str) else (loop.method, loop.workers) for loop in loops]
    assert first == "mortal: ChildProcessError: a worker ended with code -9; if that is -9, there was too little memory"
    assert found == [("eager", 1), ("eager", 2)]
    assert last == "broken: ArithmeticError: no such sum"
    assert multiprocessing.active_children() == []


def test_a_host_that_dies_is_told() -> None:
    (told,) = closed_loop(DeadSource(), ["eager"], pairs=2, seconds=0.05, workers=(1,), seed=0)
    assert told == "its process ended with code 9; if that is -9, there was too little memory"
    assert multiprocessing.active_children() == []
