"""Workers answer one request after the other, and none of them can hold up the rest for ever."""

import multiprocessing
import time

import pytest
import torch
from bench_source import DeadSource, Slow, TinySource
from torch import Tensor

from llp_core.bench import closed_loop as module
from llp_core.bench.closed_loop import closed_loop
from llp_core.errors import LLPError

REQUESTS = [torch.tensor([[0], [1]])]


def test_workers_answer_at_the_same_time() -> None:
    one = module._result("slow", module._run_workers(Slow(), [REQUESTS], seconds=0.3))
    three = module._result("slow", module._run_workers(Slow(), [REQUESTS] * 3, seconds=0.3))
    assert (one.workers, three.workers) == (1, 3)
    assert 0.002 <= one.p50_seconds <= one.p95_seconds <= one.p99_seconds
    assert one.per_second <= 500
    assert three.per_second > 1.5 * one.per_second  # they sleep, so that cores do not count


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


def test_a_worker_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(Slow):
        def online(self, pairs: Tensor) -> Tensor:
            time.sleep(1000)
            return pairs.sum(0).float()

    monkeypatch.setattr(module, "_WORKER_SECONDS", 0.1)
    with pytest.raises(TimeoutError, match="a worker did not end within"):
        module._run_workers(Stuck(), [REQUESTS] * 2, seconds=0.1)
    assert multiprocessing.active_children() == []


def test_what_fails_in_the_host_is_told() -> None:
    names = ["eager", "int9", "broken"]
    loops = closed_loop(TinySource(extra="broken"), names, pairs=2, seconds=0.05, workers=(1, 2), seed=0)
    assert [(found.method, found.workers) for found in (next(loops), next(loops))] == [("eager", 1), ("eager", 2)]
    with pytest.raises(LLPError, match="closed loop: ArithmeticError: no such sum"):
        next(loops)
    assert multiprocessing.active_children() == []


def test_a_host_that_dies_is_told() -> None:
    with pytest.raises(LLPError, match="its process ended with code 9"):
        next(closed_loop(DeadSource(), ["eager"], pairs=2, seconds=0.05, workers=(1,), seed=0))
    assert multiprocessing.active_children() == []
