"""Closed loop: workers that each send the next request as soon as the last one is answered.

A new process, the host, makes the contestants again for one thread each, and forks the workers: they share its memory,
so that a graph and its features are there once however many workers there are. Nothing in the host computes with more
than one thread before it forks, which is what makes a fork safe. The clock starts when all workers stand ready. Whoever
does not answer in time is killed.
"""

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from llp_core.bench.subject import Subject
from llp_core.latency import Scorer, percentile
from llp_core.latency.measuring import random_requests
from llp_core.sampling import generator

_STEP_SECONDS = 600
"""The host may take so long to make its contestants, or for one of them, beside the seconds of the loop."""
_WORKER_SECONDS = 60
"""A worker may take so long to get ready, to be told when to start, or beside the seconds of the loop."""
_REQUESTS = 256
"""Drawn for each worker, which repeats them."""
_START_SECONDS = 0.1
"""From when all workers are ready to the first request, so that each knows of it by then."""


class Loadable(Protocol):
    """Where a subject comes from; goes to another process as it is."""

    def load(self, device: torch.device) -> Subject:
        """The subject, the same each time."""


@dataclass(frozen=True)
class LoopResult:
    """What a number of workers reached together.

    Attributes:
        method: the contestant.
        workers: processes of one thread each.
        requests: answered, without the first of each worker.
        per_second: requests of all workers together.
        p50_seconds, p95_seconds, p99_seconds: of one request.
    """

    method: str
    workers: int
    requests: int
    per_second: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float


def closed_loop(
    source: Loadable, names: Collection[str], pairs: int, seconds: float, workers: Sequence[int], seed: int
) -> Iterator[LoopResult | str]:
    """Runs the contestants of these names in turn, each with each number of workers, on the CPU.

    A failure is yielded in words. It ends the loops of one contestant; those of the others follow, unless it is the
    host that fails.

    Args:
        source: of the subject; loaded in the host.
        names: of contestants that are able to run.
        pairs: in a request.
        seconds: of each loop.
        workers: how many at once; one loop for each number.
        seed: of the requests.
    """
    context = multiprocessing.get_context("spawn")
    own, other = context.Pipe(duplex=False)
    loops = partial(_loops, source, tuple(names), pairs, seconds, tuple(workers), seed)
    process = context.Process(target=_host, args=(other, loops))
    process.start()
    other.close()
    try:
        while (found := _receive(own, process, "its process", _STEP_SECONDS + seconds)) is not None:
            yield found
    except (ChildProcessError, TimeoutError) as error:
        yield str(error)
    finally:
        with suppress(ProcessLookupError, PermissionError):  # the host leads a group, which its workers belong to
            if process.pid is not None and os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
        own.close()


def _receive(connection: Connection, process: BaseProcess, who: str, seconds: float) -> Any:
    """The next that a process sends.

    Raises:
        ChildProcessError: it ended before that.
        TimeoutError: nothing came within these seconds.
    """
    if not connection.poll(max(seconds, 0)):
        raise TimeoutError(f"{who} did not answer within {seconds:.0f} seconds. Leave out what hangs with --contestant")
    try:
        return connection.recv()
    except (EOFError, ConnectionError):
        process.join()
        told = f"{who} ended with code {process.exitcode}; if that is -9, there was too little memory"
        raise ChildProcessError(told) from None


def _host(connection: Connection, loops: Callable[[], Iterator[LoopResult | str]]) -> None:
    """The body of the host: sends each result or, in words, what went wrong; then None."""
    os.setsid()  # Ctrl-C reaches the parent alone, which ends this group
    torch.set_num_threads(1)
    with suppress(BrokenPipeError):  # the parent is gone
        for found in loops():
            connection.send(found)
        connection.send(None)


def _loops(
    source: Loadable, names: Collection[str], pairs: int, seconds: float, workers: Sequence[int], seed: int
) -> Iterator[LoopResult | str]:
    try:
        subject = source.load(torch.device("cpu"))
        nodes = subject.features.num_nodes
        asked = [_requests(nodes, pairs, generator(seed, "closed loop", number)) for number in range(max(workers))]
        for contestant in subject.contestants(threads=1, names=names, timed_only=True):
            if contestant.scorer is not None:
                yield from _loops_of(contestant.name, contestant.scorer, asked, seconds, workers)
    except Exception as error:  # whatever it is, the parent tells it
        yield _told(error)


def _loops_of(
    name: str, scorer: Scorer, asked: Sequence[list[Tensor]], seconds: float, workers: Sequence[int]
) -> Iterator[LoopResult | str]:
    try:
        _warm_up(scorer, asked[0][:2])
        for count in workers:
            yield _result(name, _run_workers(scorer, asked[:count], seconds))
    except Exception as error:  # the others may still run
        yield f"{name}: {_told(error)}"


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _requests(num_nodes: int, pairs: int, rng: torch.Generator) -> list[Tensor]:
    return list(islice(random_requests(num_nodes, pairs, torch.device("cpu"), rng), _REQUESTS))


@torch.inference_mode()
def _warm_up(scorer: Scorer, requests: Sequence[Tensor]) -> None:
    """Whatever is done once is done before the fork."""
    for request in requests:
        scorer.online(request)


def _run_workers(scorer: Scorer, asked: Sequence[list[Tensor]], seconds: float) -> list[Tensor]:
    """Of each worker, float64 [M + 1]: when it began, and when each request was answered, in seconds.

    Raises:
        ChildProcessError: a worker ended.
        TimeoutError: a worker took longer than it may.
    """
    context = multiprocessing.get_context("fork")
    running = []
    try:
        for requests in asked:
            own, other = context.Pipe()
            process = context.Process(target=_work, args=(other, scorer, requests, seconds), daemon=True)
            process.start()
            other.close()  # so that the worker's end shows
            running.append((own, process))
        for own, process in running:
            _receive(own, process, "a worker", _WORKER_SECONDS)
        start = time.monotonic() + _START_SECONDS
        for own, _ in running:
            with suppress(ConnectionError):  # it ended, which the next line finds
                own.send(start)
        last = start + seconds + _WORKER_SECONDS
        answers = [_receive(own, process, "a worker", last - time.monotonic()) for own, process in running]
        return [torch.from_numpy(times) for times in answers]
    finally:
        for own, process in running:
            process.kill()
            process.join()
            own.close()


@torch.inference_mode()
def _work(connection: Connection, scorer: Scorer, requests: Sequence[Tensor], seconds: float) -> None:
    """The body of a worker: says that it is ready, is told when to start, and sends its times.

    It answers one request after the other until the seconds are over; at least three.
    """
    gc.disable()
    endless = cycle(requests)
    connection.send(None)
    if not connection.poll(_WORKER_SECONDS):  # the host is gone
        os._exit(1)
    start = connection.recv()
    time.sleep(max(start - time.monotonic(), 0))
    times = [time.monotonic()]
    while times[-1] < start + seconds or len(times) < 4:
        scorer.online(next(endless))
        times.append(time.monotonic())
    connection.send(np.array(times))
    os._exit(0)  # what the host would do at its end is not this process's business


def _result(name: str, times: Sequence[Tensor]) -> LoopResult:
    seconds = [moments[1:].diff() for moments in times]  # without the first request of each
    ascending = torch.cat(seconds).sort().values
    return LoopResult(
        method=name,
        workers=len(times),
        requests=ascending.numel(),
        per_second=sum(each.numel() / float(each.sum()) for each in seconds),
        p50_seconds=percentile(ascending, 0.50),
        p95_seconds=percentile(ascending, 0.95),
        p99_seconds=percentile(ascending, 0.99),
    )
