"""Progress of long work: a bar on a terminal, a plain line in a log every few seconds otherwise."""

import logging
import sys
import threading
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0

stop_requested = threading.Event()
"""Where it is set, work in any thread that shows its progress ends at its next step, with KeyboardInterrupt."""


class Progress:
    """A count of steps towards a total, shown while the block runs.

        with Progress(500, "teacher, transductive") as progress:
            progress.advance(valid_score=0.41)

    Each object belongs to one thread; several may be open in threads side by side, each with a bar of its own.

    Args:
        total: how many steps there are at most; fewer are no error (training may stop early).
        description: of the work, as it stands before the count.
    """

    def __init__(self, total: int, description: str) -> None:
        self.total = total
        self.description = description
        self.done = 0.0
        self._bar: tqdm[None] | None = None
        self._last_line = time.monotonic()
        self._last_figures = ""

    def __enter__(self) -> Self:
        if _on_terminal():
            self._bar = tqdm(total=self.total, desc=self.description, leave=False, dynamic_ncols=True, file=sys.stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, steps: float = 1, /, **figures: float) -> None:
        """Counts `steps` more as done, or a part of one.

        `figures` are shown by name beside the count until others take their place.

        Raises:
            KeyboardInterrupt: `stop_requested` is set. Python itself interrupts the main thread only.
        """
        if stop_requested.is_set():
            raise KeyboardInterrupt
        self.done += steps
        done = round(self.done, 2)
        done = int(done) if done.is_integer() else done
        if figures:
            self._last_figures = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        if self._bar is not None:
            self._bar.set_postfix_str(self._last_figures, refresh=False)
            self._bar.n = done
            self._bar.update(0)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            shown = f": {self._last_figures}" if self._last_figures else ""
            logger.info("%s %s/%d%s", self.description, done, self.total, shown)


def _on_terminal() -> bool:
    return sys.stderr.isatty()


# tqdm's own lock would be a semaphore shared with other processes, which threads have no need of.
tqdm.set_lock(threading.RLock())
