"""The graph of a data set for work beside the pipeline, whose own graph is that of params.yaml's data set."""

from collections.abc import Mapping
from pathlib import Path

from llp_core.config import DataParams
from llp_core.datasets import get_dataset
from llp_core.errors import InputError
from llp_core.locks import locked
from llp_core.store import new_folder, read_json
from llp_core.types import Graph


def dataset_graph(params: DataParams, raw: Path) -> Graph:
    """The graph of `params.name`; its raw files are kept in `raw`, and brought there once.

    Raises:
        InputError: they cannot be had, or do not hold what they must.
    """
    dataset = get_dataset(params.name)
    made = {"stage": "download", "data": params.model_dump(mode="json")}
    with locked(raw.with_suffix(".lock")):
        if not _is_made(raw, made) or params.name == "files":  # the user's own files may have changed
            with new_folder(raw, made) as folder:
                dataset.download(folder, params)
        return dataset.load(raw, params)[0]


def _is_made(folder: Path, made: Mapping[str, object]) -> bool:
    try:
        found = read_json(folder / "made.json")
    except InputError:
        return False
    return bool(found.items() >= made.items())
