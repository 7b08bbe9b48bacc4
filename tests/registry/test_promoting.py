"""The model in use: promoted, rolled back, tested; and what a process leaves that is killed on the way."""

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from candidate_project import break_smoke, edit_json, nudge

from llp_core.errors import InputError, LLPError
from llp_core.gate import Verdict
from llp_core.registry import champion, promote, register, rollback, settle
from llp_core.registry.versions import read_state, read_version, served_method

STATE = Path("models/champion.json")


@pytest.fixture
def three(project: Path) -> Path:
    """A project with versions 1 to 3, none of them in use."""
    for number in (1, 2, 3):
        assert register(project) == number
        nudge(project)
    return project


def in_use(root: Path) -> tuple[int | None, tuple[int, ...]]:
    state = read_state(root)
    return (None, ()) if state is None else (state.version, state.former)


def test_promotions_and_the_way_back(three: Path) -> None:
    assert champion(three) is None
    for number in (1, 2, 3):
        promote(three, number, f"reason {number}")
    assert in_use(three) == (3, (2, 1))
    assert rollback(three, "worse in the field") == 2
    assert in_use(three) == (2, (1,))
    assert rollback(three, "this one too") == 1
    with pytest.raises(InputError, match="nothing to roll back to: version 1 was the first"):
        rollback(three, "again")
    promote(three, 3, "mended")
    assert in_use(three) == (3, (1,))
    state = read_state(three)
    assert state is not None
    assert state.tested
    assert [(event.what, event.before, event.version) for event in state.history] == [
        ("promoted", None, 1),
        ("promoted", 1, 2),
        ("promoted", 2, 3),
        ("rolled back", 3, 2),
        ("rolled back", 2, 1),
        ("promoted", 1, 3),
    ]
    assert [event.why for event in state.history][3:5] == ["worse in the field", "this one too"]


def test_a_version_is_on_the_disk_before_it_is_in_use(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_use_then = []
    monkeypatch.setattr("os.sync", lambda: in_use_then.append(champion(three)))
    promote(three, 1, "first")
    promote(three, 2, "better")
    rollback(three, "worse")
    assert in_use_then == [None, 1, 2]


def test_the_file_says_it_for_other_programs(three: Path) -> None:
    promote(three, 1, "first")
    promote(three, 2, "better")
    content = json.loads(STATE.read_text())
    assert {name: content[name] for name in ("version", "previous", "why", "tested")} == {
        "version": 2,
        "previous": 1,
        "why": "better",
        "tested": True,
    }
    assert content["since"] == content["history"][-1]["at"]


def test_promoting_the_version_in_use_changes_nothing(three: Path) -> None:
    promote(three, 1, "first")
    before = STATE.read_bytes()
    promote(three, 1, "again")
    assert STATE.read_bytes() == before


@pytest.mark.parametrize("judged_against", [None, 2])
def test_a_verdict_holds_beside_the_model_it_was_judged_against(three: Path, judged_against: int | None) -> None:
    against = Verdict(True, "", "", judged_against, "", (), ())
    promote(three, 1, "first")
    with pytest.raises(LLPError, match=r"^Version 3 stays out of use: .* version 1 is now\."):
        promote(three, 3, "judged", against)
    assert in_use(three) == (1, ())
    promote(three, 3, "judged", replace(against, champion=1))
    assert in_use(three) == (3, (1,))
    promote(three, 3, "judged", against)  # it is in use: a killed promotion comes again


def test_with_no_model_in_use_there_is_nothing_to_roll_back_to(project: Path) -> None:
    with pytest.raises(InputError, match="nothing to roll back to: there is no model in use"):
        rollback(project, "x")


def test_a_failed_smoke_test_switches_back(three: Path) -> None:
    promote(three, 1, "first")
    break_smoke(three, 2)
    with pytest.raises(LLPError, match=r"Version 2 failed its smoke test, and version 1 is in use again\. v0002, prod"):
        promote(three, 2, "hope")
    assert in_use(three) == (1, ())
    state = read_state(three)
    assert state is not None
    assert [(event.what, event.version) for event in state.history][1:] == [("promoted", 2), ("failed", 1)]
    assert "known pairs do not score as recorded" in state.why
    promote(three, 3, "the next one")
    assert in_use(three) == (3, (1,))


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "Too many open files")])
def test_a_fault_of_the_machine_fails_no_version(
    three: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    promote(three, 1, "first")
    with monkeypatch.context() as patch:
        patch.setattr("llp_core.registry.promoting.smoke_test", fail)
        with pytest.raises(type(error)):
            promote(three, 2, "better")
    settle(three)
    state = read_state(three)
    assert state is not None
    assert [event.what for event in state.history] == ["promoted", "promoted"]
    assert (state.version, state.tested) == (2, True)


@pytest.mark.parametrize("read", [read_version, served_method])
def test_a_fault_of_the_machine_is_no_damage_of_a_version(
    three: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path, int], object]
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_text", fail)
    with pytest.raises(OSError, match="Too many open files"):
        read(three, 1)


