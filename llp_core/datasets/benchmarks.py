"""The published graphs that PyG has classes for: Planetoid, Amazon and Coauthor."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llp_core.config import DataParams
from llp_core.datasets.base import Dataset, Loaded, edge_counts
from llp_core.datasets.mirror import copy_files, downloading, reading, require_files
from llp_core.graph import canonical_edges
from llp_core.types import Graph

_PLANETOID_PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")


@dataclass(frozen=True)
class _Source:
    """Where PyG finds a graph.

    Attributes:
        name: of the data set here.
        family: PyG's class, and the folder of a mirror, in lower case.
        graph: the class's name for it, and the folder below.
        files: of its raw folder.
    """

    name: str
    family: str
    graph: str
    files: tuple[str, ...]

    @property
    def raw_files(self) -> tuple[str, ...]:
        """Paths relative to the class's root."""
        return tuple(f"{self.graph}/raw/{file}" for file in self.files)

    def download(self, folder: Path, params: DataParams) -> None:
        mirror = params.mirror_folder()
        if mirror is not None:
            copy_files(mirror / self.family, self.raw_files, folder)
            return
        with reading(self.name, folder), downloading(self.name, f"{self.family}/{self.graph}/raw"):
            self._open(folder)
        shutil.rmtree(folder / self.graph / "processed")

    def load(self, folder: Path, params: DataParams) -> Loaded:  # noqa: ARG002 (one signature for every data set)
        require_files(folder, self.raw_files, "Run the stage download again: `dvc repro --force download`.")
        # The class writes beside the raw files, and these must stay as they were downloaded.
        with tempfile.TemporaryDirectory() as root, reading(self.name, folder):
            (Path(root) / self.graph).mkdir()
            (Path(root) / self.graph / "raw").symlink_to((folder / self.graph / "raw").resolve())
            data = self._open(Path(root))[0]
        edges, _, _, dropped = canonical_edges(data.edge_index, data.num_nodes)
        node_ids = tuple(str(node) for node in range(data.num_nodes))
        return Loaded(Graph(self.name, node_ids, data.x, edges), edge_counts(dropped))

    def _open(self, root: Path) -> Any:
        from llp_core.datasets.benchmark_classes import CLASSES

        return CLASSES[self.family](str(root), self.graph)


def _planetoid(graph: str) -> _Source:
    name = graph.lower()
    return _Source(name, "planetoid", graph, tuple(f"ind.{name}.{part}" for part in _PLANETOID_PARTS))


def _dataset(
    source: _Source, description: str, nodes: int, edges: int, features: int, *, production_share: float = 0.1
) -> Dataset:
    return Dataset(
        name=source.name,
        description=description,
        origin=f"PyG's {source.family.capitalize()}, or {source.family}/{source.graph}/raw in the mirror",
        nodes=nodes,
        edges=edges,
        features=features,
        new_node_share=production_share,
        test_share=production_share,
        download=source.download,
        load=source.load,
    )


_PAPERS = "{} papers, joined where one cites the other; features are words of the paper"
_GOODS = "{} sold by Amazon, joined where they are often bought together; features are words of the reviews"
_AUTHORS = "Authors in {}, joined where they wrote a paper together; features are keywords of their papers"

BENCHMARKS = (
    _dataset(_planetoid("Cora"), _PAPERS.format("Machine learning"), 2_708, 5_278, 1_433, production_share=0.3),
    _dataset(_planetoid("Citeseer"), _PAPERS.format("Computer science"), 3_327, 4_552, 3_703, production_share=0.3),
    _dataset(_planetoid("Pubmed"), _PAPERS.format("Diabetes"), 19_717, 44_324, 500),
    _dataset(
        _Source("computers", "amazon", "Computers", ("amazon_electronics_computers.npz",)),
        _GOODS.format("Computer goods"),
        13_752,
        245_861,
        767,
    ),
    _dataset(
        _Source("photos", "amazon", "Photo", ("amazon_electronics_photo.npz",)),
        _GOODS.format("Photo goods"),
        7_650,
        119_081,
        745,
    ),
    _dataset(
        _Source("cs", "coauthor", "CS", ("ms_academic_cs.npz",)),
        _AUTHORS.format("computer science"),
        18_333,
        81_894,
        6_805,
    ),
    _dataset(
        _Source("physics", "coauthor", "Physics", ("ms_academic_phy.npz",)),
        _AUTHORS.format("physics"),
        34_493,
        247_962,
        8_415,
    ),
)
