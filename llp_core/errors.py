"""The errors a user can meet, each with the exit code of the command line that it ends in."""

import errno
from collections.abc import Collection
from difflib import get_close_matches

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C (SIGINT) and after SIGTERM, as shells give them."""


class LLPError(Exception):
    """Something went wrong that the user can act on: what, where, and what to do."""

    exit_code = 1


class InputError(LLPError):
    """A file, setting or argument does not hold what is needed."""

    exit_code = 3


class CheckFailed(LLPError):
    """The data broke a rule that must hold before the pipeline goes on."""

    exit_code = 4


class StageFailed(LLPError):
    """One or more stages of a flow failed; the message names them."""

    exit_code = 5


class Refused(LLPError):
    """The gate refuses a candidate; the model in use stays."""

    exit_code = 6


_OF_THE_MACHINE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
}


def is_of_the_machine(error: Exception) -> bool:
    """Whether an error tells of a full disk, no memory or a failing device, and not of what was being read."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _OF_THE_MACHINE)


def hint(name: str, known: Collection[str]) -> str:
    """What may be meant by a name that is not known: the names like it, else all that there are."""
    near = get_close_matches(name.lower(), known, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(known)}."
