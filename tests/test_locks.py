"""Locks among processes: waiting, and not waiting."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.daemons import wait_until
from llp_core.errors import InputError
from llp_core.locks import HeldError, locked


def test_who_waits_says_so_and_comes_next(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, order = tmp_path / "new" / "lock", []

    def second() -> None:
        with locked(path):
            order.append("second")

    with caplog.at_level(logging.INFO), ThreadPoolExecutor(1) as threads:
        with locked(path):
            waiting = threads.submit(second)
            assert wait_until(lambda: bool(caplog.messages), seconds=10)
            order.append("first")
        waiting.result(timeout=10)
    assert order == ["first", "second"]
    assert caplog.messages == [f"{path}: waiting for the process that holds it"]


def test_who_does_not_wait_is_refused_until_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path), pytest.raises(HeldError, match="somebody is at work"), locked(path, "somebody is at work"):
        pass
    with locked(path, "somebody is at work"):
        pass


def test_a_fault_of_the_block_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), locked(tmp_path / "lock", "somebody is at work"):
        raise BlockingIOError


def test_a_folder_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"one\.lock: this user may not write there"), locked(tmp_path / "one.lock"):
        pass
