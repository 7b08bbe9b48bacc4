"""Node features as the first layer takes them: dense, or sparse and never made dense."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from llp_core.graph import row_span, select_rows, sparse_product
from llp_core.models.dropout import Dropout

_SPARSE_BYTES = 12
"""Of one entry: a float32 and an int64 column."""


@dataclass(frozen=True, eq=False)
class NodeFeatures:
    """Features of N nodes on a device, ready to be multiplied.

    Attributes:
        matrix: [N, F], strided or `sparse_csr`; float32, or bfloat16 where thinned for products of that precision.
    """

    matrix: Tensor

    @classmethod
    def of(cls, matrix: Tensor, device: torch.device | str = "cpu") -> Self:
        """Takes features [N, F] to a device; as a dense matrix where that needs no more memory than a sparse one."""
        if matrix.layout == torch.sparse_csr and matrix.values().numel() * _SPARSE_BYTES > matrix.numel() * 4:
            matrix = matrix.to_dense()
        return cls(matrix.to(device))

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.matrix.shape[0]

    @property
    def width(self) -> int:
        """F."""
        return self.matrix.shape[1]

    def rows(self, nodes: Tensor) -> Self:
        """The features of some nodes, int64 [M], for inference: no gradient passes."""
        return type(self)(select_rows(self.matrix, nodes))

    def span(self, start: int, count: int) -> Self:
        """The features of some nodes side by side, without a copy; all of them are the same object."""
        if count == self.num_nodes:
            return self
        if self.matrix.layout == torch.strided:
            return type(self)(self.matrix[start : start + count])
        return type(self)(row_span(self.matrix, start, count))

    def column_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each column over the nodes, float32 [F] each."""
        if self.matrix.layout == torch.strided:
            deviation, mean = torch.std_mean(self.matrix, dim=0, correction=0)
            return mean, deviation
        columns, values = self.matrix.col_indices(), self.matrix.values().double()
        sums = torch.zeros(2, self.width, dtype=torch.float64, device=values.device)
        mean, square = sums.index_add_(1, columns, torch.stack((values, values.square()))) / self.num_nodes
        return mean.float(), (square - mean.square()).clamp(min=0).sqrt().float()

    def times(self, weight: Tensor) -> Tensor:
        """[N, H]: the product with float32 [F, H], in float32 or under autocast in bfloat16."""
        reduced = torch.is_autocast_enabled(self.matrix.device.type)
        if self.matrix.layout == torch.strided:
            return (self._bfloat16 if reduced else self.matrix) @ weight
        if not torch.is_grad_enabled():
            return sparse_product(self.matrix, weight)
        product: Tensor = _SparseProduct.apply(self.matrix, self._transposed, weight, reduced)  # type: ignore[no-untyped-call]
        return product

    def thinned(self, dropout: Dropout, precision: torch.dtype = torch.float32) -> Self:
        """The features with some of their entries dropped, for products of a precision; the same where none are."""
        if not dropout.dropping:
            return self
        if self.matrix.layout == torch.strided:
            return type(self)(dropout(self._bfloat16 if precision == torch.bfloat16 else self.matrix))
        values = dropout(self.matrix.values())
        thinned = type(self)(_with_values(self.matrix, values))
        thinned.__dict__["_transposed"] = _with_values(self._transposed, values[self._order])
        return thinned

    @cached_property
    def _order(self) -> Tensor:
        """int64 [entries]: where each entry of the transposed matrix stands in the matrix."""
        return self.matrix.col_indices().argsort(stable=True)

    @cached_property
    def _bfloat16(self) -> Tensor:
        """Rounded once, and not anew in each product."""
        return self.matrix.bfloat16()

    @cached_property
    def _transposed(self) -> Tensor:
        """`sparse_csr` [F, N], for the gradient."""
        return self.matrix.t().to_sparse_csr()


def _with_values(matrix: Tensor, values: Tensor) -> Tensor:
    crow, columns = matrix.crow_indices(), matrix.col_indices()
    return torch.sparse_csr_tensor(crow, columns, values, size=matrix.shape, check_invariants=False)


class _SparseProduct(torch.autograd.Function):
    """matrix @ weight with the transposed matrix at hand, which autograd would make anew each time."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, weight: Tensor, reduced: bool) -> Tensor:
        ctx.transposed = transposed
        return sparse_product(matrix, weight.bfloat16() if reduced else weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor, None]:
        return None, None, sparse_product(ctx.transposed, gradient.contiguous()).float(), None
