"""The model in use: switched by one rename, tested after it, and switched back where the test fails."""

import dataclasses
import os
from pathlib import Path

from llp_core import paths
from llp_core.errors import InputError, LLPError, is_of_the_machine
from llp_core.registry.records import CHAMPION, MANIFEST, Champion, Event, Judged, Switch
from llp_core.registry.smoke import smoke_test
from llp_core.registry.versions import now, open_version, read_state, registry_lock, version_folder
from llp_core.store import sha256, write_json

_NONE = Champion(version=None, former=(), tested=True, history=())


def champion(root: Path) -> int | None:
    """The number of the version in use; None where there is none.

    Raises:
        InputError: champion.json is not readable.
    """
    state = read_state(root)
    return None if state is None else state.version


def in_use(root: Path) -> int:
    """The number of the version in use.

    Raises:
        InputError: there is none, or champion.json is not readable.
    """
    if (number := champion(root)) is None:
        raise InputError("No model is in use. `llp model promote` judges what the last run left.")
    return number


def promote(root: Path, number: int, why: str, verdict: Judged | None = None) -> None:
    """Puts a version in use, and tests it. Of the version in use it changes nothing.

    Args:
        root: the project's folder.
        number: of the version.
        why: in words, for those who ask later.
        verdict: what the gate said of it, which holds beside the model that it was judged against, and no other.

    Raises:
        InputError: there is no such version, or it is not as it was written.
        LLPError: it failed its smoke test, and the former one is in use again; or the model in use is not the one that
            it was judged against.
    """
    with registry_lock(root):
        _settle(root)
        state = read_state(root) or _NONE
        open_version(root, number)
        if state.version == number:
            return
        if verdict is not None and verdict.champion != state.version:
            raise LLPError(
                f"Version {number} stays out of use: {_named(verdict.champion)} was in use when the gate judged it, "
                f"{_named(state.version)} is now. `llp model promote` judges anew."
            )
        former = tuple(each for each in (state.version, *state.former) if each not in (None, number))
        _switch(root, state, number, former, _event(root, "promoted", number, state.version, why))


def rollback(root: Path, why: str) -> int:
    """Puts the version in use that was in use before the present one, and tests it.

    Returns:
        Its number.

    Raises:
        InputError: there is none, or it is not as it was written.
        LLPError: it failed its smoke test, and the present one is in use again.
    """
    with registry_lock(root):
        _settle(root)
        state = read_state(root) or _NONE
        if not state.former:
            told = "there is no model in use" if state.version is None else f"version {state.version} was the first"
            raise InputError(f"There is nothing to roll back to: {told}. `llp model promote VERSION` takes any other.")
        number, *former = state.former
        open_version(root, number)
        _switch(root, state, number, tuple(former), _event(root, "rolled back", number, state.version, why))
        return number


def settle(root: Path) -> None:
    """Tests a version that came into use just before its process was killed.

    Raises:
        LLPError: it failed, and the former one is in use again.
    """
    with registry_lock(root):
        _settle(root)


def _settle(root: Path) -> None:
    state = read_state(root)
    if state is not None and state.version is not None and not state.tested:
        _test(root, state)


def _switch(root: Path, state: Champion, number: int, former: tuple[int, ...], event: Event) -> None:
    history = (*state.history, event)
    os.sync()  # a power cut must not leave a version in use of which half is on the disk
    switched = Champion(version=number, former=former, tested=False, history=history)
    _write(root, switched)
    _test(root, switched)


def _test(root: Path, state: Champion) -> None:
    """Tests the version in use, and switches back to the one before where it fails."""
    assert state.version is not None  # noqa: S101 (only a version is ever to be tested)
    try:
        open_version(root, state.version)
        smoke_test(version_folder(root, state.version))
    except Exception as error:  # whatever it is, it must not stay in use
        if is_of_the_machine(error):  # no fault of the version; the next command tests it again
            raise
        last = state.history[-1]
        # A failed one does not come back: it is the last event where another copy's history was taken.
        back = last.before if last.what != "failed" else next(iter(state.former), None)
        former = tuple(each for each in state.former if each != back)
        event = _event(root, "failed", back, state.version, str(error) or type(error).__name__)
        _write(root, Champion(back, former, tested=True, history=(*state.history, event)))
        told = "no model is in use" if back is None else f"version {back} is in use again"
        raise LLPError(f"Version {state.version} failed its smoke test, and {told}. {error}") from None
    _write(root, dataclasses.replace(state, tested=True))


def _named(version: int | None) -> str:
    return "no model" if version is None else f"version {version}"


def _event(root: Path, what: Switch, number: int | None, before: int | None, why: str) -> Event:
    manifest = None if number is None else version_folder(root, number) / MANIFEST
    # What to switch back to may not be here, as in a clone without `llp model pull`: the failed one goes all the same.
    digest = sha256(manifest) if manifest is not None and manifest.is_file() else ""
    return Event(now(), what, number, before, why, digest)


def _write(root: Path, state: Champion) -> None:
    write_json(root / paths.MODELS / CHAMPION, state.to_json())
