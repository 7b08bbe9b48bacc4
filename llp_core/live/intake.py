"""Files on their way in: copied aside before they are read, and out of the way after, to quarantine if need be."""

import itertools
import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llp_core.datasets.tables import SUFFIXES
from llp_core.errors import InputError
from llp_core.live.records import INCOMING, QUARANTINE, STAGING
from llp_core.store import sha256

_REASON = ".reason.txt"
_LONGEST = 255 - len(_REASON) - 9
"""Bytes of a name, so that file systems take it with a number and that of its reason too."""


@dataclass(frozen=True)
class Offer:
    """One file that is offered.

    Attributes:
        path: where it lies.
        staged: the copy that is read, so that nobody changes it meanwhile. There is none of what is no file, or is not
            readable.
        sha256: of the copy; empty where there is none.
        refused: why it cannot be taken, where its name or its kind says so or it cannot be opened, else None.
        incoming: whether it lies in data/incoming, so that it goes away once it is dealt with.
    """

    path: Path
    staged: Path
    sha256: str
    refused: str | None
    incoming: bool

    @property
    def name(self) -> str:
        """Of the file, without its folder; what cannot be printed is escaped."""
        name = self.path.name
        return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")

    @property
    def shown(self) -> str:
        """What errors call it."""
        return str(INCOMING / self.name if self.incoming else self.path)


def offers(root: Path, given: Sequence[Path] | None) -> list[Offer]:
    """Copies files aside.

    Args:
        root: the project's folder.
        given: the files, absolute or relative to the current folder; None for all in data/incoming, by name. Those
            whose name begins with a dot are left alone, since someone may still be writing them.

    Raises:
        InputError: a file that was given is not there.
    """
    incoming = root / INCOMING
    if given is None:
        names = sorted(entry.name for entry in os.scandir(incoming)) if incoming.is_dir() else []
        paths = [incoming / name for name in names if not name.startswith(".")]
    else:
        paths = list(given)
    for path in paths:
        if given is not None and not path.is_file():
            raise InputError(f"{path}: expected a file, found none.")
    (root / STAGING).mkdir(parents=True)
    return [_offer(root, number, path) for number, path in enumerate(paths)]


def _offer(root: Path, number: int, path: Path) -> Offer:
    incoming = path.parent.resolve() == (root / INCOMING).resolve()
    staged = root / STAGING / f"{number:06}{path.suffix if path.suffix in SUFFIXES else ''}"
    try:
        source = _open(path, incoming)
    except InputError as error:
        return Offer(path, staged, "", str(error), incoming)
    with os.fdopen(source, "rb") as file, staged.open("wb") as copy:
        shutil.copyfileobj(file, copy)
    return Offer(path, staged, sha256(staged), _refusal(path), incoming)


def _open(path: Path, incoming: bool) -> int:
    """A descriptor to read a file by; the way to one in data/incoming leads over no link."""
    try:
        mode = path.lstat().st_mode if incoming else path.stat().st_mode
        if stat.S_ISLNK(mode):
            raise InputError("it is a link, which may lead anywhere. Put the file itself there.")
        if not stat.S_ISREG(mode):
            raise InputError(f"it is no file. Put the files themselves into {INCOMING}.")
        # No following of a link that took the file's place since.
        return os.open(path, os.O_RDONLY | (os.O_NOFOLLOW if incoming else 0))
    except OSError as error:
        raise InputError(
            f"it cannot be opened ({error.strerror}). Put it there anew, readable for the user that runs llp."
        ) from None


def _refusal(path: Path) -> str | None:
    """Why a file's name alone keeps it from being read."""
    if not path.name.isprintable():
        return "its name holds characters that cannot be printed. Rename it."
    if path.suffix not in SUFFIXES:
        return f"expected a file that ends in {' or '.join(SUFFIXES)}. Convert it to one of these."
    return None


def put_away(offer: Offer) -> None:
    """Removes a file that was dealt with from data/incoming, if it is still the one that was read."""
    if offer.incoming and _holds(offer.path, offer):
        offer.path.unlink()


def quarantine(root: Path, offer: Offer, reason: str) -> None:
    """Moves a file from data/incoming to data/quarantine, or copies it from elsewhere, with the reason beside it.

    What can be neither read nor moved stays where it is.
    """
    folder = root / QUARANTINE
    folder.mkdir(parents=True, exist_ok=True)
    target = _free_name(folder, offer)
    written = root / STAGING / "reason.txt"
    written.write_text(reason + "\n", encoding="utf-8", errors="backslashreplace")
    written.replace(target.with_name(target.name + _REASON))
    if offer.staged.is_file():
        offer.staged.replace(target)
        put_away(offer)
    elif offer.incoming:
        with suppress(OSError):
            offer.path.rename(target)


def _free_name(folder: Path, offer: Offer) -> Path:
    """A name in quarantine that no other file has; the same file has its own again. Of one too long the end is kept."""
    encoded = os.fsencode(offer.path.name)
    name = offer.path.name if len(encoded) <= _LONGEST else encoded[-_LONGEST:].decode(errors="ignore")
    own = folder / name
    for number in itertools.count(1):
        target = own if number == 1 else own.with_name(f"{own.stem}.{number}{own.suffix}")
        if not os.path.lexists(target) or _holds(target, offer):
            return target
    raise AssertionError("there is always a number that is free")


def _holds(path: Path, offer: Offer) -> bool:
    """Whether a file is there, is no link, can be read, and is the one that was offered."""
    try:
        return path.is_file() and not path.is_symlink() and sha256(path) == offer.sha256
    except OSError:
        return False
