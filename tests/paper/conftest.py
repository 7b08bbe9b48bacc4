"""A project folder in which the tables take a moment: a small graph in the place of Debian's, nothing tuned."""

from pathlib import Path

import pytest
import yaml

from llp_core import tuned
from llp_core.config import Params
from llp_core.datasets import get_dataset
from llp_core.names import SETTINGS
from llp_core.paper.cells import FOLDER
from llp_core.paper.job import graph_folder
from llp_core.store import new_folder, save

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def tuned_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where tuned settings are looked for: nothing is tuned for any data set."""
    folder = tmp_path / "tuned"
    folder.mkdir()
    nothing = {setting: {"teacher": {}, "contexts": {}, "student": {}, "found": {}} for setting in SETTINGS}
    (folder / "default.yaml").write_text(yaml.safe_dump(nothing))
    monkeypatch.setattr(tuned, "FOLDER", folder)
    return folder


@pytest.fixture
def quick(params: Params) -> Params:
    """Settings with which a training takes a moment."""
    small = {"hidden": 8, "max_epochs": 6}
    return params.model_copy(
        update={
            "teacher": params.teacher.model_copy(update=small),
            "student": params.student.model_copy(update=small),
            "contexts": params.contexts.model_copy(update={"rounds": 2}),
        }
    )


@pytest.fixture
def project(quick: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the graph of the example files where that of Debian is looked for."""
    example = {name: ROOT / getattr(quick.data.files, name) for name in ("nodes", "edges")}
    files = quick.data.files.model_copy(update={name: str(path) for name, path in example.items()})
    source = quick.data.model_copy(update={"name": "files", "files": files})
    monkeypatch.chdir(tmp_path)
    with new_folder(Path("raw"), {}) as raw:
        get_dataset("files").download(raw, source)
    with new_folder(graph_folder(FOLDER, "debian"), {}) as folder:
        save(get_dataset("files").load(Path("raw"), source)[0], folder)
    return tmp_path
