"""ogbl-collab, through OGB's own class: authors who wrote papers together, with the year and how many papers."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from llp_core.config import DataParams
from llp_core.datasets.base import Dataset, Loaded, edge_counts
from llp_core.datasets.mirror import copy_files, downloading, reading, require_files
from llp_core.graph import canonical_edges
from llp_core.types import Graph

_ROOT = "ogbl_collab"
_RAW = ("edge", "edge_weight", "edge_year", "node-feat", "num-edge-list", "num-node-list")
RAW_FILES = (
    f"{_ROOT}/RELEASE_v1.txt",
    *(f"{_ROOT}/raw/{name}.csv.gz" for name in _RAW),
    *(f"{_ROOT}/split/time/{part}.pt" for part in ("train", "valid", "test")),
)
"""What OGB's class reads, relative to its root. Without the release file it would ask a question."""


def _download(folder: Path, params: DataParams) -> None:
    mirror = params.mirror_folder()
    if mirror is not None:
        copy_files(mirror / "collab", RAW_FILES, folder)
        return
    with tempfile.TemporaryDirectory() as root:
        with reading("collab", folder), downloading("collab", f"collab/{_ROOT}"):
            _open(Path(root))
        copy_files(Path(root), RAW_FILES, folder)


def _load(folder: Path, params: DataParams) -> Loaded:  # noqa: ARG001 (one signature for every data set)
    require_files(folder, RAW_FILES, "Run the stage download again: `dvc repro --force download`.")
    # The class writes beside the raw files, and these must stay as they were downloaded.
    with tempfile.TemporaryDirectory() as temporary, reading("collab", folder):
        root = Path(temporary) / _ROOT
        root.mkdir()
        for part in (folder / _ROOT).iterdir():
            if part.name != "processed":
                (root / part.name).symlink_to(part.resolve())
        features, parts = _open(Path(temporary))
    # The class's own graph holds the training edges alone. Splits are drawn here, from all edges.
    edges = torch.cat([part["edge"] for part in parts]).T
    weight = torch.cat([part["weight"] for part in parts]).flatten()
    year = torch.cat([part["year"] for part in parts]).flatten()
    canonical = canonical_edges(edges, features.shape[0], weight, year)
    graph = Graph(
        name="collab",
        node_ids=tuple(str(node) for node in range(features.shape[0])),
        features=features,
        edges=canonical.edges,
        edge_weight=canonical.weight,
        edge_time=canonical.time,
    )
    return Loaded(graph, edge_counts(canonical.dropped))


def _open(root: Path) -> tuple[torch.Tensor, list[Any]]:
    """Features, float32 [N, F], and the training, validation and test edges of the class's time split."""
    from ogb.linkproppred import PygLinkPropPredDataset

    with _safe_globals():
        dataset = PygLinkPropPredDataset("ogbl-collab", str(root))
        split = dataset.get_edge_split()
    return dataset[0].x, [split[part] for part in ("train", "valid", "test")]


@contextlib.contextmanager
def _safe_globals() -> Iterator[None]:
    """Lets `torch.load`, which OGB calls, make the few classes that its files hold; all others stay refused."""
    import numpy as np
    from torch_geometric.data import Data
    from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
    from torch_geometric.data.storage import GlobalStorage

    reconstruct = np.empty(0).__reduce__()[0]
    allowed = [
        Data,
        DataEdgeAttr,
        DataTensorAttr,
        GlobalStorage,
        np.ndarray,
        np.dtype,
        np.dtypes.Int64DType,
        np.dtypes.Float32DType,
        np.dtypes.Float64DType,
        # The files were written when numpy's module had another name.
        (reconstruct, "numpy.core.multiarray._reconstruct"),
        (reconstruct, "numpy._core.multiarray._reconstruct"),
    ]
    with torch.serialization.safe_globals(allowed):
        yield


COLLAB = Dataset(
    name="collab",
    description="Authors, joined for each year in which they wrote papers together; features are averaged word "
    "embeddings of their papers",
    origin=f"OGB's ogbl-collab, or collab/{_ROOT} in the mirror",
    nodes=235_868,
    edges=1_285_465,
    features=128,
    new_node_share=0.1,
    test_share=0.1,
    download=_download,
    load=_load,
)
