"""What a graph neural network needs to answer about a few nodes: their neighbourhood, gathered from a CSR.

All of it, or a sample: so many neighbours of each node (after GraphSAGE, arXiv 1706.02216). A node that several hops
reach is sampled once, and its sample serves every layer.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from llp_core.graph import CSR, distinct


class Neighborhood(NamedTuple):
    """The part of a graph that decides the representations of some seeds, in the blocks an encoder needs.

    Layer l of L computes the nodes at most L - l hops from a seed (l from 1) out of those one hop further.
    Fed with the features of `nodes`, it gives the seeds exactly what it gives them on the whole graph,
    provided that a layer which weighs an edge by degrees (GCN) takes them from `degree`. Of a sample it gives an
    estimate, provided that a row's sum is scaled up from the neighbours drawn to all of them:
    `llp_core.models.block_adjacencies` does both.

    Attributes:
        nodes: int64 [M], ids in the whole graph: the seeds in the order given, then nodes one hop away, and so on.
        blocks: for each layer, the neighbours of the nodes it computes, which come first in `nodes`, in local
            ids: positions in `nodes`.
        degree: int64 [M], in the whole graph, without hidden edges.
        within: `within[k]` counts the nodes at most k hops away, which come first; length L + 1.
    """

    nodes: Tensor
    blocks: tuple[CSR, ...]
    degree: Tensor
    within: tuple[int, ...]


class Hidden(NamedTuple):
    """Edges that carry no message.

    Attributes:
        entry: bool [2E], the entries of the neighbour lists that stand for them, in both directions.
        per_node: int64 [N], how many each node has.
    """

    entry: Tensor
    per_node: Tensor


def neighborhood(
    seeds: Tensor,
    layers: int,
    graph: CSR,
    fanouts: Sequence[int] | None = None,
    rng: torch.Generator | None = None,
    replace: bool = False,
    hidden: Hidden | None = None,
) -> Neighborhood:
    """Gathers the neighbourhood of distinct nodes, on their device; vectorised, one pass a hop.

    Args:
        seeds: int64 [S], distinct.
        layers: of the encoder, at least 1.
        graph: neighbours of every node.
        fanouts: most neighbours drawn of each node, hop by hop from the seeds outwards, one a layer; uniform. Without
            them, all neighbours.
        rng: of the draws, on any device; needed with `fanouts`.
        replace: whether a neighbour may be drawn twice. If so, each node with neighbours draws exactly its fanout;
            if not, one with no more neighbours than that gives all of them.
        hidden: edges that are left out, after the draw: a node may keep fewer neighbours than its fanout.

    Raises:
        ValueError: there are not as many fanouts as layers, one is less than 1, or there is no `rng` for them.
    """
    if fanouts is not None and (len(fanouts) != layers or min(fanouts) < 1 or rng is None):
        raise ValueError(f"fanouts: one of at least 1 for each of {layers} layers and an rng are needed: {fanouts}")
    num_nodes = graph.offsets.numel() - 1
    local = torch.full((num_nodes,), -1, dtype=torch.int32, device=seeds.device)
    local[seeds] = torch.arange(seeds.numel(), dtype=torch.int32, device=seeds.device)
    nodes, met, counts, within = [seeds], [], [], [seeds.numel()]
    for hop in range(layers):
        if fanouts is None or rng is None:
            entries, count = _all_entries(nodes[-1], graph)
        else:
            entries, count = _drawn_entries(nodes[-1], graph, fanouts[hop], rng, replace)
        if hidden is not None:
            entries, count = _visible(entries, count, hidden)
        met.append(graph.neighbors[entries])
        counts.append(count)
        fresh = distinct(met[-1][local[met[-1]] < 0], num_nodes)
        within.append(within[-1] + fresh.numel())
        local[fresh] = torch.arange(*within[-2:], dtype=torch.int32, device=seeds.device)
        nodes.append(fresh)
    gathered = torch.cat(nodes)
    offsets = torch.nn.functional.pad(torch.cat(counts).cumsum(0), (1, 0))
    neighbors = local[torch.cat(met)].long()
    lengths = itertools.accumulate(part.numel() for part in met)
    blocks = [CSR(offsets[: rows + 1], neighbors[:length]) for rows, length in zip(within, lengths, strict=False)]
    degree = _degree_of(gathered, graph)
    degree = degree if hidden is None else degree - hidden.per_node[gathered]
    return Neighborhood(gathered, tuple(reversed(blocks)), degree, tuple(within))


def _degree_of(nodes: Tensor, graph: CSR) -> Tensor:
    """int64 [M]: read for these nodes alone, so that the work does not grow with the graph."""
    return graph.offsets[nodes + 1] - graph.offsets[nodes]


def _all_entries(nodes: Tensor, graph: CSR) -> tuple[Tensor, Tensor]:
    """Where the neighbours of each of `nodes` stand in the lists, one node's after the other's; how many of each."""
    counts = _degree_of(nodes, graph)
    return _ranges(graph.offsets[nodes], counts), counts


def _drawn_entries(
    nodes: Tensor, graph: CSR, fanout: int, rng: torch.Generator, replace: bool
) -> tuple[Tensor, Tensor]:
    """As `_all_entries`, at most `fanout` of each node."""
    degree = _degree_of(nodes, graph)
    crowded = (degree > (0 if replace else fanout)).nonzero().flatten()
    counts = degree.index_fill(0, crowded, fanout)
    entries = _ranges(graph.offsets[nodes], counts)
    slots = (counts.cumsum(0) - counts)[crowded] + torch.arange(fanout, device=nodes.device)[:, None]
    draw = _draw_with_replacement if replace else _draw_without_replacement
    entries[slots] = graph.offsets[nodes[crowded]] + draw(degree[crowded], fanout, rng)
    return entries, counts


def _draw_with_replacement(sizes: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """int64 [count, M]: uniform numbers from 0 to below each of int64 [M]."""
    return (_uniform(count, sizes, rng) * sizes).long()


def _draw_without_replacement(sizes: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """As `_draw_with_replacement`, none twice in a column, every set as likely as any other.

    Floyd's algorithm for all columns at once: the i-th draw is from 0 up to and with size - count + i, and one that is
    there already is replaced by that bound, which cannot be there. What it costs does not grow with the sizes.
    """
    bound = (sizes - count + torch.arange(count, device=sizes.device)[:, None]).int()
    drawn = (_uniform(count, sizes, rng) * (bound + 1)).int()
    for number in range(1, count):
        repeated = (drawn[:number] == drawn[number]).any(0)
        drawn[number] = torch.where(repeated, bound[number], drawn[number])
    return drawn.long()


def _uniform(count: int, like: Tensor, rng: torch.Generator) -> Tensor:
    shape = (count, like.numel())
    return torch.rand(shape, generator=rng, dtype=torch.float64, device=rng.device).to(like.device)


def _visible(entries: Tensor, counts: Tensor, hidden: Hidden) -> tuple[Tensor, Tensor]:
    kept = ~hidden.entry[entries]
    offsets = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    return entries[kept], torch.nn.functional.pad(kept.cumsum(0), (1, 0))[offsets].diff()


def _ranges(starts: Tensor, counts: Tensor) -> Tensor:
    """int64: the whole numbers from each start on, as many as its count, one range after the other."""
    ends = counts.cumsum(0)
    firsts = (starts - (ends - counts)).repeat_interleave(counts)
    return firsts + torch.arange(firsts.numel(), device=starts.device)
