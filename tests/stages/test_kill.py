"""`kill -9` in every stage: the next run finishes, with the same figures."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_project import EVERY_STAGE, figures

from llp_core.names import Setting

pytestmark = pytest.mark.slow

# Dies as it puts the first complete artefact in its place; in a training, after the third epoch.
DIE = """
import os, signal, sys
from llp_core import progress, store
from llp_core.stages import run_stage
from llp_core.training.checkpoint import Checkpoint

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

name, setting = sys.argv[1], sys.argv[2] or None
if name in ("teacher", "student"):
    Checkpoint.due = lambda self: True
    advance = progress.Progress.advance
    progress.Progress.advance = lambda self, *a, **k: (advance(self, *a, **k), self.done == 3 and die())[0]
else:
    os.rename = die
run_stage(name, setting)
"""
RUN = "import sys; from llp_core.stages import run_stage; run_stage(sys.argv[1], sys.argv[2] or None)"


def run(root: Path, script: str, name: str, setting: Setting | None) -> int:
    return subprocess.run([sys.executable, "-c", script, name, setting or ""], cwd=root, timeout=120).returncode


def test_kill_in_every_stage(new_project: Callable[[str], Path]) -> None:
    undisturbed, killed = new_project("undisturbed"), new_project("killed")
    stages = [(name, setting) for name, setting in EVERY_STAGE if setting in (None, "production") and name != "report"]
    for name, setting in stages:
        assert run(undisturbed, RUN, name, setting) == 0
        assert run(killed, DIE, name, setting) == -signal.SIGKILL, name
        assert run(killed, RUN, name, setting) == 0
    expected = figures(undisturbed)
    assert {name for name, content in figures(killed).items() if content != expected[name]} == set()
    assert figures(killed).keys() == expected.keys()
    hidden = [path for path in (killed / "data").rglob(".*") if path.suffix in (".new", ".former")]
    assert hidden == []
