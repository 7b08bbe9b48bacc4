"""Versions of the live data: what is in use, what was, and the way from one to another, whatever is killed when.

A version is written in four steps: its files to a folder aside; that folder swapped for data/live; DVC's cache; its
record in data/versions. The folder says of itself which version it is, so `settled` does the last two where a killed
process did not, and undoes the swap where it was killed within it.
"""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from llp_core.dvc_repo import restore, send, track, tracked_hash
from llp_core.errors import InputError, LLPError
from llp_core.live.records import LIVE, STAGING, VERSION, VERSIONS, Counts, DataVersion, Source
from llp_core.locks import locked
from llp_core.store import mend_swap, sha256, swapped_folder, write_json


@contextmanager
def settled(root: Path) -> Iterator[None]:
    """Keeps other ingests and checkouts off during the block; before it, completes what a killed one left.

    Nothing of the block stays in `STAGING`, also where it ends in an error.
    """
    with locked(root / LIVE.with_name(".live.lock")):
        _settle(root)
        try:
            yield
        finally:
            shutil.rmtree(root / STAGING, ignore_errors=True)


def current_version(root: Path) -> int | None:
    """Number of the version in data/live; None before `llp data start`."""
    with settled(root):
        version = in_use(root)
        return None if version is None else version.number


def versions(root: Path) -> list[DataVersion]:
    """All versions, in ascending order."""
    with settled(root):
        return recorded_versions(root)


def recorded_versions(root: Path) -> list[DataVersion]:
    """As `versions`, for one that holds the lock."""
    paths = [path for path in (root / VERSIONS).glob("*.json") if re.fullmatch("[0-9]{4,}", path.stem)]
    return [_read_record(path) for path in sorted(paths, key=lambda path: int(path.stem))]


def in_use(root: Path) -> DataVersion | None:
    """The version that data/live says it is; None where it is not there."""
    path = root / LIVE / VERSION
    remedy = (
        f"Move {LIVE} elsewhere, then `llp data log` lists the versions and `llp data checkout VERSION` brings one."
    )
    return _read(path, remedy) if path.is_file() else None


def require_current(root: Path) -> DataVersion:
    """The version in use.

    Raises:
        InputError: there is none, or data/live is not as it was written.
    """
    version = in_use(root)
    recorded = recorded_versions(root)
    if version is None and (root / LIVE).exists():
        raise InputError(f"{LIVE}: it holds no version of the data that llp made. Move it elsewhere.")
    if version is None and recorded:
        last = recorded[-1].number
        raise InputError(f"{LIVE}: not found, though there are versions of it. `llp data checkout {last}` brings it.")
    if version is None:
        raise InputError(f"{LIVE}: not found. `llp data start` makes it of the files that params.yaml names.")
    if not _is_intact(root / LIVE, version):
        back = version.number if version.number in {each.number for each in recorded} else version.after
        brings = (
            "Move it elsewhere, and `llp data start` makes it anew"  # it was killed before DVC had version 1
            if back is None
            else f"`llp data checkout {back}` puts the files that DVC has in its place"
        )
        raise InputError(
            f"{LIVE}: it is not as version {version.number} was written. {brings}; changes go through `llp ingest`."
        )
    return version


def line_of(root: Path, version: DataVersion) -> list[DataVersion]:
    """A version and all that it was made from, one after the other, the newest first."""
    known = {each.number: each for each in recorded_versions(root)}
    line = [version]
    while (before := line[-1].after) is not None and before in known:
        line.append(known[before])
    return line


def publish(root: Path, folder: Path, about: Mapping[str, int], counts: Counts, sources: tuple[Source, ...]) -> int:
    """Makes a new version in use. The caller holds the lock.

    Args:
        root: the project's folder.
        folder: with the new files, on the same file system; they are moved.
        about: how many `nodes` and `edges` there are.
        counts: what changed.
        sources: of what.

    Returns:
        The version's number.
    """
    before = in_use(root)
    if before is not None:
        track(root, LIVE)  # what is swapped away must be in the cache, which may have been cleared since
    taken = [each.number for each in recorded_versions(root)]
    version = DataVersion(
        number=1 + max(taken, default=0),
        made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        after=None if before is None else before.number,
        nodes=about["nodes"],
        edges=about["edges"],
        counts=counts,
        sources=sources,
        files={path.name: sha256(path) for path in sorted(folder.iterdir())},
    )
    write_json(folder / VERSION, version.to_json())
    with swapped_folder(root / LIVE) as new:
        for path in sorted(folder.iterdir()):
            path.rename(new / path.name)
    _record(root, version)
    return version.number


