"""Versions go to DVC's remote and come from it, with a list of them beside them. Neither git nor an identity is needed.

The remote holds files by their content alone, so that list, `models.json`, says which versions there are and which one
is in use: what champion.json says, and DVC's hash of each version's folder.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llp_core import paths
from llp_core.dvc_repo import cached, dvc_repo, restore, send, track, tracked_hash
from llp_core.errors import InputError, LLPError
from llp_core.registry.promoting import settle
from llp_core.registry.records import CHAMPION, MANIFEST, Champion, ModelVersion, folder_name
from llp_core.registry.versions import differences, numbers, open_version, read_state, registry_lock, version_folder
from llp_core.store import read_json, swapped_folder, write_json

INDEX = "models.json"
"""On the remote: version -> DVC's hash, and what champion.json holds."""


@dataclass(frozen=True)
class Transfer:
    """What a push or a pull did.

    Attributes:
        versions: that were sent or fetched.
        switched: whether the model in use there (push) or here (pull) is another now.
    """

    versions: list[int]
    switched: bool


def push(root: Path) -> Transfer:
    """Sends all versions that the remote has not got whole, and which one is in use.

    Raises:
        InputError: a version is not as it was written, or the remote has another model of the same number or knows
            of switches that are not known here.
        LLPError: there is no remote, DVC could not do its part, or a version did not arrive.
    """
    with registry_lock(root):
        there = _read_index(root)
        here = _tracked(root)
        _require_same(there["versions"], here)
        own = _history(read_state(root))
        if not _continues(own, there["champion"]):
            raise InputError(
                "The remote knows of promotions or rollbacks that are not known here. Run `llp model pull` first."
            )
        sent = send(root, set(here.values()))
        if lost := [number for number, dvc in here.items() if dvc in sent.lost]:
            raise LLPError(
                f"version {', '.join(lost)} of the models: DVC's remote has not got all of it, even now, so it notes "
                "nothing. Is there space (`dvc remote list`)? Then push again."
            )
        new = [number for number, dvc in here.items() if dvc in sent.new or number not in there["versions"]]
        state = read_state(root)
        index = {"versions": there["versions"] | here, "champion": state.to_json() if state else None}
        _write_index(root, index)
        return Transfer([int(number) for number in new], switched=own != _history_of(there["champion"]))


def pull(root: Path) -> Transfer:
    """Fetches all versions that are not here, and puts the remote's version in use where it came after the one here.

    Where another was put in use here meanwhile it stays, and the next push makes it that of the remote.

    Raises:
        InputError: the remote has another model of the same number, or a version does not arrive as it was written.
        LLPError: there is no remote, DVC could not do its part, or the version in use failed its smoke test.
    """
    with registry_lock(root):
        there = _read_index(root)
        here = _tracked(root)
        _require_same(there["versions"], here)
        new = {number: dvc for number, dvc in there["versions"].items() if number not in here}
        for number, dvc in new.items():
            _fetch(root, int(number), dvc)
        switched = _take_history(root, there["champion"])
    if switched:
        settle(root)
    return Transfer([int(number) for number in new], switched)


def _take_history(root: Path, theirs: dict[str, Any] | None) -> bool:
    """Puts the remote's version in use where it came after the one here; else keeps what was switched on both sides."""
    path, state = root / paths.MODELS / CHAMPION, read_state(root)
    own = _history(state)
    if theirs is None or own[: len(theirs["history"])] == theirs["history"]:
        return False
    if state is None or _continues(theirs["history"], state.to_json()):
        write_json(path, {**theirs, "tested": theirs["version"] is None})
        return True
    more = [event for event in own if event not in theirs["history"]]
    write_json(path, {**state.to_json(), "history": [*theirs["history"], *more]})
    return False


def _tracked(root: Path) -> dict[str, str]:
    """Each version, as it was written, -> DVC's hash of it. DVC's cache holds all of them."""
    folders = {number: paths.MODELS / folder_name(number) for number in numbers(root)}
    for number in folders:
        open_version(root, number)
    noted = {number: tracked_hash(root, folder) for number, folder in folders.items()}
    there = cached(root, {dvc for dvc in noted.values() if dvc is not None})
    return {str(number): dvc if dvc in there else track(root, folders[number]) for number, dvc in noted.items()}


def _fetch(root: Path, number: int, dvc: str) -> None:
    with swapped_folder(version_folder(root, number)) as folder:
        restore(root, dvc, folder)
        try:
            version = ModelVersion.from_json(read_json(folder / MANIFEST))
        except (LookupError, TypeError) as error:
            raise InputError(
                f"version {number} of the models: its {MANIFEST} on the remote does not describe a version ({error}). "
                "Where a newer release made it, pull with that one."
            ) from None
        if problems := differences(folder, version.files):
            raise InputError(f"version {number} of the models did not arrive as it was written: {'; '.join(problems)}.")
    track(root, paths.MODELS / folder_name(number))


def _require_same(there: dict[str, str], here: dict[str, str]) -> None:
    other = [number for number in here if there.get(number, here[number]) != here[number]]
    if other:
        raise InputError(
            f"version {other[0]} of the models: the remote has another model of this number, made in another copy of "
            "the project. Only one copy may make versions for a remote: take another remote, or move "
            f"{paths.MODELS} away and run `llp model pull`."
        )


def _history(state: Champion | None) -> list[Any]:
    return _history_of(state.to_json() if state is not None else None)


def _history_of(champion: dict[str, Any] | None) -> list[Any]:
    return list(champion["history"]) if champion is not None else []


def _continues(history: list[Any], champion: dict[str, Any] | None) -> bool:
    """Whether a history begins with all of another's."""
    earlier = _history_of(champion)
    return history[: len(earlier)] == earlier


def _read_index(root: Path) -> dict[str, Any]:
    """What the remote lists; nothing where no push was before.

    Raises:
        InputError: it is no such list.
    """
    with dvc_repo(root) as repo:
        remote = repo.cloud.get_remote()
        path = remote.fs.join(remote.path, INDEX)
        if not remote.fs.exists(path):
            return {"versions": {}, "champion": None}
        with remote.fs.open(path, "rb") as file:
            content = file.read()
    try:
        index: dict[str, Any] = json.loads(content)
        for number, dvc in index["versions"].items():
            if not (re.fullmatch(r"\d+", number) and re.fullmatch(r"[0-9a-f]{32}\.dir", dvc)):
                raise ValueError(f"{number!r}: {dvc!r} is no version with its hash")
        if index["champion"] is not None:
            Champion.from_json(index["champion"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: it does not list the versions on the remote ({error}). Remove it there: the next "
            "`llp model push`, from the copy of the project that has all versions, writes it anew."
        ) from None
    return index


def _write_index(root: Path, index: dict[str, Any]) -> None:
    with dvc_repo(root) as repo, TemporaryDirectory() as temporary:
        remote = repo.cloud.get_remote()
        remote.fs.makedirs(remote.path, exist_ok=True)
        local = Path(temporary) / INDEX
        write_json(local, index)
        remote.fs.put_file(str(local), remote.fs.join(remote.path, INDEX))
