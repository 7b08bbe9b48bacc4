"""Locks among processes."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llp_core.errors import InputError

logger = logging.getLogger(__name__)


class HeldError(InputError):
    """Another process holds a lock that is not waited for."""


@contextmanager
def locked(path: Path, held: str | None = None) -> Iterator[None]:
    """Holds a lock among processes during the block; it ends with the process that holds it.

    Args:
        path: of the lock's file.
        held: what to say, in place of waiting, where another process holds it. Who waits says so in a line.

    Raises:
        HeldError: another process holds it, and `held` is given.
        InputError: this user may not write there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except PermissionError:
        raise InputError(
            f"{path}: this user may not write there, and without this lock others could change what is read meanwhile."
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if held is not None:
                raise HeldError(held) from None
            logger.info("%s: waiting for the process that holds it", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
