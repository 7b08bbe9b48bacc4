"""The graph of a data set for work beside the pipeline, whose own graph is that of params.yaml's data set."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from llp_core.config import DataParams
from llp_core.datasets import get_dataset
from llp_core.errors import InputError
from llp_core.locks import locked
from llp_core.store import load, new_folder, read_json, save
from llp_core.types import Graph

FILES_AT_HAND = ("files", "debian")
"""Data sets whose files may change under the same name, so that their graph is made anew each time."""


def kept_graph(params: DataParams, folder: Path) -> Graph:
    """The graph of `params.name`, brought once from each mirror, or without one, and kept in `folder`.

    That of `FILES_AT_HAND` is made anew by each call.

    Raises:
        InputError: its files cannot be had, or do not hold what they should.
    """
    dataset = get_dataset(params.name)
    mirror = params.mirror_folder()
    own = params.model_dump(mode="json", exclude=None if params.name == "files" else {"files"})
    made = {"data": own, "mirror": mirror and str(mirror.resolve())}
    with locked(folder.with_suffix(".lock")):
        if not _is_made(folder, made) or params.name in FILES_AT_HAND:
            raw = folder.with_suffix(".raw")
            with new_folder(raw, made) as unfinished:
                dataset.download(unfinished, params)
            graph = dataset.load(raw, params).graph
            with new_folder(folder, made) as unfinished:
                save(graph, unfinished)
            shutil.rmtree(raw)
        return load(Graph, folder)


def _is_made(folder: Path, made: Mapping[str, object]) -> bool:
    try:
        found = read_json(folder / "made.json")
    except InputError:
        return False
    return bool(found.items() >= made.items())
