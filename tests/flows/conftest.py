"""A tiny project that DVC and Prefect really run, and one temporary Prefect server for all tests."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-home-")
sys.path.insert(0, str(Path(__file__).parent))

import tiny_stages
from tiny_project import ROOT, Project
from untuned_params import copy_untuned


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A temporary Prefect server with a database of its own."""
    from prefect.testing.utilities import prefect_test_harness

    import flows  # noqa: F401 - its defaults come before Prefect

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The tiny project, as the current folder; `flows` runs its stages' functions in this process."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    copy_untuned(tmp_path)
    (tmp_path / ".gitignore").write_text("/data/\n")
    (tmp_path / "dvc.yaml").write_text(tiny_stages.dvc_yaml())
    (tmp_path / "input.txt").write_text("one graph")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".dvc" / "site_cache"))
    return Project(tmp_path)


@pytest.fixture
def real(project: Project) -> Project:
    """The real dvc.yaml and the embedded graphs in place of the tiny project's."""
    shutil.copy(ROOT / "dvc.yaml", project.root)
    shutil.copytree(ROOT / "data" / "embedded", project.root / "data" / "embedded")
    return project
