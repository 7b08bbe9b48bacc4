"""Layers of the encoders and the decoder. Their weights are [in, out], as a sparse product needs them."""

from typing import NamedTuple

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


class Sent(NamedTuple):
    """What the nodes of a graph send to their neighbours.

    Attributes:
        x: their own values, as the layer takes them.
        values: float32 [N, D], what neighbours sum up.
        mapped: whether the layer's linear map was applied before; if not, it follows the sum.
    """

    x: Tensor | NodeFeatures
    values: Tensor
    mapped: bool


class MessageLayer(nn.Module):
    """A layer in which each node sends something and receives a sum.

    Linear map and sum may come in either order. On a whole graph the map comes first, which keeps wide sparse features
    out of the sum; where only some nodes receive, the sum does, so that only their rows are multiplied.
    """

    def forward(self, x: Tensor | NodeFeatures, adjacency: Adjacency) -> Tensor:
        """float32 [M, out] of the M nodes with neighbour lists, out of [N, in] of all N."""
        return self.receive(self.send(x, adjacency.degree, adjacency.symmetric), adjacency)

    def in_parts(self, x: Tensor | NodeFeatures, adjacency: Adjacency, size: int, out: Tensor) -> Tensor:
        """The same on a whole graph into `out`, float32 [N, out]; beside it there are temporaries of `size` rows.

        Sparse features need one more [N, out], as their map comes first.
        """
        sent = self.send(x, adjacency.degree, map_first=False)
        for part in adjacency.parts(size):
            out[part.start : part.start + part.num_rows] = self.receive(sent, part)
        return out

    def send(self, x: Tensor | NodeFeatures, degree: Tensor, map_first: bool) -> Sent:
        """What each of N nodes of these degrees, float32 [N], sends; sparse features are mapped first in any case."""
        raise NotImplementedError

    def receive(self, sent: Sent, adjacency: Adjacency) -> Tensor:
        """float32 [M, out] of the M nodes with neighbour lists."""
        raise NotImplementedError


class SAGELayer(MessageLayer):
    """GraphSAGE with the mean over neighbours: W_n mean(x_j) + W_s x_i + b (arXiv 1706.02216).

    A node without neighbours has mean 0.

    Args:
        width_in, width_out: columns of x and of the result.
    """

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.neighbor = Linear(width_in, width_out, bias=False)
        self.own = Linear(width_in, width_out)

    def send(self, x: Tensor | NodeFeatures, degree: Tensor, map_first: bool) -> Sent:  # noqa: ARG002 (GCN needs it)
        """See `MessageLayer`."""
        values = None if map_first else _summable(x)
        return Sent(x, self.neighbor(x) if values is None else values, mapped=values is None)

    def receive(self, sent: Sent, adjacency: Adjacency) -> Tensor:
        """See `MessageLayer`."""
        own: Tensor = self.own(_span(sent.x, adjacency))
        mean: Tensor = adjacency.sum_neighbors(sent.values) / adjacency.own_degree.clamp(min=1)
        return (mean if sent.mapped else self.neighbor(mean)) + own

    def among_its_like(self) -> tuple[Tensor, Tensor]:
        """Weight [in, out] and bias [out] of the linear map that this is for a node whose neighbours are as it is."""
        own, bias = self.own.parameters()
        return own + self.neighbor.weight, bias


class GCNLayer(MessageLayer):
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

    def send(self, x: Tensor | NodeFeatures, degree: Tensor, map_first: bool) -> Sent:
        """See `MessageLayer`."""
        values = None if map_first else _summable(x)
        scale = (degree[:, None] + 1).rsqrt()
        return Sent(x, (self.linear(x) if values is None else values) * scale, mapped=values is None)

    def receive(self, sent: Sent, adjacency: Adjacency) -> Tensor:
        """See `MessageLayer`."""
        own = sent.values[adjacency.start : adjacency.start + adjacency.num_rows]
        summed: Tensor = (adjacency.sum_neighbors(sent.values) + own) * (adjacency.own_degree + 1).rsqrt()
        return (summed if sent.mapped else self.linear(summed)) + self.bias

    def among_its_like(self) -> tuple[Tensor, Tensor]:
        """Weight [in, out] and bias [out] of the linear map that this is for a node whose neighbours are as it is."""
        return self.linear.weight, self.bias


def _summable(x: Tensor | NodeFeatures) -> Tensor | None:
    """The values as a dense tensor; None of sparse features, whose sums would be wide."""
    if isinstance(x, Tensor):
        return x
    return x.matrix if x.matrix.layout == torch.strided else None


def _span(x: Tensor | NodeFeatures, adjacency: Adjacency) -> Tensor | NodeFeatures:
    """The rows of the nodes with neighbour lists."""
    start, count = adjacency.start, adjacency.num_rows
    return x.span(start, count) if isinstance(x, NodeFeatures) else x[start : start + count]
