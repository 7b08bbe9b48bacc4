"""Tasks in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import paper_tasks
import pytest

from llp_core.paper.processes import Event, Task, side_by_side


def is_running(process: int) -> bool:
    """Whether there is such a process that has not ended; one that has may wait for its parent to notice."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually_gone(process: int) -> bool:
    for _ in range(100):
        if not is_running(process):
            return True
        time.sleep(0.1)
    return False


def outcomes(events: list[Event]) -> dict[str, tuple[str, str]]:
    return {event.task.name: (event.kind, event.text) for event in events if event.kind != "told"}


def test_one_that_fails_leaves_the_others(tmp_path: Path) -> None:
    names = ("refuse", "break_down", "be_killed")
    tasks = [Task(name, getattr(paper_tasks, name), (), tmp_path / "logs" / f"{name}.log") for name in names]
    tasks.append(Task("note", paper_tasks.note, (tmp_path / "noted",), tmp_path / "logs" / "note.log"))
    events = list(side_by_side(tasks, 2))
    assert outcomes(events) == {
        "refuse": ("failed", "nodes.csv: not found"),
        "break_down": ("failed", f"ZeroDivisionError: by zero (see {tmp_path}/logs/break_down.log)"),
        "be_killed": ("failed", "the process ended with code -9; if that is -9, there was too little memory"),
        "note": ("done", ""),
    }
    assert [event.text for event in events if event.kind == "told"] == ["halfway"]
    log = (tmp_path / "logs" / "break_down.log").read_text()
    assert "on the way" in log
    assert "Traceback" in log


@pytest.mark.parametrize("count", [1, 2])
def test_so_many_at_once(tmp_path: Path, count: int) -> None:
    paths = [tmp_path / str(number) for number in range(3)]
    tasks = [Task(path.name, paper_tasks.note, (path,), tmp_path / "log" / path.name) for path in paths]
    assert [event.kind for event in side_by_side(tasks, count)].count("done") == 3
    times = [tuple(map(float, path.read_text().split())) for path in paths]
    at_once = max(sum(began <= moment < ended for began, ended in times) for moment, _ in times)
    assert at_once <= count


def test_processes_end_with_the_iteration(tmp_path: Path) -> None:
    task = Task("long", paper_tasks.wait_long, (tmp_path / "pid",), tmp_path / "log")
    with closing(side_by_side([task], 1)) as events:
        assert next(events).text == "waiting"
        process = int((tmp_path / "pid").read_text())
        assert is_running(process)
    assert not is_running(process)


def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    """Even if it is killed, so that it can end nothing itself."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-m", "paper_tasks", str(tmp_path)]
    parent = subprocess.Popen(command, env=environment)
    for _ in range(300):
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
        time.sleep(0.1)
    process = int((tmp_path / "pid").read_text())
    assert is_running(process)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert eventually_gone(process)
