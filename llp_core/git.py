"""The state of a project's folder in git."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path


def git_state(root: Path, leave_out: Iterable[str] = ()) -> tuple[str, bool | None]:
    """The commit, and whether files differ from it; "unknown" and None where there is no git or no repository.

    Args:
        root: the project's folder.
        leave_out: files below it that may differ, since a run itself writes them.
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
