"""Settings and raw files for the data sets."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from llp_core.config import DataParams, Params

ROOT = Path(__file__).parents[2]
MIRROR = Path(os.environ.get("LLP_DATA_MIRROR", ROOT.parent / "shared" / "datasets"))


@pytest.fixture
def data_params(params: Params, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DataParams]:
    """Makes the settings of a data set; keywords are `mirror` and what `files` is to hold."""
    monkeypatch.delenv("LLP_DATA_MIRROR", raising=False)

    def make(mirror: Path | None = None, **files: object) -> DataParams:
        update = {
            "mirror": None if mirror is None else str(mirror),
            "files": params.data.files.model_copy(update=files),
        }
        return params.data.model_copy(update=update)

    return make


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An empty folder for raw files."""
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


@pytest.fixture
def project_root(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, as the current one."""
    monkeypatch.chdir(ROOT)
    return ROOT


@pytest.fixture
def published() -> Path:
    """A mirror with the raw files of published graphs; skips where there is none."""
    if not MIRROR.is_dir():
        pytest.skip(f"no mirror at {MIRROR}: set LLP_DATA_MIRROR to a folder laid out as docs/datasets.md says")
    return MIRROR
