"""A project whose pipeline has run, as the current folder."""

from pathlib import Path

import pytest
from candidate_project import copied


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a project whose pipeline has run, which is the current folder."""
    root = copied(tmp_path_factory, tmp_path / "project")
    monkeypatch.chdir(root)
    return root
