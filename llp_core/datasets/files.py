"""One's own graph, from a nodes file and an edges file (CSV or Parquet)."""

import filecmp
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llp_core.config import DataParams, FilesParams
from llp_core.datasets.base import Dataset, Loaded, edge_counts
from llp_core.datasets.columns import FeatureEncoder
from llp_core.datasets.tables import Table, read_table, require_table_file
from llp_core.errors import InputError
from llp_core.graph import canonical_edges
from llp_core.types import Graph

MAX_TYPES = 100
"""Of nodes."""


def _download(folder: Path, params: DataParams) -> None:
    for name, given in _given_files(params.files).items():
        require_table_file(Path(given), given, f"Correct data.files.{name} in params.yaml.")
        shutil.copyfile(given, folder / f"{name}{Path(given).suffix}")


def _load(folder: Path, params: DataParams) -> Loaded:
    files = params.files
    nodes, edges = _read(folder, "nodes", files), _read(folder, "edges", files)
    node_ids = ids_of(nodes, files)
    if nodes.rows == 1:
        raise nodes.problem(files.id, 0, "at least two nodes", "one", "There is nothing to link it with.")
    encoder = _fit(nodes, files)
    for column, setting in ((files.source, "source"), (files.target, "target")):
        edges.require(column, f"data.files.{setting}")
    ends = np.stack([node_numbers(edges, column, node_ids, nodes.name) for column in (files.source, files.target)])
    weight = time = None
    if files.weight is not None:
        edges.require(files.weight, "data.files.weight")
        weight = torch.from_numpy(edges.numbers(files.weight).astype(np.float32))
    if files.time is not None:
        edges.require(files.time, "data.files.time")
        time = torch.from_numpy(edges.integers(files.time))
    canonical = canonical_edges(torch.from_numpy(ends), len(node_ids), weight, time)
    features, types = encoder.apply(nodes), _types(nodes, files)
    graph = Graph("files", node_ids, features, canonical.edges, canonical.weight, canonical.time, *types)
    dropped = {
        "constant columns": encoder.constant_columns,
        "words beyond max_words": encoder.rare_values,
        "numbers far from all others": encoder.far_numbers,
    }
    return Loaded(graph, edge_counts(canonical.dropped) | dropped, encoder)


def read_nodes(folder: Path, files: FilesParams) -> Table:
    """The table of nodes in a folder of raw files, its rows in the order of the graph's nodes.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    return _read(folder, "nodes", files)


def changed_since(folder: Path, files: FilesParams) -> list[str]:
    """Which of the files that params.yaml names are other ones now than those copied to a folder of raw files."""
    copies = {given: folder / f"{name}{Path(given).suffix}" for name, given in _given_files(files).items()}
    return [
        given
        for given, copy in copies.items()
        if Path(given).is_file() and copy.is_file() and not filecmp.cmp(given, copy, shallow=False)
    ]


def _read(folder: Path, name: str, files: FilesParams) -> Table:
    # Errors name the file its owner knows; the copy in the folder has the same lines.
    given = _given_files(files)[name]
    path = folder / f"{name}{Path(given).suffix}"
    if not path.is_file():
        raise InputError(
            f"{path}: not found, though data.files.{name} in params.yaml is {given}. It may have changed since the "
            "download stage: `llp run-flow full` brings the files."
        )
    return read_table(path, given)


def _fit(nodes: Table, files: FilesParams) -> FeatureEncoder:
    for column in files.columns:
        nodes.require(column, "data.files.columns")
    if files.id in files.columns:
        raise InputError(f"data.files.columns.{files.id}: the column of ids is no feature. Leave it out.")
    columns = [column for column in nodes.data.column_names if column != files.id]
    return FeatureEncoder.fit(nodes, columns, files.columns, files.max_words)


def _types(nodes: Table, files: FilesParams) -> tuple[Tensor, tuple[str, ...]] | tuple[None, None]:
    """The type of each node, int64 [N], and their names in alphabetical order; Nones where there are no types."""
    import pandas as pd

    if files.node_type is None:
        return None, None
    nodes.require(files.node_type, "data.files.node_type")
    numbers, names = pd.factorize(nodes.words(files.node_type), sort=True)
    if len(names) > MAX_TYPES:
        raise InputError(
            f"{nodes.name}, column {files.node_type!r}: expected at most {MAX_TYPES} types of nodes, such as user and "
            f"item, found {len(names):,} different values. Correct data.files.node_type in params.yaml."
        )
    return torch.from_numpy(numbers.astype(np.int64)), tuple(names.tolist())


def types_of(table: Table, names: tuple[str, ...], files: FilesParams) -> Tensor:
    """Which of a graph's types each row of another table of nodes has, int64 [rows]; -1 where it has none of them."""
    import pandas as pd

    if not names or files.node_type is None or files.node_type not in table.data.column_names:
        return torch.full((table.rows,), -1)
    words = table.words(files.node_type, may_be_empty=True)
    return torch.from_numpy(pd.Index(names).get_indexer(words).astype(np.int64))


def _given_files(files: FilesParams) -> dict[str, str]:
    return {"nodes": files.nodes, "edges": files.edges}


def ids_of(nodes: Table, files: FilesParams) -> tuple[str, ...]:
    """The ids in a table of nodes, in its order.

    Raises:
        InputError: the column is missing, or an id is empty or occurs twice.
    """
    nodes.require(files.id, "data.files.id")
    ids = nodes.words(files.id)
    repeated = np.flatnonzero(ids.duplicated())
    if repeated.size:
        row = int(repeated[0])
        first = nodes.place(int((ids == ids[row]).argmax()))
        raise nodes.problem(
            files.id, row, "every id once", f"{ids[row]!r}, which is on {first} already", "Merge or rename the nodes."
        )
    return tuple(ids.tolist())


def node_numbers(table: Table, column: str, node_ids: tuple[str, ...], nodes_name: str) -> NDArray[np.int64]:
    """The numbers of the nodes whose ids a column holds, int64 [rows].

    Raises:
        InputError: it is no id of a node.
    """
    import pandas as pd

    ids = table.words(column)
    numbers: NDArray[np.int64] = pd.Index(node_ids).get_indexer(ids).astype(np.int64)
    unknown = np.flatnonzero(numbers < 0)
    if unknown.size:
        row = int(unknown[0])
        advice = f"Add the node there, or take out its rows ({unknown.size} such values in this column)."
        raise table.problem(column, row, f"an id of {nodes_name}", repr(ids[row]), advice)
    return numbers


FILES = Dataset(
    name="files",
    description="Your own graph: a file of nodes with feature columns and a file of edges (CSV or Parquet)",
    origin="the files named by data.files in params.yaml",
    nodes=None,
    edges=None,
    features=None,
    new_node_share=0.3,
    test_share=0.3,
    download=_download,
    load=_load,
)
