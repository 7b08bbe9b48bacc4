"""A tiny project that DVC and Prefect really run, and one temporary Prefect server for all tests."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-home-")
sys.path.insert(0, str(Path(__file__).parent))

import tiny_stages

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A temporary Prefect server with a database of its own."""
    from prefect.testing.utilities import prefect_test_harness

    import flows  # noqa: F401 - its defaults come before Prefect

    with prefect_test_harness(server_startup_timeout=120):
        yield


@dataclass(frozen=True)
class Project:
    """The tiny project's folder, and what to ask of it."""

    root: Path

    def calls(self) -> list[str]:
        """Addresses of the stages that ran since the last question, in order of their end."""
        log = self.root / "calls.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]

    def times(self) -> dict[str, tuple[float, float]]:
        """Address -> when the stage started and ended, in seconds."""
        lines = [line.split() for line in (self.root / "calls.log").read_text().splitlines()]
        return {address: (float(started), float(ended)) for address, started, ended in lines}

    def set(self, old: str, new: str) -> None:
        """Replaces a text that stands once in params.yaml."""
        text = (self.root / "params.yaml").read_text()
        assert text.count(old) == 1
        (self.root / "params.yaml").write_text(text.replace(old, new))

    def tell_to_fail(self, address: str, error: str = "RuntimeError", times: int = 99) -> None:
        """Makes a stage fail so many times from now on."""
        with (self.root / "fail.txt").open("a") as told:
            told.write(f"{address} {error} {times}\n")

    def output(self, path: str) -> str:
        """What a stage wrote."""
        return (self.root / "data" / path / "out.json").read_text()

    def dvc_status(self) -> dict[str, object]:
        """What `dvc status` finds stale."""
        from dvc.repo import Repo

        with Repo(str(self.root)) as repo:
            return dict(repo.status())

    def dvc_repro(self) -> list[str]:
        """The stages that `dvc repro` finds stale and runs, each by its command."""
        from dvc.repo import Repo

        with Repo(str(self.root)) as repo:
            return [stage.addressing for stage in repo.reproduce()]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The tiny project, as the current folder; `flows` runs its stages' functions in this process."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", "params.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".gitignore").write_text("/data/\n")
    (tmp_path / "dvc.yaml").write_text(tiny_stages.dvc_yaml())
    (tmp_path / "input.txt").write_text("one graph")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".dvc" / "site_cache"))
    return Project(tmp_path)
