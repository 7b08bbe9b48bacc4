"""Splits of a graph's edges for the three settings, and the part of a split that training may see.

Transductive: all nodes are known, edges are held out. Production: some nodes and edges appear only at
inference. Cold start: production's split, but the new nodes have no edge at inference.

Nodes and edges are drawn by their ids (`llp_core.hashing`), so that in a graph that grows most of them keep their part;
or the latest edges are held out, and the nodes are new that have none before them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from llp_core.config import ProductionParams, SplitParams
from llp_core.errors import InputError
from llp_core.graph import pair_keys, select_rows, sort_keys
from llp_core.hashing import hash_order, node_hashes, pair_hashes
from llp_core.metrics import HITS_AT
from llp_core.names import Setting
from llp_core.sampling import PairSpace, generator, sample_negatives
from llp_core.types import Graph, LinkSplit, TrainingGraph


def make_split(graph: Graph, setting: Setting, params: SplitParams) -> LinkSplit:
    """Splits the edges of a graph.

    Args:
        graph: whole.
        setting: one of the three.
        params: seed and shares; those of production must be given.

    Raises:
        ValueError: the graph is too small or too dense to draw from.
    """
    rng = generator(params.seed, "split", "transductive" if setting == "transductive" else "production")
    if setting == "transductive":
        return _transductive(graph, params, rng)
    split = _production(graph, params, rng)
    return split if setting == "production" else _without_edges_at_new_nodes(split)


def reported_split(graph: Graph, setting: Setting, params: SplitParams) -> LinkSplit:
    """A split that figures can be reported on.

    Raises:
        InputError: the graph cannot be split so, or its figures would mean nothing.
    """
    try:
        split = make_split(graph, setting, params)
        require_enough_pairs(split, graph)
    except ValueError as error:
        raise InputError(f"data set {graph.name}, setting {setting}: it cannot be split. {error}.") from None
    return split


def require_enough_pairs(split: LinkSplit, graph: Graph, inner: bool = False) -> None:
    """Refuses a split whose figures would mean nothing: Hits@K needs K pairs without an edge, and edges.

    Args:
        split: of the whole graph, or an inner one, of what another leaves.
        graph: that it splits.
        inner: which of the two.

    Raises:
        ValueError: says which part is too small, and which shares decide its size; or that the graph is too dense.
    """
    section = "transductive" if split.setting == "transductive" else "production"
    parts = (
        ("valid edges", split.valid_edges, "valid_share", min(HITS_AT)),
        ("test edges", split.test_edges, "test_share", min(HITS_AT)),
        ("test pairs without an edge", split.test_negatives, "test_share", max(HITS_AT)),
    )
    for part, pairs, share, needed in parts:
        found = pairs.shape[1]
        if found < needed:
            new = (
                f", or by hash split.{section}.new_node_share"
                if (part, split.setting) == ("test edges", "cold_start")
                else ""
            )
            advice = (
                f"hold back less: lower the shares of split.{section}"
                if inner
                else f"raise split.{section}.{share}{new}"
            )
            raise ValueError(
                f"Hits@{min(HITS_AT)} to {max(HITS_AT)} need at least {needed} {part}; the split has {found}. "
                f"Take a larger graph, or {advice}"
            )
    known, edges = (~split.is_new).nonzero().flatten(), split.train_edges.shape[1]
    old, free = known.numel(), PairSpace.of(graph, split.train_edges).among(known).count - edges
    if free < edges:
        raise ValueError(
            f"training needs as many pairs without an edge as with one; of the {old} nodes that it may see {edges} "
            f"pairs have one and {free} have none. Take a graph with fewer edges"
        )


def training_graph(split: LinkSplit, graph: Graph) -> TrainingGraph:
    """The part of a split, and of the graph that it splits, that training may see.

    A new node has neither an id nor a row of features in it. Where no node is new, the features are not copied.
    """
    nodes = (~split.is_new).nonzero().flatten()
    position = torch.full((split.num_nodes,), -1, dtype=torch.int64)
    position[nodes] = torch.arange(nodes.numel())
    return TrainingGraph(
        nodes=nodes,
        features=select_rows(graph.features, nodes) if nodes.numel() < split.num_nodes else graph.features,
        edges=position[split.train_edges],
        valid_edges=position[split.valid_edges],
        valid_negatives=position[split.valid_negatives],
        node_type=None if graph.node_type is None else graph.node_type[nodes],
    )


class _Parts(NamedTuple):
    """Which nodes are new, bool [N], and the parts of the edges in production, int64 [2, E]."""

    is_new: Tensor
    train: Tensor
    valid: Tensor
    inference: Tensor
    test: Tensor


def _transductive(graph: Graph, params: SplitParams, rng: torch.Generator) -> LinkSplit:
    shares = params.transductive
    if params.by == "time":
        test, valid, train = _latest_first(graph, (shares.test_share, shares.valid_share), rng)
    else:
        both = (shares.valid_share, shares.test_share)
        valid, test, train = _partition(graph.edges, both, node_hashes(graph.node_ids), rng)
    known, space = sort_keys(pair_keys(graph.edges, graph.num_nodes)), PairSpace.of(graph)
    valid_count = _valid_negatives(valid.shape[1], space.count - known.numel() - test.shape[1])
    negatives = sample_negatives(known, space, valid_count + test.shape[1], rng)
    return LinkSplit(
        setting="transductive",
        is_new=torch.zeros(graph.num_nodes, dtype=torch.bool),
        train_edges=train,
        valid_edges=valid,
        valid_negatives=negatives[:, :valid_count],
        inference_edges=train.clone(),
        test_edges=test,
        test_negatives=negatives[:, valid_count:],
    )


def _by_hash(graph: Graph, params: ProductionParams, rng: torch.Generator) -> _Parts:
    """New nodes, and a share of each kind of edge, at random."""
    if params.new_node_share is None or params.test_share is None:
        raise ValueError("split.production: new_node_share and test_share must be given for this data set")
    hashes = node_hashes(graph.node_ids)
    new = hash_order(hashes, rng)[: int(params.new_node_share * graph.num_nodes)]
    is_new = torch.zeros(graph.num_nodes, dtype=torch.bool)
    is_new[new] = True
    new_ends = is_new[graph.edges].sum(0)
    share = params.test_share
    shares = (share, params.valid_share, params.extra_share)
    test, valid, extra, train = _partition(graph.edges[:, new_ends == 0], shares, hashes, rng)
    test_old_new, old_new = _partition(graph.edges[:, new_ends == 1], (share,), hashes, rng)
    test_new_new, new_new = _partition(graph.edges[:, new_ends == 2], (share,), hashes, rng)
    tests = torch.cat((test, test_old_new, test_new_new), dim=1)
    return _Parts(is_new, train, valid, torch.cat((train, extra, old_new, new_new), dim=1), tests)


def _by_time(graph: Graph, params: ProductionParams, rng: torch.Generator) -> _Parts:
    """The latest edges test, those before them are known at inference, and new nodes have none before those."""
    if params.test_share is None:
        raise ValueError("split.production: test_share must be given for this data set")
    shares = (params.test_share, params.extra_share, params.valid_share)
    test, extra, valid, train = _latest_first(graph, shares, rng)
    is_new, trained_on = torch.zeros(2, graph.num_nodes, dtype=torch.bool)
    is_new[graph.edges] = True
    trained_on[torch.cat((valid, train), dim=1)] = True
    is_new &= ~trained_on
    if not bool(is_new.any()):
        raise ValueError(
            "split.by is time, but no node has its first edge among the latest edges, so none is new. Raise "
            "split.production.test_share or extra_share, or set split.by to hash"
        )
    return _Parts(is_new, train, valid, torch.cat((train, extra), dim=1), test)


def _production(graph: Graph, params: SplitParams, rng: torch.Generator) -> LinkSplit:
    num_nodes = graph.num_nodes
    parts = (_by_time if params.by == "time" else _by_hash)(graph, params.production, rng)
    is_new, tests, valid = parts.is_new, parts.test, parts.valid
    known, space = sort_keys(pair_keys(graph.edges, num_nodes)), PairSpace.of(graph)
    test_negatives = sample_negatives(known, space, tests.shape[1], rng)
    # Validation negatives lie among the old nodes: draw them there, in the old nodes' own numbering.
    old = (~is_new).nonzero().flatten()
    position = torch.zeros(num_nodes, dtype=torch.int64)
    position[old] = torch.arange(old.numel())
    taken = torch.cat((graph.edges, test_negatives), dim=1)
    taken = position[taken[:, ~is_new[taken].any(0)]]
    known, space = sort_keys(pair_keys(taken, old.numel())), space.among(old)
    valid_count = _valid_negatives(valid.shape[1], space.count - known.numel())
    valid_negatives = sample_negatives(known, space, valid_count, rng)
    return LinkSplit(
        setting="production",
        is_new=is_new,
        train_edges=parts.train,
        valid_edges=valid,
        valid_negatives=old[valid_negatives],
        inference_edges=parts.inference,
        test_edges=tests,
        test_negatives=test_negatives,
    )


def _without_edges_at_new_nodes(split: LinkSplit) -> LinkSplit:
    """Cold start: messages pass among old nodes only, and the test edges are those that touch a new node."""
    known = ~split.is_new[split.inference_edges].any(0)
    touching = split.is_new[split.test_edges].any(0)
    return LinkSplit(
        setting="cold_start",
        is_new=split.is_new,
        train_edges=split.train_edges,
        valid_edges=split.valid_edges,
        valid_negatives=split.valid_negatives,
        inference_edges=split.inference_edges[:, known],
        test_edges=split.test_edges[:, touching],
        test_negatives=split.test_negatives,
    )


def _partition(edges: Tensor, shares: tuple[float, ...], hashes: Tensor, rng: torch.Generator) -> list[Tensor]:
    """Random disjoint parts of int64 [2, E] of the given shares, rounded down; then what is left."""
    return _cut(edges, shares, hash_order(pair_hashes(hashes, edges), rng))


def _latest_first(graph: Graph, shares: tuple[float, ...], rng: torch.Generator) -> list[Tensor]:
    """Disjoint parts of a graph's edges, the latest first, of the given shares; of the same time by their hashes."""
    if graph.edge_time is None:
        raise ValueError(
            "split.by is time, but the edges have none. Name their column in data.files.time, or set split.by to hash"
        )
    order = hash_order(pair_hashes(node_hashes(graph.node_ids), graph.edges), rng)
    return _cut(graph.edges, shares, order[graph.edge_time[order].argsort(descending=True, stable=True)])


def _cut(edges: Tensor, shares: tuple[float, ...], order: Tensor) -> list[Tensor]:
    sizes = [int(share * edges.shape[1]) for share in shares]
    return [edges[:, part] for part in torch.split(order, [*sizes, edges.shape[1] - sum(sizes)])]


def _valid_negatives(positives: int, possible: int) -> int:
    """How many pairs without an edge validation ranks against: ten for each edge while that is not many.

    Args:
        positives: validation edges.
        possible: pairs that could be drawn.
    """
    return min(10 * positives, max(positives, 10_000), max(positives, possible // 2))