def checkout(root: Path, number: int) -> None:
    """Puts an earlier (or later) version in use. All versions stay in the log.

    Raises:
        InputError: there is no such version, or neither DVC's cache nor its remote holds it.
    """
    with settled(root):
        version = _known(root, number)
        if in_use(root) == dataclasses.replace(version, dvc="") and _is_intact(root / LIVE, version):
            return
        with swapped_folder(root / LIVE) as new:
            _bring(root, version, new)
        track(root, LIVE)


def extract(root: Path, number: int, folder: Path) -> None:
    """Puts the files of a version into an empty folder, whichever is in use.

    Raises:
        InputError: there is no such version, or neither DVC's cache nor its remote holds it.
    """
    with settled(root):
        _bring(root, _known(root, number), folder)


def push(root: Path) -> list[int]:
    """Sends every version to DVC's remote, as far as the remote has not got it.

    Returns:
        Those that were sent.

    Raises:
        LLPError: there is no remote, a version is in neither the cache nor the remote, or it did not arrive. The others
            were sent.
    """
    with settled(root):
        known = recorded_versions(root)
        sent = send(root, {each.dvc for each in known})
    if lost := [each.number for each in known if each.dvc in sent.lost]:
        raise LLPError(
            f"Version {', '.join(map(str, lost))} of the data: DVC's remote has not got all of it, even now. Either it "
            "did not arrive (is there space? `dvc remote list`), or DVC's cache has lost it."
        )
    return [each.number for each in known if each.dvc in sent.new]


def _settle(root: Path) -> None:
    live = root / LIVE
    mend_swap(live)
    shutil.rmtree(root / STAGING, ignore_errors=True)
    for half_written in (root / VERSIONS).glob(".[0-9]*.json.*"):
        half_written.unlink()
    version = in_use(root)
    if version is None:
        return
    recorded = _record_path(root, version.number)
    if not recorded.is_file():
        if _is_intact(live, version):
            _record(root, version)
    elif tracked_hash(root, LIVE) != _read_record(recorded).dvc and _is_intact(live, version):
        track(root, LIVE)  # a checkout was killed before this


def _known(root: Path, number: int) -> DataVersion:
    known = {each.number: each for each in recorded_versions(root)}
    if number not in known:
        told = f"there are 1 to {max(known)}" if known else "there is none: `llp data start` makes the first"
        raise InputError(f"version {number}: no such version of the data; {told}.")
    return known[number]


def _bring(root: Path, version: DataVersion, folder: Path) -> None:
    restore(root, version.dvc, folder)
    if not _is_intact(folder, version):
        raise InputError(f"version {version.number}: what DVC holds of it is not what {VERSIONS} says it should be.")


def _record(root: Path, version: DataVersion) -> None:
    dvc = track(root, LIVE)
    write_json(_record_path(root, version.number), dataclasses.replace(version, dvc=dvc).to_json())


def _record_path(root: Path, number: int) -> Path:
    return root / VERSIONS / f"{number:04}.json"


def _read_record(path: Path) -> DataVersion:
    return _read(path, f"No stage makes it again: restore the file that was committed, `git checkout -- {path}`.")


def _read(path: Path, remedy: str) -> DataVersion:
    try:
        return DataVersion.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path}: it does not describe a version of the data ({error}). {remedy}") from None


def _is_intact(folder: Path, version: DataVersion) -> bool:
    """Whether a folder holds the version's files, as they were written."""
    return all((folder / name).is_file() and sha256(folder / name) == digest for name, digest in version.files.items())
