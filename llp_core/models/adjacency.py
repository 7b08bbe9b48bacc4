"""What messages pass over: a binary adjacency as CSR, and sums over neighbours."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from llp_core.graph import csr, pair_keys


@dataclass(frozen=True, eq=False)
class Adjacency:
    """The neighbours of M nodes among N nodes, M <= N; the M come first. M = N for a whole graph.

    Attributes:
        matrix: `sparse_csr` float32 [M, N] of ones.
        degree: float32 [N], of every node in the whole graph.
    """

    matrix: Tensor
    degree: Tensor

    @classmethod
    def from_edges(cls, edges: Tensor, num_nodes: int, device: torch.device | str = "cpu") -> Self:
        """The whole graph of undirected edges, int64 [2, E], each given once."""
        neighbors = csr(edges, num_nodes)
        return cls.from_csr(neighbors.offsets, neighbors.neighbors, neighbors.degree, device)

    @classmethod
    def from_csr(cls, offsets: Tensor, neighbors: Tensor, degree: Tensor, device: torch.device | str = "cpu") -> Self:
        """Neighbour lists of the first M of N nodes: int64 [M + 1], int64 [sum of degrees], int64 [N]."""
        matrix = torch.sparse_csr_tensor(
            offsets,
            neighbors,
            torch.ones(neighbors.numel(), device=neighbors.device),
            size=(offsets.numel() - 1, degree.numel()),
            check_invariants=False,
        )
        return cls(matrix.to(device), degree.float().to(device))

    def sum_neighbors(self, values: Tensor) -> Tensor:
        """float32 [M, D]: the sum over each node's neighbours of float32 [N, D]."""
        if not values.requires_grad:
            return self.matrix @ values
        summed: Tensor = _SymmetricProduct.apply(self.matrix, values)  # type: ignore[no-untyped-call]
        return summed


class _SymmetricProduct(torch.autograd.Function):
    """matrix @ values for a symmetric matrix, whose gradient needs no transposed copy."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, values: Tensor) -> Tensor:
        ctx.matrix = matrix
        with torch.autocast(values.device.type, enabled=False):
            return matrix @ values.float()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, ctx.matrix @ gradient.contiguous()


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
        self.whole = Adjacency.from_edges(edges, num_nodes, device)
        self._graph = csr(edges, num_nodes)
        self._device = device
        both = torch.cat((edges, edges.flip(0)), dim=1)
        self._edge = pair_keys(both, num_nodes).argsort() % edges.shape[1]
        """int64 [2E]: the edge that each entry of the neighbour lists stands for."""

    def without(self, edges: Tensor) -> Adjacency:
        """The graph without some of its edges, int64 [B] as they are numbered."""
        kept = torch.ones(self._edge.numel() // 2, dtype=torch.bool)
        kept[edges] = False
        kept = kept[self._edge]
        offsets = torch.nn.functional.pad(kept.cumsum(0), (1, 0))[self._graph.offsets]
        return Adjacency.from_csr(offsets, self._graph.neighbors[kept], offsets.diff(), self._device)
