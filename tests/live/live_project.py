"""A small project with live data, that DVC really keeps."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from untuned_params import copy_untuned

from llp_core.cli.params_file import change_params
from llp_core.config import Params, load_params
from llp_core.live import IngestReport, ingest, start

ROOT = Path(__file__).parents[2]

NODES = "id,size,colour\n" + "".join(f"n{i},{i * 10},{'red' if i % 2 else 'blue'}\n" for i in range(8))
EDGES = "source,target\n" + "".join(f"n{i},n{(i + 1) % 8}\n" for i in range(8))
SETTINGS = {
    "data.name": "files",
    "data.files.nodes": "nodes.csv",
    "data.files.edges": "edges.csv",
    "data.files.columns": {"colour": "category"},
    "validate.min_nodes": 6,
    "validate.min_edges": 5,
    "validate.min_component_share": 0.5,
}


@dataclass(frozen=True)
class Project:
    """The project's folder, and what to ask of it. The graph is a ring of eight nodes, n0 to n7."""

    root: Path

    @property
    def params(self) -> Params:
        """As params.yaml says now."""
        return load_params(self.root / "params.yaml")

    def configure(self, **values: object) -> None:
        """Changes settings in params.yaml; a double underscore stands for the dot."""
        change_params(self.root / "params.yaml", {key.replace("__", "."): value for key, value in values.items()})

    def write(self, name: str, text: str) -> Path:
        """A file in the project, with this text."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def drop(self, name: str, text: str) -> Path:
        """A file in data/incoming."""
        return self.write(f"data/incoming/{name}", text)

    def start(self) -> int:
        """`llp data start`, but for params.yaml."""
        return start(self.root, self.params)

    def ingest(self, *files: Path) -> IngestReport:
        """`llp ingest`."""
        return ingest(self.root, files or None, self.params)

    def nodes(self) -> dict[str, tuple[object, ...]]:
        """Id -> features, of the live data."""
        frame = pd.read_parquet(self.root / "data/live/nodes.parquet")
        return {row[0]: tuple(row[1:]) for row in frame.itertuples(index=False)}

    def edges(self) -> set[frozenset[str]]:
        """The live data's edges; each is there once."""
        frame = pd.read_parquet(self.root / "data/live/edges.parquet")
        pairs = [frozenset(pair) for pair in zip(frame["source"], frame["target"], strict=True)]
        assert len(set(pairs)) == len(pairs)
        return set(pairs)

    def content(self) -> dict[str, bytes]:
        """Every file of the live data."""
        return {path.name: path.read_bytes() for path in (self.root / "data/live").iterdir()}

    def incoming(self) -> list[str]:
        """Names of what lies in data/incoming."""
        return sorted(path.name for path in (self.root / "data/incoming").glob("*"))

    def quarantined(self) -> dict[str, str]:
        """Name -> reason, of what lies in data/quarantine."""
        folder = self.root / "data/quarantine"
        paths = [path for path in folder.glob("*") if not path.name.endswith(".reason.txt")]
        return {path.name: (folder / f"{path.name}.reason.txt").read_text() for path in paths}


def make_project(root: Path) -> Project:
    """A project in an empty folder, with the two files and without live data."""
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "dvc.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    change_params(copy_untuned(root), SETTINGS)
    project = Project(root)
    project.write("nodes.csv", NODES)
    project.write("edges.csv", EDGES)
    return project
