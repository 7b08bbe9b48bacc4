"""The clock: who answers which request when, and what is read before and after."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

Call = Callable[[Tensor], object]
"""Answers a request, int64 [2, B]."""
MOST_ROUNDS = 50
"""Many short rounds would time a fast method on caches that a slow one has just filled, as no service of it does."""


@dataclass(frozen=True, eq=False)
class Answers:
    """How long one method took for requests of one size.

    Attributes:
        first: seconds of its very first request, which may include what is done once (compiling, allocating).
        seconds: float64 [R, n], of n requests in each of R rounds, after the first two.
        memory_mb: the most that tensors took on a GPU during one request, all that lies there included, in 2**20
            bytes; None on a CPU, whose memory all methods share.
    """

    first: float
    seconds: Tensor
    memory_mb: float | None


@dataclass(frozen=True)
class Bounds:
    """When measuring a request size ends.

    Attributes:
        seconds: of each method; rounds go on until the slowest has spent so long.
        least_rounds: but there are at least so many, however long the slowest takes.
        most_requests: of one method.
    """

    seconds: float
    least_rounds: int
    most_requests: int

    def plan(self, warm: Mapping[str, float]) -> tuple[int, dict[str, int]]:
        """How many rounds, and how many requests of a round each method answers, from its seconds for one."""
        rounds = max(min(int(self.seconds / max(warm.values())), MOST_ROUNDS), self.least_rounds)
        rounds = min(rounds, self.most_requests)
        share, most = self.seconds / rounds, self.most_requests // rounds
        return rounds, {method: max(min(int(share / took), most), 1) for method, took in warm.items()}


@contextmanager
def steady(threads: int) -> Iterator[None]:
    """So many threads, and no pause of the garbage collector: it would hit whoever runs just then."""
    threads_before, collecting = torch.get_num_threads(), gc.isenabled()
    torch.set_num_threads(threads)
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        if collecting:
            gc.enable()


def time_in_rounds(
    calls: Mapping[str, Call], requests: Iterator[Tensor], bounds: Bounds, device: torch.device
) -> dict[str, Answers]:
    """Times every method on the same requests, in turn.

    The first two requests of each are apart: the first is kept as such, the second is not counted; the faster of the
    two tells how long one takes. In each round that follows, a method answers the first n of the round's requests, one
    after the other; n is as many as fit into a round's share of the seconds, and at least one. Another method begins
    each round, so that a drift of the machine favours none. A warm cache may favour one: unless it begins the round, a
    method follows the same other one each time, and finds what rows that one has just loaded for the same requests.
    Where they are few it shows: docs/latency.md has figures.

    Args:
        calls: by method.
        requests: int64 [2, B], on the device, without end.
        bounds: when to stop.
        device: that is synchronised before the clock is read.
    """
    opening = next(requests)
    first = {method: _clock(call, opening, device) for method, call in calls.items()}
    warm, memory = _warm(calls, next(requests), device)
    warm = {method: min(warm[method], first[method]) for method in calls}  # a single one may have been disturbed
    rounds, shares = bounds.plan(warm)
    seconds: dict[str, list[list[float]]] = {method: [] for method in calls}
    slowest, spent = max(warm, key=lambda method: warm[method]), 0.0
    methods = list(calls)
    for count in range(rounds):
        asked = list(islice(requests, max(shares.values())))
        begin = count % len(methods)
        for method in methods[begin:] + methods[:begin]:
            call = calls[method]
            seconds[method].append([_clock(call, request, device) for request in asked[: shares[method]]])
        spent += sum(seconds[slowest][-1])
        if spent >= bounds.seconds and count + 1 >= bounds.least_rounds:
            break
    return {
        method: Answers(first[method], torch.tensor(seconds[method], dtype=torch.float64), memory[method])
        for method in methods
    }


def _warm(
    calls: Mapping[str, Call], request: Tensor, device: torch.device
) -> tuple[dict[str, float], dict[str, float | None]]:
    """Seconds and peak memory on the device of one request."""
    took: dict[str, float] = {}
    memory: dict[str, float | None] = dict.fromkeys(calls)
    for method, call in calls.items():
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        took[method] = _clock(call, request, device)
        if device.type == "cuda":
            memory[method] = torch.cuda.max_memory_allocated(device) / 2**20
    return took, memory


def _clock(call: Call, pairs: Tensor, device: torch.device) -> float:
    """Seconds from the request to its scores, complete on the device; on a GPU between two of its events."""
    if device.type != "cuda":
        begin = time.perf_counter()
        call(pairs)
        return time.perf_counter() - begin
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize(device)
    before.record()
    call(pairs)
    after.record()
    torch.cuda.synchronize(device)
    return float(before.elapsed_time(after)) / 1e3
