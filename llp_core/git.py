"""The state of a project's folder in git."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from llp_core import paths
from llp_core.live.records import LIVE, VERSIONS

WRITTEN_BY_RUNS = ("dvc.lock", str(paths.MODELS), f"{LIVE}.dvc", str(VERSIONS))
"""May differ from the commit without the project being another one."""


def git_state(root: Path, leave_out: Iterable[str] = WRITTEN_BY_RUNS) -> tuple[str, bool | None]:
    """The commit, and whether files differ from it; "unknown" and None where there is no git or no repository.

    Args:
        root: the project's folder.
        leave_out: files and folders below it that may differ, since runs themselves write them.
    """
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--", ".", *(f":(exclude){file}" for file in leave_out))
    if commit is None or changes is None:
        return "unknown", None
    return commit, bool(changes)


def _git(root: Path, *arguments: str) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    command = [program, "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (arguments are ours)
    return done.stdout.strip() if done.returncode == 0 else None
