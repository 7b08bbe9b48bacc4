"""Data sets by name. Each fills a folder with raw files and reads a canonical Graph from it."""

from collections.abc import Mapping

from llp_core.datasets.base import Dataset
from llp_core.datasets.benchmarks import BENCHMARKS
from llp_core.datasets.collab import COLLAB
from llp_core.datasets.debian import DEBIAN
from llp_core.datasets.files import FILES
from llp_core.datasets.shapes import SHAPES
from llp_core.errors import InputError, hint

__all__ = ["DATASETS", "Dataset", "get_dataset"]

DATASETS: Mapping[str, Dataset] = {dataset.name: dataset for dataset in (DEBIAN, *BENCHMARKS, COLLAB, *SHAPES, FILES)}


def get_dataset(name: str) -> Dataset:
    """The data set of a name.

    Raises:
        InputError: there is none; the message gives the nearest names.
    """
    if name not in DATASETS:
        raise InputError(f"data set {name!r} is not known. {hint(name, DATASETS)} `llp dataset list` tells of each.")
    return DATASETS[name]
