"""Graphs that are made up, as large as known ones: to see what sizes cost where the real data is not at hand.

A degree-corrected block model (Karrer and Newman, doi 10.1103/PhysRevE.83.016107) drawn edge by edge. Each node belongs
to a community and has a weight; an edge starts at a node in proportion to its weight, and ends likewise, mostly in the
same community. The features of a node are those of its community, blurred. Nothing else of the graph that lends its
size is in it: no time, no triangles beyond what communities bring, no words.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from llp_core.config import DataParams
from llp_core.datasets.base import Dataset, Loaded
from llp_core.errors import InputError
from llp_core.graph import distinct_keys, pairs_from_keys, undirected_keys
from llp_core.sampling import generator
from llp_core.store import read_json, write_json
from llp_core.types import Graph

COMMUNITY_DEGREES = 12
"""Nodes in a community, on average, as a multiple of the mean degree."""
INSIDE_SHARE = 0.8
"""Of the edges, those drawn within a community; the ends of the others are drawn from all nodes."""
TAIL = 2.2
"""Exponent of the Pareto distribution of node weights: the share of nodes of more than k edges falls as k ** -2.2."""
NOISE = 3.0
"""Deviation of a node's features around those of its community, which deviate by 1 from each other."""
_PIECE = 2**22
"""Edges, or features, that are drawn at once."""


@dataclass(frozen=True)
class Shape:
    """What `shape.json` in the raw files asks for.

    Attributes:
        num_nodes: N.
        num_edges: E, distinct and undirected.
        num_features: F.
    """

    num_nodes: int
    num_edges: int
    num_features: int


def shape_graph(name: str, num_nodes: int, num_edges: int, num_features: int, rng: torch.Generator) -> Graph:
    """A graph of communities with heavy-tailed degrees, and features that tell of the communities.

    Time and memory grow with N F + E (log E times that for sorting); beside the graph itself it holds about three
    times the edges.

    Args:
        name: of the data set.
        num_nodes: N; the ids are "0" to "N - 1", in no order of community or degree.
        num_edges: E, exactly as many.
        num_features: F, dense float32, of deviation 1.
        rng: of the draws.

    Raises:
        ValueError: a size is not positive, or there are so many edges that a community would be larger than the graph.
    """
    if min(num_nodes, num_edges, num_features) < 1:
        raise ValueError(f"expected sizes above 0, got {num_nodes} nodes, {num_edges} edges, {num_features} features")
    size = round(COMMUNITY_DEGREES * 2 * num_edges / num_nodes)
    if size > num_nodes:
        raise ValueError(f"{num_edges} edges are too many among {num_nodes} nodes: a community would have {size}")
    community = torch.randint(max(1, num_nodes // max(1, size)), (num_nodes,), generator=rng)
    keys = _edge_keys(community, num_edges, rng)
    return Graph(
        name=name,
        node_ids=tuple(map(str, range(num_nodes))),
        features=_features(community, num_features, rng),
        edges=pairs_from_keys(keys, num_nodes),
    )


def _edge_keys(community: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """int64 [count], ascending: `pair_keys` of distinct edges among nodes of some communities, int64 [N]."""
    num_nodes = community.numel()
    order = torch.argsort(community, stable=True)
    weight = torch.rand(num_nodes, generator=rng, dtype=torch.float64).neg_().add_(1).pow_(-1 / TAIL)
    # Node order[i] takes the stretch up[i - 1]..up[i] of a line, and so each community has a stretch of its own.
    up = weight.cumsum(0)
    last = torch.bincount(community).cumsum(0)
    stop = torch.nn.functional.pad(up, (1, 0))[last]
    start = torch.nn.functional.pad(stop, (1, 0))[:-1]
    keys = torch.empty(0, dtype=torch.int64)
    while keys.numel() < count:
        pieces = [keys]
        for size in _pieces(count - keys.numel()):
            source = _at(up, torch.rand(size, generator=rng, dtype=torch.float64) * up[-1])
            place = torch.rand(size, generator=rng, dtype=torch.float64)
            inside = torch.rand(size, generator=rng) < INSIDE_SHARE
            own = community[order[source]]
            low, high = start[own].where(inside, 0), stop[own].where(inside, up[-1])
            ends = order[torch.stack((source, _at(up, low + place * (high - low))))]
            pieces.append(undirected_keys(ends[:, ends[0] != ends[1]], num_nodes))
        keys = distinct_keys(torch.cat(pieces))
    return keys


def _at(up: Tensor, place: Tensor) -> Tensor:
    """Whose stretch of the line a place is on, int64 as places."""
    return torch.searchsorted(up, place, right=True).clamp_(max=up.numel() - 1)


def _features(community: Tensor, width: int, rng: torch.Generator) -> Tensor:
    """float32 [N, width]: those of a node's community and noise, scaled to deviation 1."""
    centers = torch.randn(int(community.max()) + 1, width, generator=rng)
    features = torch.empty(community.numel(), width)
    rows = max(1, _PIECE // width)
    for part, own in zip(torch.split(features, rows), torch.split(community, rows), strict=True):
        part.normal_(generator=rng).mul_(NOISE).add_(centers[own]).div_((1 + NOISE**2) ** 0.5)
    return features


def _pieces(count: int) -> Iterator[int]:
    """Sizes that add up to `count`."""
    yield from [_PIECE] * (count // _PIECE)
    yield count % _PIECE


def write_shape(folder: Path, shape: Shape) -> None:
    """Writes the raw files of a graph of this shape into a folder that exists."""
    write_json(folder / "shape.json", dataclasses.asdict(shape))


def _read_shape(folder: Path) -> Shape:
    path = folder / "shape.json"
    found = read_json(path)
    names = [field.name for field in dataclasses.fields(Shape)]
    if not isinstance(found, dict) or sorted(found) != sorted(names) or any(type(n) is not int for n in found.values()):
        raise InputError(f"{path}: expected whole numbers {', '.join(names)}, found {found}. Run the stage download.")
    return Shape(**found)


def _dataset(name: str, model: str, shape: Shape) -> Dataset:
    def download(folder: Path, params: DataParams) -> None:  # noqa: ARG001 (one signature for every data set)
        write_shape(folder, shape)

    def load(folder: Path, params: DataParams) -> Loaded:  # noqa: ARG001
        asked = _read_shape(folder)
        try:
            return Loaded(shape_graph(name, **dataclasses.asdict(asked), rng=generator(0, "shape", name)), {})
        except ValueError as error:
            raise InputError(f"{folder / 'shape.json'}: {error}. Run the stage download again.") from None

    return Dataset(
        name=name,
        description=f"Made up, as large as {model}: nodes in communities, edges of heavy-tailed degrees mostly within "
        "them, features of the communities with noise",
        origin="drawn from a seed; nothing is downloaded",
        nodes=shape.num_nodes,
        edges=shape.num_edges,
        features=shape.num_features,
        new_node_share=0.1,
        test_share=0.1,
        download=download,
        load=load,
    )


SHAPES = (
    _dataset("collab-shape", "ogbl-collab", Shape(235_868, 967_632, 128)),
    _dataset("citation2-shape", "ogbl-citation2", Shape(2_927_963, 30_387_995, 128)),
)
