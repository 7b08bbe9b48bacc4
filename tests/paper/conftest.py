"""A project folder in which the tables take a moment: a small graph of Debian, nothing tuned."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from llp_core import tuned
from llp_core.config import Params
from llp_core.datasets import debian
from llp_core.datasets.kept import kept_graph
from llp_core.names import SETTINGS
from llp_core.paper.cells import FOLDER
from llp_core.paper.job import graph_folder
from llp_core.paths import EMBEDDED

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
def build_debian(params: Params, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Builds a graph of the first so many packages of the example files."""
    monkeypatch.setattr(debian, "HUB_SHARE", 1.0)
    nodes, edges = (pd.read_csv(ROOT / getattr(params.data.files, name)) for name in ("nodes", "edges"))
    needed = edges.groupby("source")["target"].agg(", ".join)

    def build(folder: Path, packages: int) -> None:
        stanzas = (
            f"Package: {name}\nSection: python\nDepends: {needed.get(name, '')}\nDescription: {words}\n\n"
            for name, words in nodes[["id", "words"]].head(packages).itertuples(index=False)
        )
        debian.build("".join(stanzas).splitlines(keepends=True), "python", folder)

    return build


@pytest.fixture
def project(
    quick: Params, build_debian: Callable[[Path, int], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The current folder, with a small build where that of Debian is looked for, and its graph."""
    monkeypatch.chdir(tmp_path)
    build_debian(EMBEDDED / "debian", 400)
    kept_graph(quick.data.model_copy(update={"name": "debian"}), graph_folder(FOLDER, "debian"))
    return tmp_path
