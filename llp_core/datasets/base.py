"""What a data set is to the pipeline: a name, two functions, and figures to show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from llp_core.config import DataParams
from llp_core.datasets.columns import FeatureEncoder
from llp_core.graph import Dropped
from llp_core.types import Graph


class Loaded(NamedTuple):
    """What raw files hold.

    Attributes:
        graph: in canonical form.
        dropped: how many things of each kind were dropped on the way to it.
        encoder: what made features of columns; None where features come as they are.
    """

    graph: Graph
    dropped: Mapping[str, int]
    encoder: FeatureEncoder | None = None


@dataclass(frozen=True)
class Dataset:
    """One source of graphs.

    Attributes:
        name: that params.yaml and `--dataset` call it by.
        description: what a node, an edge and a feature stand for, in one sentence.
        origin: where the raw files come from.
        nodes, edges, features: how many there are, or None where that depends on the input. Edges are
            undirected, as published; `load` merges those between the same two nodes.
        new_node_share: of the nodes that are new in the production and cold start settings.
        test_share: of each kind of edge that tests in those settings.
        download: fills an empty folder with the raw files. Raises InputError where they cannot be had.
        load: reads that folder. Raises InputError where a file is missing or holds what it must not.
    """

    name: str
    description: str
    origin: str
    nodes: int | None
    edges: int | None
    features: int | None
    new_node_share: float
    test_share: float
    download: Callable[[Path, DataParams], None]
    load: Callable[[Path, DataParams], Loaded]


def edge_counts(dropped: Dropped) -> dict[str, int]:
    """What the canonical form of edges dropped, under the names that every data set uses."""
    return {"self loops": dropped.self_loops, "duplicate edges": dropped.duplicates}
