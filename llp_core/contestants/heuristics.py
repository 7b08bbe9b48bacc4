"""What a user might do with no model at all: look at the nodes that both ends of a pair are linked to."""

import torch
from torch import Tensor

from llp_core.graph import CSR

_PAIRS_AT_ONCE = 1 << 14
"""Pairs that are scored at once offline, which bounds memory."""


class CommonNeighbors:
    """The sum of a weight over the common neighbours of a pair; a `Scorer`.

    The neighbours of the end that has fewer are looked up among those of the other, all pairs at once. A look-up is a
    binary search for (node, neighbour) among all entries of the adjacency, which takes 8 bytes an entry.

    Args:
        graph: neighbours of every node.
        weight: float32 [N], what each common neighbour adds.
    """

    def __init__(self, graph: CSR, weight: Tensor) -> None:
        self.graph = graph
        self.weight = weight
        self._nodes = graph.offsets.numel() - 1
        rows = torch.arange(self._nodes, device=weight.device).repeat_interleave(graph.degree)
        self._entries = rows * self._nodes + graph.neighbors

    @classmethod
    def counted(cls, graph: CSR) -> "CommonNeighbors":
        """The number of common neighbours: each adds 1."""
        return cls(graph, torch.ones(graph.offsets.numel() - 1, device=graph.offsets.device))

    @classmethod
    def by_resources(cls, graph: CSR) -> "CommonNeighbors":
        """Resource allocation: each adds 1 over its degree (arXiv 0901.0553)."""
        return cls(graph, 1 / graph.degree.clamp(min=1))

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        offsets = self.graph.offsets
        starts = offsets[pairs]
        counts = offsets[pairs + 1] - starts
        turned = counts[0] > counts[1]
        starts = torch.where(turned, starts[1], starts[0])
        counts = torch.where(turned, counts[1], counts[0])
        others = torch.where(turned, pairs[0], pairs[1])
        owner = torch.arange(len(counts), device=pairs.device).repeat_interleave(counts)
        ends = counts.cumsum(0)
        place = torch.arange(owner.numel(), device=pairs.device)
        found = self.graph.neighbors[place + (starts - ends + counts)[owner]]
        keys = others[owner] * self._nodes + found
        at = torch.searchsorted(self._entries, keys).clamp_(max=max(self._entries.numel() - 1, 0))
        common = self._entries[at] == keys
        scores = torch.zeros(len(counts), device=pairs.device)
        return scores.index_add_(0, owner, self.weight[found] * common)

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`; there is nothing to encode."""
        return torch.cat([self.online(chunk) for chunk in torch.split(pairs, _PAIRS_AT_ONCE, dim=1)])
