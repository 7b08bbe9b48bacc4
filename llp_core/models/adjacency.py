"""What messages pass over: an adjacency as CSR, whole or in parts, and sums over neighbours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from llp_core.graph import csr, pair_keys, row_span, sparse_product
from llp_core.neighborhood import Hidden, Neighborhood, neighborhood

ROWS_MULTIPLE = 4096
"""Of the nodes that a step of training encodes where it does not encode all. oneDNN keeps a program of tens of MB for
each number of rows that a bfloat16 product ever had, and every step has another one."""


@dataclass(frozen=True, eq=False)
class Adjacency:
    """The neighbours of M nodes among N nodes, M <= N.

    Attributes:
        matrix: `sparse_csr` float32 [M, N] of ones; where neighbours were sampled, a row holds what scales their sum
            up to all of the node's neighbours.
        degree: float32 [N], of every node in the whole graph.
        symmetric: whether this is a whole graph, each edge in both directions.
        start: which of the N nodes is the first of the M, which lie side by side.
    """

    matrix: Tensor
    degree: Tensor
    symmetric: bool
    start: int = 0

    @classmethod
    def from_edges(cls, edges: Tensor, num_nodes: int, device: torch.device | str = "cpu") -> Self:
        """The whole graph of undirected edges, int64 [2, E], each given once."""
        neighbors = csr(edges, num_nodes)
        return cls.from_csr(neighbors.offsets, neighbors.neighbors, neighbors.degree, device)

    @classmethod
    def from_csr(
        cls,
        offsets: Tensor,
        neighbors: Tensor,
        degree: Tensor,
        device: torch.device | str = "cpu",
        values: Tensor | None = None,
    ) -> Self:
        """Neighbour lists of the first M of N nodes: int64 [M + 1], int64 [sum of degrees], int64 [N].

        `values`, float32 [sum of degrees], stand in place of ones where neighbours were sampled.
        """
        rows, nodes = offsets.numel() - 1, degree.numel()
        matrix = torch.sparse_csr_tensor(
            offsets,
            neighbors,
            torch.ones(neighbors.numel(), device=neighbors.device) if values is None else values,
            size=(rows, nodes),
            check_invariants=False,
        )
        return cls(matrix.to(device), degree.float().to(device), symmetric=values is None and rows == nodes)

    @property
    def num_rows(self) -> int:
        """M."""
        return self.matrix.shape[0]

    @property
    def own_degree(self) -> Tensor:
        """float32 [M, 1]: the degree of each of the M nodes."""
        return self.degree[self.start : self.start + self.num_rows, None]

    def parts(self, size: int) -> Iterator[Self]:
        """A whole graph, the neighbours of at most `size` nodes at a time."""
        for start in range(0, self.num_rows, size):
            yield type(self)(row_span(self.matrix, start, size), self.degree, symmetric=False, start=start)

    def sum_neighbors(self, values: Tensor) -> Tensor:
        """[M, D]: the sum over each node's neighbours of values [N, D], float32 or bfloat16, in the same dtype."""
        if not values.requires_grad:
            return sparse_product(self.matrix, values)
        summed: Tensor = _Product.apply(self, values)  # type: ignore[no-untyped-call]
        return summed

    @cached_property
    def transposed(self) -> Tensor:
        """`sparse_csr` [N, M], for the gradient; of a whole graph the matrix itself."""
        return self.matrix if self.symmetric else self.matrix.t().to_sparse_csr()


