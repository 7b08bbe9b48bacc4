"""Closed loop: workers that each send the next request as soon as the last one is answered.

A new process, the host, makes the contestants again for one thread each, and forks the workers: they share its memory,
so that a graph and its features are there once however many workers there are. Nothing in the host computes with more
than one thread before it forks, which is what makes a fork safe. Whoever does not answer in time is killed.
"""

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Protocol

import torch
from torch import Tensor

from llp_core.bench.subject import Subject
from llp_core.errors import LLPError
from llp_core.latency import Scorer, percentile
from llp_core.latency.measuring import random_requests
from llp_core.sampling import generator

_STEP_SECONDS = 600
"""The host may take so long to make its contestants, or for one of them, beside the seconds of the loop."""
_WORKER_SECONDS = 60
"""A worker may take so long beside the seconds of the loop."""
_REQUESTS = 256
"""Drawn for each worker, which repeats them."""
_START_SECONDS = 0.2
"""From the first fork to the first request."""


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
) -> Iterator[LoopResult]:
    """Runs the contestants of these names in turn, each with each number of workers, on the CPU.

    Args:
        source: of the subject; loaded in the host.
        names: of contestants that are able to run.
        pairs: in a request.
        seconds: of each loop.
        workers: how many at once; one loop for each number.
        seed: of the requests.

    Raises:
        LLPError: a process failed, or took longer than it may.
    """
    context = multiprocessing.get_context("spawn")
    own, other = context.Pipe(duplex=False)
    process = context.Process(target=_host, args=(other, source, tuple(names), pairs, seconds, tuple(workers), seed))
    process.start()
    other.close()
    try:
        while (found := _receive(own, process, _STEP_SECONDS + seconds)) is not None:
            yield found
    finally:
        with suppress(ProcessLookupError, PermissionError):  # the host leads a group, which its workers belong to
            if process.pid is not None and os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
        own.close()


def _receive(connection: Connection, process: SpawnProcess, seconds: float) -> LoopResult | None:
    """The next result; None after the last."""
    if not connection.poll(seconds):
        raise LLPError(f"closed loop: no answer within {seconds:.0f} seconds. Leave out what hangs with --contestant.")
    try:
        found: LoopResult | str | None = connection.recv()
    except EOFError:
        process.join()
        raise LLPError(
            f"closed loop: its process ended with code {process.exitcode}; if that is -9, there was too little memory"
        ) from None
    if isinstance(found, str):
        raise LLPError(f"closed loop: {found}")
    return found


def _host(
    connection: Connection,
    source: Loadable,
    names: Collection[str],
    pairs: int,
    seconds: float,
    workers: Sequence[int],
    seed: int,
) -> None:
    """The body of the host: sends each result, then None; or, in words, what went wrong."""
    os.setsid()  # Ctrl-C reaches the parent alone, which ends this group
    torch.set_num_threads(1)
    try:
        subject = source.load(torch.device("cpu"))
        nodes = subject.features.num_nodes
        asked = [_requests(nodes, pairs, generator(seed, "closed loop", number)) for number in range(max(workers))]
        for contestant in subject.contestants(threads=1, names=names, timed_only=True):
            if contestant.scorer is None:
                continue
            _warm_up(contestant.scorer, asked[0][:2])
            for count in workers:
                times = _run_workers(contestant.scorer, asked[:count], seconds)
                connection.send(_result(contestant.name, times))
        connection.send(None)
    except BrokenPipeError:  # the parent is gone
        return
    except Exception as error:  # whatever it is, the parent tells it
        connection.send(f"{type(error).__name__}: {error}")


def _requests(num_nodes: int, pairs: int, rng: torch.Generator) -> list[Tensor]:
    return list(islice(random_requests(num_nodes, pairs, torch.device("cpu"), rng), _REQUESTS))


@torch.inference_mode()
def _warm_up(scorer: Scorer, requests: Sequence[Tensor]) -> None:
    """Whatever is done once is done before the fork."""
    for request in requests:
        scorer.online(request)


def _run_workers(scorer: Scorer, asked: Sequence[list[Tensor]], seconds: float) -> list[Tensor]:
    """Of each worker, float64 [M + 1]: when it began, and when each request was answered, in seconds."""
    context = multiprocessing.get_context("fork")
    start = time.monotonic() + _START_SECONDS
    running = []
    for requests in asked:
        own, other = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(other, scorer, requests, start, seconds), daemon=True)
        process.start()
        other.close()
        running.append((own, process))
    try:
        answers = []
        for own, _ in running:
            if not own.poll(max(start + seconds + _WORKER_SECONDS - time.monotonic(), 0)):
                raise TimeoutError(f"a worker did not end within {seconds + _WORKER_SECONDS:.0f} seconds")
            answers.append(torch.frombuffer(bytearray(own.recv_bytes()), dtype=torch.float64))
        return answers
    finally:
        for own, process in running:
            process.kill()
            process.join()
            own.close()


@torch.inference_mode()
def _work(connection: Connection, scorer: Scorer, requests: Sequence[Tensor], start: float, seconds: float) -> None:
    """The body of a worker: one request after the other from `start` on; at least three."""
    gc.disable()
    endless = cycle(requests)
    time.sleep(max(start - time.monotonic(), 0))
    times = [time.monotonic()]
    while times[-1] < start + seconds or len(times) < 4:
        scorer.online(next(endless))
        times.append(time.monotonic())
    connection.send_bytes(torch.tensor(times, dtype=torch.float64).numpy().tobytes())
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
