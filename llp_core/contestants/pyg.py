"""The GNN in PyTorch Geometric, by that library's layers and its own way to take a neighbourhood out of a graph."""

import torch
from torch import Tensor
from torch_geometric.nn import GCNConv, SAGEConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import k_hop_subgraph

from llp_core.graph import CSR
from llp_core.models import LinkModel, NodeFeatures
from llp_core.models.layers import GCNLayer, SAGELayer

MOST_BYTES = 2**32
"""Of features, which these layers need dense, and of the values that they send along all edges at once."""


class PyGScorer:
    """A GNN with the layers of PyTorch Geometric on dense features; a `Scorer`.

    Online, `k_hop_subgraph` looks for the neighbourhood of a request among all edges, and messages go along a list of
    edges. Offline they go through a sparse matrix, the library's way to save memory.

    Args:
        model: in evaluation mode; its decoder is used as it is.
        features: of every node.
        graph: neighbours of every node at inference.

    Raises:
        MemoryError: it would need more than `MOST_BYTES`.
    """

    def __init__(self, model: LinkModel, features: NodeFeatures, graph: CSR) -> None:
        for what, rows, columns in (
            ("dense features", features.num_nodes, features.width),
            ("a row for each edge", graph.neighbors.numel(), max(features.width, model.spec.hidden)),
        ):
            if 4 * rows * columns > MOST_BYTES:
                gib = 4 * rows * columns / 2**30
                raise MemoryError(f"its layers need {what}, {rows:,} x {columns:,} values, {gib:.1f} GiB")
        self._model = model
        self._x = features.matrix.to_dense()
        self._convs = [_conv(layer) for layer in model.encoder.layers]
        targets = torch.arange(features.num_nodes, device=self._x.device).repeat_interleave(graph.degree)
        self._edges = torch.stack((graph.neighbors, targets))
        self._weight: Tensor | None = None
        if isinstance(self._convs[0], GCNConv):  # degrees of the whole graph, also in a part of it
            self._edges, self._weight = gcn_norm(self._edges, num_nodes=features.num_nodes, dtype=self._x.dtype)

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        nodes, local = torch.unique(pairs, return_inverse=True)
        count = len(self._x)
        part, edges, place, inside = k_hop_subgraph(nodes, len(self._convs), self._edges, True, count)
        x = self._encode(self._x[part], edges, None if self._weight is None else self._weight[inside])
        return self._model.decode(x, place[local])

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        count = len(self._x)
        values = self._x.new_ones(self._edges.shape[1]) if self._weight is None else self._weight
        matrix = torch.sparse_coo_tensor(self._edges.flip(0), values, (count, count), check_invariants=False)
        return self._model.score(self._encode(self._x, matrix.to_sparse_csr(), None), pairs)

    def _encode(self, x: Tensor, edges: Tensor, weight: Tensor | None) -> Tensor:
        weights = () if weight is None else (weight,)
        for number, conv in enumerate(self._convs):
            x = conv(x.relu() if number else x, edges, *weights)
        return x


def _conv(layer: torch.nn.Module) -> SAGEConv | GCNConv:
    """The library's layer with the weights of ours."""
    if isinstance(layer, SAGELayer):
        sage = SAGEConv(*layer.own.weight.shape)
        own, bias = layer.own.parameters()
        _set(sage.lin_l, layer.neighbor.weight, bias)
        _set(sage.lin_r, own)
        return sage.eval()
    if isinstance(layer, GCNLayer):
        gcn = GCNConv(*layer.linear.weight.shape, normalize=False)
        _set(gcn.lin, layer.linear.weight)
        gcn.bias = layer.bias
        return gcn.eval()
    raise TypeError(f"no layer of PyTorch Geometric is known that does what {type(layer).__name__} does")


def _set(linear: torch.nn.Module, weight: Tensor, bias: Tensor | None = None) -> None:
    linear.weight = torch.nn.Parameter(weight.detach().T)
    if bias is not None:
        linear.bias = torch.nn.Parameter(bias.detach())
