"""DVC opened in this process: the project's view, locked, and folders that DVC keeps by their content.

Some of what is used here is inside DVC: pyproject.toml pins its version.
"""

import json
import logging
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from llp_core.errors import InputError, LLPError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

# DVC's own lock is for processes: a thread that finds it taken sleeps half a second before it looks again.
_one_thread = threading.Lock()


@contextmanager
def dvc_repo(root: Path) -> "Iterator[Repo]":
    """DVC's view of the project, locked against other threads and processes.

    Raises:
        LLPError: DVC could not do its part.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo

    # Its importing shows DVC's own lines on the terminal; the caller says what there is to say.
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with _one_thread, Repo(str(root), _wait_for_lock=True) as repo, lock_repo(repo):
            _forget_dead(Path(repo.tmp_dir) / "rwlock")
            yield repo
    except DvcException as error:
        raise LLPError(f"DVC: {error}") from error


def _forget_dead(path: Path) -> None:
    """Drops from DVC's list of who reads and writes what each process that was killed.

    DVC does so only where no process has the number, and after a restart another soon has; nor does it read a list that
    was being written just then.
    """
    import psutil

    try:
        written, held = path.stat().st_mtime, json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        path.unlink()
        return

    def is_there(who: dict[str, Any]) -> bool:
        try:
            return bool(psutil.Process(who["pid"]).create_time() <= written)
        except psutil.Error:
            return False

    read = {name: [who for who in readers if is_there(who)] for name, readers in held.get("read", {}).items()}
    kept = {
        "write": {name: who for name, who in held.get("write", {}).items() if is_there(who)},
        "read": {name: readers for name, readers in read.items() if readers},
    }
    if kept != held:
        path.write_text(json.dumps(kept), encoding="utf-8")


@contextmanager
def unlocked(repo: "Repo") -> Iterator[None]:
    """Lets other threads and processes use DVC during the block."""
    repo.lock.unlock()
    repo._reset()
    _one_thread.release()
    try:
        yield
    finally:
        _one_thread.acquire()
        repo.lock.lock()


def track(root: Path, folder: Path) -> str:
    """Puts a folder into DVC's cache and notes it in FOLDER.dvc, as `dvc add` does.

    The folder itself is left as it is, also where the cache is set to link to it.

    Args:
        root: the project's folder.
        folder: relative to it.

    Returns:
        DVC's hash of the folder. The same content has the same hash.

    Raises:
        LLPError: the cache did not take all of it.
    """
    with dvc_repo(root) as repo:
        (stage,) = repo.add(str(root / folder), relink=False)
        dvc_hash = str(stage.outs[0].hash_info.value)
        if _cached_files(repo, dvc_hash) is None:  # DVC itself only logs that
            raise LLPError(f"{folder}: DVC's cache ({repo.cache.local.path}) did not take all of it. Is the disk full?")
        return dvc_hash


def cached(root: Path, hashes: Collection[str]) -> set[str]:
    """Of what `track` gave these hashes, that which DVC's cache holds all of."""
    with dvc_repo(root) as repo:
        return {one for one in hashes if _cached_files(repo, one) is not None}


class Sent(NamedTuple):
    """What came of sending folders to DVC's remote, by their hashes.

    Attributes:
        new: the remote had not got them whole, and has them now.
        lost: it has not got them whole: they are not in the cache, or did not arrive.
    """

    new: set[str]
    lost: set[str]


def send(root: Path, hashes: Collection[str]) -> Sent:
    """Sends folders that `track` gave these hashes to DVC's remote, and looks whether they arrived.

    Raises:
        LLPError: there is no remote, or DVC could not do its part.
    """
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer

    with dvc_repo(root) as repo:
        cache, remote = repo.cache.local, repo.cloud.get_remote_odb()
        parts = {one: {one, *(str(file.value) for file in (_listed_files(repo, one) or {}).values())} for one in hashes}

        def missing() -> set[str]:
            there = set(remote.oids_exist({part for folder in parts.values() for part in folder}))
            return {folder for folder, held in parts.items() if not held <= there}

        before = missing() if hashes else set()
        # Without DVC's index of what it once sent: the remote may have been emptied since.
        transfer(cache, remote, {HashInfo("md5", part) for folder in before for part in parts[folder]})
        lost = missing() if before else set()
        return Sent(before - lost, lost)


def tracked_hash(root: Path, folder: Path) -> str | None:
    """The hash that FOLDER.dvc notes; None where there is no such file.

    One that is cut off or in conflict, as a merge leaves it, is removed: DVC adds nothing over it, and the folder tells
    all that it held.
    """
    path = root / folder.with_name(f"{folder.name}.dvc")
    if not path.is_file():
        return None
    try:
        return str(yaml.safe_load(path.read_text(encoding="utf-8"))["outs"][0]["md5"])
    except (yaml.YAMLError, LookupError, TypeError):
        path.unlink()
        return None


def restore(root: Path, dvc_hash: str, target: Path) -> None:
    """Fills an empty folder with what `track` gave this hash, from DVC's cache or else from the remote.

    Raises:
        InputError: neither holds all of it, or the list of its files names one that would lie elsewhere.
    """
    with dvc_repo(root) as repo:
        if (files := _cached_files(repo, dvc_hash)) is None:
            files = _pulled_files(repo, dvc_hash)
        for relative, cached in files.items():
            path = target / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cached, path)


def _cached_files(repo: "Repo", dvc_hash: str) -> dict[Path, Path] | None:
    """Each file of a folder -> where DVC's cache has it; None where the cache does not hold all of them."""
    listed = _listed_files(repo, dvc_hash)
    if listed is None:
        return None
    paths = {path: Path(repo.cache.local.oid_to_path(str(file.value))) for path, file in listed.items()}
    return paths if all(path.is_file() for path in paths.values()) else None


def _listed_files(repo: "Repo", dvc_hash: str) -> "dict[Path, HashInfo] | None":
    """Each file of a folder -> its hash; None where the cache does not hold the list.

    Raises:
        InputError: the list names a file that would lie elsewhere.
    """
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree
    from dvc_objects.errors import ObjectFormatError

    try:
        listed = {key: file for key, _, file in Tree.load(repo.cache.local, HashInfo("md5", dvc_hash))}
    except (FileNotFoundError, ObjectFormatError):
        return None
    if outside := [key for key in listed if {"", ".", ".."} & set(key)]:
        raise InputError(
            f"{dvc_hash}: expected a list of files in a folder, found {'/'.join(outside[0])!r}, which lies elsewhere. "
            "Nothing of it is taken. DVC writes no such list: ask who else may write to the remote (`dvc remote list`)."
        )
    return {Path(*key): file for key, file in listed.items()}


def _pulled_files(repo: "Repo", dvc_hash: str) -> dict[Path, Path]:
    from dvc.config import NoRemoteError
    from dvc_data.hashfile.hash_info import HashInfo

    folder = HashInfo("md5", dvc_hash)
    with suppress(NoRemoteError):
        repo.cloud.pull([folder])  # the list of its files
        if (listed := _listed_files(repo, dvc_hash)) is not None:
            repo.cloud.pull(listed.values())
    if (files := _cached_files(repo, dvc_hash)) is None:
        raise InputError(
            f"{dvc_hash}: neither DVC's cache nor its remote holds all of it. Where another copy of the project has "
            "it, run `dvc push` there; `dvc remote list` shows the remote."
        )
    return files
