"""Processes that score jobs side by side, and end with the process that started them."""

import io
import multiprocessing
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from llp_core.errors import LLPError
from llp_core.processes import belong_to_parent
from llp_core.progress import Progress
from llp_core.search.scoring import Job


class Validation(NamedTuple):
    """What a watched job tells while its model trains; it waits for `Workers.answer` then.

    Attributes:
        epochs: done.
        score: on the validation edges, 0..1.
    """

    epochs: int
    score: float


class _Stopped(Exception):
    """The job is not wanted any more."""


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    key: int | None = None  # of the job under way


class Workers:
    """Processes that score jobs, one at a time each.

        with Workers(2, folder, threads=1) as workers:
            workers.submit(0, job)
            key, score = workers.wait()

    They are started anew, not forked, so a script that uses them guards its main part with
    `if __name__ == "__main__":`. What they score is read from `folder`.

    Args:
        count: how many.
        folder: of the search.
        threads: of each one's numerics.
    """

    def __init__(self, count: int, folder: Path, threads: int) -> None:
        self._folder = folder
        self._threads = threads
        self._workers: list[_Worker] = []
        self._count = count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()

    @property
    def idle(self) -> int:
        """How many have nothing to do."""
        return self._count - sum(worker.key is not None for worker in self._workers)

    def submit(self, key: int, job: Job) -> None:
        """Gives a job to one that is idle, started now if need be; `key` comes back with its score."""
        worker = next((worker for worker in self._workers if worker.key is None), None)
        if worker is None:
            worker = self._start(len(self._workers))
            self._workers.append(worker)
        worker.key = key
        with suppress(BrokenPipeError):  # it died while idle: `wait` finds that out
            worker.connection.send(job)

    def wait(self) -> tuple[int, float | str | Validation]:
        """The key of the next job to end, with its score in percent, or with what went wrong; or of a watched one."""
        busy = {worker.connection: worker for worker in self._workers if worker.key is not None}
        worker = busy[next(found for found in wait(list(busy)) if isinstance(found, Connection))]
        key, outcome = worker.key, self._receive(worker)
        assert key is not None  # noqa: S101 - it is busy
        if not isinstance(outcome, Validation):
            worker.key = None
        return key, outcome

    def answer(self, key: int, go_on: bool) -> None:
        """Lets a job that told of a validation go on, or ends it without a score."""
        worker = next(worker for worker in self._workers if worker.key == key)
        if not go_on:
            worker.key = None
        with suppress(BrokenPipeError):  # it died meanwhile: `wait` finds that out
            worker.connection.send(go_on)

    def score_all(self, jobs: Sequence[Job], name: str) -> list[float]:
        """The scores of jobs in percent, in their order.

        Args:
            jobs: run side by side, none watched; all workers must be idle.
            name: stands in progress lines.

        Raises:
            LLPError: one could not be scored.
        """
        found: dict[int, float] = {}
        left = list(range(len(jobs)))
        with Progress(len(jobs), name) as progress:
            while len(found) < len(jobs):
                while left and self.idle:
                    key = left.pop(0)
                    self.submit(key, jobs[key])
                key, outcome = self.wait()
                if not isinstance(outcome, float):
                    raise LLPError(str(outcome))
                found[key] = outcome
                progress.advance()
        return [found[key] for key in range(len(jobs))]

    def _receive(self, worker: _Worker) -> float | str | Validation:
        try:
            outcome: float | str | Validation = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            worker.process.join()
            worker.connection.close()
            fresh = self._start(self._workers.index(worker))
            code, worker.process, worker.connection = worker.process.exitcode, fresh.process, fresh.connection
            return f"the process that scored it ended with code {code}; if that is -9, there was too little memory"
        return outcome

    def _start(self, number: int) -> _Worker:
        context = multiprocessing.get_context("spawn")
        own, other = context.Pipe()
        arguments = (other, self._folder, self._folder / "work" / str(number), self._threads)
        process = context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        other.close()
        return _Worker(process, own)


def _work(connection: Connection, folder: Path, workspace: Path, threads: int) -> None:
    """The body of a process: scores each job that comes, until it is ended."""
    belong_to_parent()
    sys.stderr = io.StringIO()  # the bars of trainings; those of the search stand on the terminal
    import torch

    from llp_core.search.problem import Problem
    from llp_core.search.scoring import score

    torch.set_num_threads(threads)

    def watch(epochs: int, reached: float) -> None:
        connection.send(Validation(epochs, reached))
        if not connection.recv():
            raise _Stopped

    problem: Problem | None = None
    while True:
        job: Job = connection.recv()
        try:
            problem = problem or Problem.read(folder / "problem")
            outcome: float | str = score(problem, job, folder, workspace, watch if job.watched else None)
        except _Stopped:
            shutil.rmtree(workspace, ignore_errors=True)
            continue
        except Exception as error:  # one trial's failure is not the search's
            outcome = f"{type(error).__name__}: {error}"
        connection.send(outcome)
