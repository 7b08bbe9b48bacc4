"""Layers of the encoders and the decoder. Their weights are [in, out], as a sparse product needs them."""

import torch
from torch import Tensor, nn

from llp_core.models.adjacency import Adjacency
from llp_core.models.features import NodeFeatures


class Linear(nn.Module):
    """x W + b for dense values or `NodeFeatures`. Weights start uniform in +-1/sqrt(in), as PyTorch's do.

    Args:
        width_in, width_out: columns of x and of the result.
        bias: whether there is a b.
    """

    def __init__(self, width_in: int, width_out: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width_in, width_out))
        self.bias = nn.Parameter(torch.empty(width_out)) if bias else None

    def reset(self, rng: torch.Generator) -> None:
        """Draws the weights anew."""
        bound = self.weight.shape[0] ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=rng)

    def forward(self, x: Tensor | NodeFeatures) -> Tensor:
        """float32 [..., out] of float32 [..., in] or of features [N, in]."""
        if isinstance(x, Tensor):
            return nn.functional.linear(x, self.weight.T, self.bias)
        product = x.times(self.weight)
        return product if self.bias is None else product + self.bias


class SAGELayer(nn.Module):
    """GraphSAGE with the mean over neighbours: W_n mean(x_j) + W_s x_i + b (arXiv 1706.02216).

    The mean is taken after the linear map, which gives the same result and keeps wide sparse features out of
    it. A node without neighbours has mean 0.

    Args:
        width_in, width_out: columns of x and of the result.
    """

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.neighbor = Linear(width_in, width_out, bias=False)
        self.own = Linear(width_in, width_out)

    def forward(self, x: Tensor | NodeFeatures, adjacency: Adjacency) -> Tensor:
        """float32 [M, out] of the M nodes with neighbour lists, out of [N, in] of all N."""
        count = adjacency.matrix.shape[0]
        own: Tensor = self.own(x.first(count) if isinstance(x, NodeFeatures) else x[:count])
        mean = adjacency.sum_neighbors(self.neighbor(x)) / adjacency.degree[:count, None].clamp(min=1)
        return mean + own

    def among_its_like(self) -> tuple[Tensor, Tensor]:
        """Weight [in, out] and bias [out] of the linear map that this is for a node whose neighbours are as it is."""
        own, bias = self.own.parameters()
        return own + self.neighbor.weight, bias


class GCNLayer(nn.Module):
    """Graph convolution: D^-1/2 (A + I) D^-1/2 x W + b, D the degrees of A + I (arXiv 1609.02907).

    Args:
        width_in, width_out: columns of x and of the result.
    """

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.linear = Linear(width_in, width_out, bias=False)
        self.bias = nn.Parameter(torch.empty(width_out))

    def reset(self, rng: torch.Generator) -> None:
        """Draws the bias anew; the linear map is drawn by itself."""
        bound = self.linear.weight.shape[0] ** -0.5
        nn.init.uniform_(self.bias, -bound, bound, generator=rng)

    def forward(self, x: Tensor | NodeFeatures, adjacency: Adjacency) -> Tensor:
        """float32 [M, out] of the M nodes with neighbour lists, out of [N, in] of all N."""
        count = adjacency.matrix.shape[0]
        scale = (adjacency.degree[:, None] + 1).rsqrt()
        scaled: Tensor = self.linear(x) * scale
        return (adjacency.sum_neighbors(scaled) + scaled[:count]) * scale[:count] + self.bias

    def among_its_like(self) -> tuple[Tensor, Tensor]:
        """Weight [in, out] and bias [out] of the linear map that this is for a node whose neighbours are as it is."""
        return self.linear.weight, self.bias
