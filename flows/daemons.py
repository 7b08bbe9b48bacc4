"""Programs that go on when the command that started them ends, each known by a lock that it holds.

A process number alone says little: a program may be gone and its number be given to another. The lock is held
by the program itself and ends with it, however it ends, so nothing here is ever stale, and no other program is
taken for ours.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from llp_core.errors import InputError, LLPError

# The program notes its number itself, before it becomes what it is to be: who starts it may be killed just then.
_NOTED = 'echo $$ 1<>"$0"; exec "$@"'
LOG_LINES = 15
"""So many of a log's last lines are shown when a program fails."""
_LOOK_AGAIN, _LOOKED_AT = 0.2, 1.0
"""Seconds between looks, and that one look of another process at the lock cannot last."""


@dataclass(frozen=True)
class Daemon:
    """A program that runs detached.

    Attributes:
        name: `NAME.lock` is its lock and holds its process number, `NAME.log` takes what it prints.
        folder: where these lie.
    """

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """What it prints is added here."""
        return self.folder / f"{self.name}.log"

    @property
    def _lock(self) -> Path:
        return self.folder / f"{self.name}.lock"

    def pid(self) -> int | None:
        """Its process number; None if it does not run, or is just being started."""
        try:
            file = self._lock.open()
        except FileNotFoundError:
            return None
        with file:
            if _take(file, fcntl.LOCK_SH):
                return None
            noted = file.read()
            return int(noted) if noted else None

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Starts it in a session of its own, so that it outlives the terminal.

        Raises:
            InputError: it runs already.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.touch()
        with self._lock.open("r+") as lock, self.log.open("a") as log:
            # Another process that calls `pid` holds the lock for a moment.
            if not wait_until(lambda: _take(lock, fcntl.LOCK_EX), _LOOKED_AT):
                raise InputError(f"{self.name}: it runs already, as {self._lock} says.")
            lock.truncate(0)
            process = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", _NOTED, str(self._lock), *map(str, command)],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )
            process.returncode = 0  # it is meant to outlive this process: no warning that it still runs
            lock.write(f"{process.pid}\n")  # as the program does, maybe later

    def stop(self, seconds: float) -> None:
        """Ends it with all that it started: asked to first, and after so many seconds forced to.

        Does nothing if it does not run.

        Raises:
            LLPError: it is there still.
        """
        for number in (signal.SIGTERM, signal.SIGKILL):
            if (pid := self.pid()) is None:
                return
            with suppress(ProcessLookupError):  # it ended meanwhile
                os.killpg(pid, number)
            if wait_until(lambda: self.pid() is None, seconds):
                return
        raise LLPError(f"{self.name}: process {self.pid()} cannot be stopped. See {self.log}.")

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> None:
        """Waits until what was started does its work.

        Raises:
            LLPError: it ended before, or was not ready in time; the message shows the end of its log.
        """
        if not wait_until(lambda: self.pid() is None or ready(), seconds):
            raise LLPError(f"{self.name}: not ready after {seconds:.0f} seconds. The end of {self.log}:\n{self.tail()}")
        if self.pid() is None:
            raise LLPError(f"{self.name}: it ended as soon as it started. The end of {self.log}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES:])


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it came to hold within so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_AGAIN)
    return True


def _take(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