@pytest.mark.parametrize(("first", "back"), [(1, None), (3, 3)])
def test_what_failed_elsewhere_does_not_come_back_where_the_next_fails_too(
    three: Path, first: int, back: int | None
) -> None:
    promote(three, first, "first")
    promote(three, 1, "better")
    break_smoke(three, 2)
    with pytest.raises(LLPError, match="Version 2 failed its smoke test, and version 1 is in use again"):
        promote(three, 2, "hope")
    edit_json(STATE, tested=False)  # as a pull on another machine leaves it
    break_smoke(three, 1)
    with pytest.raises(LLPError, match="Version 1 failed its smoke test, and "):
        settle(three)
    assert in_use(three) == (back, ())


def test_what_fails_goes_even_where_the_former_version_is_not_here(three: Path) -> None:
    promote(three, 1, "first")
    shutil.rmtree(three / "models/v0001")  # as in a clone before `llp model pull`
    break_smoke(three, 2)
    with pytest.raises(LLPError, match="Version 2 failed its smoke test, and version 1 is in use again"):
        promote(three, 2, "hope")
    assert in_use(three) == (1, ())


def test_a_failed_smoke_test_of_the_first_leaves_none_in_use(three: Path) -> None:
    break_smoke(three, 1)
    with pytest.raises(LLPError, match="Version 1 failed its smoke test, and no model is in use"):
        promote(three, 1, "hope")
    assert champion(three) is None
    promote(three, 2, "the next one")
    assert in_use(three) == (2, ())


def test_a_rollback_to_a_version_that_fails_is_taken_back(three: Path) -> None:
    for number in (1, 2, 3):
        promote(three, number, "x")
    break_smoke(three, 2)
    edit_json(STATE, history=[event for event in json.loads(STATE.read_text())["history"] if event["version"] != 2])
    with pytest.raises(LLPError, match="Version 2 failed its smoke test, and version 3 is in use again"):
        rollback(three, "x")
    assert in_use(three) == (3, (1,))
    assert rollback(three, "x") == 1


def test_a_version_that_was_changed_does_not_come_into_use(three: Path) -> None:
    promote(three, 1, "first")
    (three / "models/v0002/params.yaml").write_text("")
    with pytest.raises(InputError, match=r"models/v0002: it is not as it was written: params\.yaml was changed"):
        promote(three, 2, "hope")
    assert in_use(three) == (1, ())


def test_a_version_not_tested_yet_is_tested_by_who_comes_next(three: Path) -> None:
    promote(three, 1, "first")
    promote(three, 2, "second")
    edit_json(STATE, tested=False)
    settle(three)
    state = read_state(three)
    assert state is not None
    assert (state.version, state.tested) == (2, True)
    edit_json(STATE, tested=False)
    (three / "models/v0002/CARD.md").write_text("")
    with pytest.raises(LLPError, match="Version 2 failed its smoke test, and version 1 is in use again"):
        settle(three)
    assert in_use(three) == (1, ())


@pytest.mark.parametrize("content", ["", "{}", '{"version": 1}'])
def test_a_champion_file_that_does_not_hold_is_told(three: Path, content: str) -> None:
    STATE.write_text(content)
    with pytest.raises(
        InputError, match=r"models/champion\.json: .* `git restore`; else remove it, and `llp model pull`"
    ):
        champion(three)


# Registers and promotes in a child that kills itself at the n-th rename, for n = 1, 2, ... until it is not reached.
# Another child then looks: one model is in use, complete; and doing it all again ends as if nothing had happened.
KILL = """
import os, shutil, signal, sys
from pathlib import Path
from llp_core.registry import numbers, open_version, promote, register, settle, version_folder
from llp_core.registry.smoke import smoke_test
from llp_core.registry.versions import read_state
import torch, pandas, pyarrow, sklearn.feature_extraction.text

torch.set_num_threads(1)
root = Path.cwd()

def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def switch(number):
    left = [number]
    def counted(rename, after):
        def wrapper(*arguments):
            left[0] -= 1
            if after:
                rename(*arguments)
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if not after:
                rename(*arguments)
        return wrapper
    after = number > 0
    left[0] = abs(number)
    os.rename, os.replace = (counted(rename, after) for rename in (os.rename, os.replace))
    promote(root, register(root), "killed")

def look():
    state = read_state(root)
    assert state.version in (1, 2), state
    assert state.version in numbers(root)
    open_version(root, state.version)
    smoke_test(version_folder(root, state.version))
    print("in use after a kill:", state.version, state.tested)

def finish():
    settle(root)
    promote(root, register(root), "again")
    state = read_state(root)
    assert (state.version, state.former, state.tested) == (2, (1,), True), state
    assert [event.version for event in state.history] == [1, 2]
    left = {path.name for path in (root / "models").iterdir()}
    assert left == {".lock", "champion.json", "v0001", "v0002"}, left

shutil.copytree("models", "before")
kills = 0
for after in (1, -1):
    for number in range(1, 30):
        shutil.rmtree("models")
        shutil.copytree("before", "models")
        code = in_child(lambda: switch(after * number))
        if code == 0:
            break
        assert code == -signal.SIGKILL, code
        kills += 1
        assert in_child(look) == 0
        assert in_child(finish) == 0
print("kills:", kills)
"""


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_one_complete(project: Path) -> None:
    promote(project, register(project), "first")
    nudge(project)
    done = subprocess.run([sys.executable, "-c", KILL], cwd=project, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert int(lines[-1].removeprefix("kills: ")) >= 12, lines
    seen = {line for line in lines if line.startswith("in use")}
    assert {"in use after a kill: 1 True", "in use after a kill: 2 False", "in use after a kill: 2 True"} == seen
