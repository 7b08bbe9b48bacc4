"""What messages pass over: a binary adjacency as CSR, and sums over neighbours."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from llp_core.graph import csr


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
