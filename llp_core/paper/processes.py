"""Functions run side by side, each in a process of its own that ends with this one."""

import logging
import multiprocessing
import sys
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Literal

from llp_core.errors import LLPError
from llp_core.processes import belong_to_parent

Tell = Callable[[str], None]
"""Sends a line about a finished step to the process that started this one."""


@dataclass(frozen=True)
class Task:
    """A call in a new process.

    Attributes:
        name: to tell it by.
        function: of a module, called with the arguments and a `Tell`.
        arguments: of the function, sent to the process.
        log: file that takes what the process writes to stderr and logs.
    """

    name: str
    function: Callable[..., None]
    arguments: tuple[Any, ...]
    log: Path


@dataclass(frozen=True)
class Event:
    """Something that a task did.

    Attributes:
        task: which.
        kind: it told of a step, ended, or failed.
        text: what it told, or why it failed.
    """

    task: Task
    kind: Literal["told", "done", "failed"]
    text: str = ""


def side_by_side(tasks: Iterable[Task], count: int) -> Generator[Event]:
    """Runs tasks in order, up to `count` at once. One that fails, or is killed, leaves the others to go on.

    The processes are started anew, not forked, so a script that uses them guards its main part with
    `if __name__ == "__main__":`. They are killed when the generator is closed.
    """
    waiting = iter(tasks)
    running: dict[Connection, tuple[Task, SpawnProcess]] = {}
    try:
        while True:
            while len(running) < count and (task := next(waiting, None)) is not None:
                _start(task, running)
            if not running:
                return
            for connection in wait(list(running)):
                assert isinstance(connection, Connection)  # noqa: S101 - nothing else was waited for
                yield from _events(connection, running)
    finally:
        for _, process in running.values():
            process.kill()
        for connection, (_, process) in running.items():
            process.join()
            connection.close()


def _start(task: Task, running: dict[Connection, tuple[Task, SpawnProcess]]) -> None:
    context = multiprocessing.get_context("spawn")
    own, other = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(task, other), name=task.name, daemon=True)
    process.start()
    other.close()
    running[own] = task, process


def _events(connection: Connection, running: dict[Connection, tuple[Task, SpawnProcess]]) -> Iterator[Event]:
    """What came in, with the end of the process if that was it."""
    task, process = running[connection]
    try:
        kind, text = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        kind = "failed"
        text = f"the process ended with code {process.exitcode}; if that is -9, there was too little memory"
    if kind != "told":
        process.join()
        connection.close()
        del running[connection]
    yield Event(task, kind, text)


def _run(task: Task, connection: Connection) -> None:
    """The body of a process."""
    belong_to_parent()
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("w", buffering=1, encoding="utf-8") as log:
        sys.stderr = log
        logging.basicConfig(stream=log, level=logging.INFO, format="%(asctime)s %(message)s")
        try:
            task.function(*task.arguments, lambda text: connection.send(("told", text)))
        except Exception as error:  # whatever it is, the other tasks go on
            traceback.print_exc(file=log)
            known = isinstance(error, LLPError)
            connection.send(("failed", str(error) if known else f"{type(error).__name__}: {error} (see {task.log})"))
        else:
            connection.send(("done", ""))