class _Product(torch.autograd.Function):
    """matrix @ values, whose gradient needs no transposed copy of a symmetric matrix."""

    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, values: Tensor) -> Tensor:
        ctx.adjacency = adjacency
        return sparse_product(adjacency.matrix, values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, sparse_product(ctx.adjacency.transposed, gradient.contiguous())


def block_adjacencies(part: Neighborhood, device: torch.device | str = "cpu", multiple: int = 1) -> list[Adjacency]:
    """The adjacency of each layer on a neighbourhood, for features of `part.nodes`.

    A row's entries are its degree over the neighbours it has here: 1 where all were gathered. So a mean over
    neighbours is one over those drawn, and a sum is scaled up to all of them.

    Args:
        part: gathered with or without fanouts.
        device: where the adjacencies go.
        multiple: each layer computes a multiple of so many nodes, as far as there are nodes: those beyond its own have
            no neighbours here, and no later layer looks at them.
    """
    adjacencies = []
    seen = part.within[-1]
    for block in part.blocks:
        counts = block.offsets.diff()
        values = (part.degree[: counts.numel()].float() / counts).repeat_interleave(counts)
        rows = min(-(-counts.numel() // multiple) * multiple, seen)
        offsets = torch.cat((block.offsets, block.offsets[-1:].expand(rows - counts.numel())))
        adjacencies.append(Adjacency.from_csr(offsets, block.neighbors, part.degree[:seen], device, values))
        seen = rows
    return adjacencies


class TrainingAdjacency:
    """The graph that messages pass over in training, whole or without the edges that a step predicts.

    A model that predicts an edge while messages pass over it learns to look for that message, which is never there
    for an edge that it has not seen.

    Args:
        edges: int64 [2, E], each undirected edge once.
        num_nodes: N.
        device: where the adjacency goes.
    """

    def __init__(self, edges: Tensor, num_nodes: int, device: torch.device) -> None:
        self._graph = csr(edges, num_nodes)
        self.whole = Adjacency.from_csr(*self._graph, self._graph.degree, device)
        self._device = device
        self._edges = edges
        both = torch.cat((edges, edges.flip(0)), dim=1)
        self._order = torch.from_numpy(np.argsort(pair_keys(both, num_nodes).numpy()))
        """int64 [2E]: which of the edges, then of the edges turned round, each entry of the neighbour lists is."""

    def without(self, edges: Tensor) -> Adjacency:
        """The graph without some of its edges, int64 [B] as they are numbered."""
        kept = torch.ones(self._order.numel(), dtype=torch.bool)
        kept[edges] = kept[edges + self._edges.shape[1]] = False
        kept = kept[self._order]
        offsets = torch.nn.functional.pad(kept.cumsum(0), (1, 0))[self._graph.offsets]
        return Adjacency.from_csr(offsets, self._graph.neighbors[kept], offsets.diff(), self._device)

    def sampled(
        self, seeds: Tensor, hidden: Tensor | None, fanouts: Sequence[int], rng: torch.Generator
    ) -> tuple[Tensor, list[Adjacency]]:
        """A sample of what decides the representations of some nodes; of the graph's size it costs a mark a node.

        Args:
            seeds: int64 [S], distinct, on the CPU.
            hidden: int64 [B], the edges that carry no message, as they are numbered; None for none.
            fanouts: most neighbours of a node, from the seeds outwards, one a layer.
            rng: CPU generator of the draws.

        Returns:
            The nodes whose features are needed, int64 [M], the seeds first, and an adjacency for each layer, the last
            one of the seeds and maybe others after them (`ROWS_MULTIPLE`).
        """
        if hidden is None:
            part = neighborhood(seeds, len(fanouts), self._graph, fanouts, rng)
        else:
            ends = self._edges[:, hidden].flatten()
            entries = self._entry[torch.cat((hidden, hidden + self._edges.shape[1]))]
            marks = self._hidden
            marks.entry[entries] = True
            marks.per_node.index_add_(0, ends, torch.ones_like(ends))
            part = neighborhood(seeds, len(fanouts), self._graph, fanouts, rng, hidden=marks)
            # The marks serve every step: to make them anew would take as long as the graph.
            marks.entry[entries] = False
            marks.per_node[ends] = 0
        return part.nodes, block_adjacencies(part, self._device, ROWS_MULTIPLE)

    @cached_property
    def _entry(self) -> Tensor:
        """int64 [2E]: where in the neighbour lists each edge stands, and then each turned round."""
        return torch.empty_like(self._order).index_copy_(0, self._order, torch.arange(self._order.numel()))

    @cached_property
    def _hidden(self) -> Hidden:
        """Marks of the hidden edges; none between two calls."""
        nodes = self._graph.offsets.numel() - 1
        return Hidden(torch.zeros(self._order.numel(), dtype=torch.bool), torch.zeros(nodes, dtype=torch.int64))
