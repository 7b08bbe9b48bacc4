"""Versions of the models: folders that are written once, and read only where they are as they were written."""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import yaml

from llp_core import paths
from llp_core.errors import InputError, is_of_the_machine
from llp_core.locks import locked
from llp_core.registry.records import CHAMPION, MANIFEST, PARAMS, Champion, ModelVersion, folder_name
from llp_core.store import sha256, write_json

_RESTORE = "A version never changes: remove the folder and run `llp model pull`, or take another version."


@contextmanager
def registry_lock(root: Path) -> Iterator[None]:
    """Keeps other processes from changing the registry during the block; before it, clears what killed ones left."""
    with locked(root / paths.MODELS / ".lock"):
        for leftover in (root / paths.MODELS).glob(".v*.new"):
            shutil.rmtree(leftover)
        for half in (root / paths.MODELS).glob(f".{CHAMPION}.*"):
            half.unlink()
        yield


def version_folder(root: Path, number: int) -> Path:
    """Where a version lies."""
    return root / paths.MODELS / folder_name(number)


def numbers(root: Path) -> list[int]:
    """Of all versions that are here, in ascending order."""
    return sorted(_numbered(path.name for path in (root / paths.MODELS).glob("v*") if path.is_dir()))


def next_number(root: Path) -> int:
    """The number of the next version: above all that are here, or are known to have been."""
    noted = _numbered(path.stem for path in (root / paths.MODELS).glob("v*.dvc"))
    state = read_state(root)
    used = [event.version for event in state.history if event.version is not None] if state else []
    return 1 + max([*numbers(root), *noted, *used], default=0)


def _numbered(names: Iterable[str]) -> list[int]:
    """The numbers in names of versions; others, such as that of a copy made by hand, are passed over."""
    return [int(name[1:]) for name in names if re.fullmatch(r"v\d{4,}", name)]


def read_version(root: Path, number: int) -> ModelVersion:
    """What a version says of itself.

    Raises:
        InputError: there is no such version, or its manifest is not readable.
    """
    path = version_folder(root, number) / MANIFEST
    if not path.parent.is_dir():
        there = numbers(root)
        told = f"there are {', '.join(map(str, there))}" if there else "there is none"
        raise InputError(f"version {number} of the models: not found in {paths.MODELS}; {told}.")
    try:
        return ModelVersion.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError) as error:
        if is_of_the_machine(error):
            raise
        raise InputError(f"{path}: it does not describe a version of the models ({error}). {_RESTORE}") from None


def served_method(root: Path, number: int) -> str:
    """Of which method the students are that a version serves. Its other settings may be those of another release.

    Raises:
        InputError: its settings do not say it.
    """
    path = version_folder(root, number) / PARAMS
    try:
        return str(yaml.safe_load(path.read_text(encoding="utf-8"))["gate"]["method"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, LookupError, TypeError) as error:
        if is_of_the_machine(error):
            raise
        raise InputError(f"{path}: it does not say which method is served ({error}).") from None


def find_version(root: Path, candidate: str, method: str) -> int | None:
    """The number of the version that a candidate is already; None where it is none.

    Args:
        root: the project's folder.
        candidate: its hash.
        method: of the students that it serves.

    Raises:
        InputError: a manifest, or the settings of a version with the same hash, are not readable.
    """
    for number in numbers(root):
        if read_version(root, number).candidate == candidate and served_method(root, number) == method:
            return number
    return None


def open_version(root: Path, number: int) -> ModelVersion:
    """What a version says of itself, once all of its files are found to be as they were written.

    Raises:
        InputError: there is no such version, or a file in it was changed, added or removed; the message names it.
    """
    version = read_version(root, number)
    folder = version_folder(root, number)
    if problems := [*differences(folder, version.files), *_manifest_problems(root, number)]:
        raise InputError(
            f"{paths.MODELS / version.name}: it is not as it was written: {'; '.join(problems)}. {_RESTORE}"
        )
    return version


def differences(folder: Path, files: dict[str, str]) -> list[str]:
    """How a folder differs from name -> sha256 of what it held, each file in words; its manifest is passed over."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if not path.is_dir()}
    found.pop(MANIFEST, None)
    missing = [f"{name} is missing" for name in files if name not in found]
    more = [f"{name} was added" for name in found if name not in files]
    changed = [f"{name} was changed" for name in files if name in found and sha256(found[name]) != files[name]]
    return [*missing, *more, *changed]


def _manifest_problems(root: Path, number: int) -> list[str]:
    state = read_state(root)
    noted = {event.manifest for event in state.history if event.version == number} if state else set()
    if noted and sha256(version_folder(root, number) / MANIFEST) not in noted:
        return [f"{MANIFEST} was changed since this version came into use"]
    return []


def read_state(root: Path) -> Champion | None:
    """All of champion.json; None before the first promotion.

    Raises:
        InputError: the file is not readable.
    """
    path = root / paths.MODELS / CHAMPION
    if not path.is_file():
        return None
    try:
        return Champion.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{path}: it does not say which version of the models is in use ({error}). It holds every switch, and no "
            "stage makes it again: where git has it, restore it with `git restore`; else remove it, and "
            "`llp model pull` brings that of DVC's remote."
        ) from None


def write_manifest(folder: Path, version: ModelVersion) -> None:
    """Ends a version's folder: notes the hash of each file in it."""
    files = {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    write_json(folder / MANIFEST, dataclasses.replace(version, files=files).to_json())


def now() -> str:
    """In UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
