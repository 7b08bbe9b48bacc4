"""PyG's classes of the published graphs, with features that are sparse. Imported when one is needed: PyG is slow to."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.datasets import Amazon, Coauthor, Planetoid
from torch_geometric.io import parse_npz, read_planetoid_data

from llp_core.datasets.sparse import csr_tensor


class SparsePlanetoid(Planetoid):  # type: ignore[misc] # PyG is untyped
    """Planetoid; its features become sparse as soon as PyG's reader has them.

    The reader itself fills in three dense pieces. Its files are pickles, which this project leaves to PyG to
    read, and the widest of the three graphs takes 49 MB that way; nothing dense is kept or saved.
    """

    def process(self) -> None:
        """Writes the processed file from the raw ones."""
        with warnings.catch_warnings():
            # The files were written by the numpy and scipy of 2016.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.filterwarnings("ignore", message=r"dtype\(\): align")
            data = read_planetoid_data(self.raw_dir, self.name)
        data.x = csr_tensor(csr_array(data.x.numpy()))
        self.save([data], self.processed_paths[0])


class SparseAmazon(Amazon):  # type: ignore[misc]
    """Amazon, whose features stay sparse from the file on."""

    def process(self) -> None:
        """Writes the processed file from the raw one."""
        _process_npz(self)


class SparseCoauthor(Coauthor):  # type: ignore[misc]
    """Coauthor, whose features stay sparse from the file on: dense, those of Physics would take 1.2 GB."""

    def process(self) -> None:
        """Writes the processed file from the raw one."""
        _process_npz(self)


CLASSES: Mapping[str, type[InMemoryDataset]] = {
    "planetoid": SparsePlanetoid,
    "amazon": SparseAmazon,
    "coauthor": SparseCoauthor,
}


def _process_npz(dataset: Any) -> None:
    with np.load(dataset.raw_paths[0]) as arrays:
        dataset.save([_sparse_data(arrays)], dataset.processed_paths[0])


def _sparse_data(arrays: Mapping[str, NDArray[Any]]) -> Data:
    """What PyG's `parse_npz` makes of the arrays, with the features in CSR.

    PyG reads the edges and labels, and is shown no feature, since it would make them dense. As it does,
    the count of a word becomes 1.
    """
    shape = tuple(int(size) for size in arrays["attr_shape"])
    counts = csr_array((arrays["attr_data"], arrays["attr_indices"], arrays["attr_indptr"]), shape=shape)
    counts.data = np.where(counts.data > 0, 1, counts.data)
    no_features = {
        "attr_data": np.zeros(0, dtype=np.float32),
        "attr_indices": np.zeros(0, dtype=np.int32),
        "attr_indptr": np.zeros(shape[0] + 1, dtype=np.int32),
        "attr_shape": np.array([shape[0], 0]),
    }
    data = parse_npz({**arrays, **no_features}, to_undirected=True)
    data.x = csr_tensor(counts)
    return data
