"""A project folder with the embedded graphs, where every stage takes a moment."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from candidate_project import change
from small_project import QUICK, ROOT
from untuned_params import copy_untuned


@pytest.fixture
def new_project(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a project folder of a name."""

    def make(name: str) -> Path:
        root = tmp_path / name
        shutil.copytree(ROOT / "data" / "embedded", root / "data" / "embedded")
        copy_untuned(root)
        change(root, QUICK)
        return root

    return make


@pytest.fixture
def project(new_project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, which is the current one."""
    root = new_project("project")
    monkeypatch.chdir(root)
    return root
