"""What a graph neural network needs to answer about a few nodes: their neighbourhood, gathered from a CSR."""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

from llp_core.graph import CSR


class Neighborhood(NamedTuple):
    """The part of a graph that decides the representations of some seeds, in the blocks an encoder needs.

    Layer l of L computes the nodes at most L - l hops from a seed (l from 1) out of those one hop further.
    Fed with the features of `nodes`, it gives the seeds exactly what it gives them on the whole graph,
    provided that a layer which weighs an edge by degrees (GCN) takes them from `degree`.

    Attributes:
        nodes: int64 [M], ids in the whole graph: the seeds in the order given, then nodes one hop away, and so on.
        blocks: for each layer, the neighbours of the nodes it computes, which come first in `nodes`, in local
            ids: positions in `nodes`.
        degree: int64 [M], in the whole graph.
        within: `within[k]` counts the nodes at most k hops away, which come first; length L + 1.
    """

    nodes: Tensor
    blocks: tuple[CSR, ...]
    degree: Tensor
    within: tuple[int, ...]


def neighborhood(seeds: Tensor, layers: int, graph: CSR) -> Neighborhood:
    """Gathers the neighbourhood of distinct nodes, on their device; vectorised, one pass a hop.

    Args:
        seeds: int64 [S], distinct.
        layers: of the encoder, at least 1.
        graph: neighbours of every node.
    """
    local = torch.full((graph.offsets.numel() - 1,), -1, dtype=torch.int32, device=seeds.device)
    local[seeds] = torch.arange(seeds.numel(), dtype=torch.int32, device=seeds.device)
    nodes, met, within = [seeds], [], [seeds.numel()]
    for _ in range(layers):
        met.append(_neighbors_of(nodes[-1], graph))
        fresh = torch.unique(met[-1][local[met[-1]] < 0])
        within.append(within[-1] + fresh.numel())
        local[fresh] = torch.arange(*within[-2:], dtype=torch.int32, device=seeds.device)
        nodes.append(fresh)
    gathered = torch.cat(nodes)
    degree = _degree_of(gathered, graph)
    offsets = torch.nn.functional.pad(degree[: within[-2]].cumsum(0), (1, 0))
    neighbors = local[torch.cat(met)].long()
    lengths = itertools.accumulate(part.numel() for part in met)
    blocks = [CSR(offsets[: rows + 1], neighbors[:length]) for rows, length in zip(within, lengths, strict=False)]
    return Neighborhood(gathered, tuple(reversed(blocks)), degree, tuple(within))


def _degree_of(nodes: Tensor, graph: CSR) -> Tensor:
    """int64 [M]: read for these nodes alone, so that the work does not grow with the graph."""
    return graph.offsets[nodes + 1] - graph.offsets[nodes]


def _neighbors_of(nodes: Tensor, graph: CSR) -> Tensor:
    """int64: the neighbours of each of `nodes`, one node's after the other's."""
    counts = _degree_of(nodes, graph)
    ends = counts.cumsum(0)
    starts = (graph.offsets[nodes] - (ends - counts)).repeat_interleave(counts)
    return graph.neighbors[starts + torch.arange(starts.numel(), device=nodes.device)]
