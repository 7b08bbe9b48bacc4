"""Layers against PyG's, and gradients of the sparse products."""

import pytest
import torch
from torch_geometric.nn import GCNConv, SAGEConv
from torch_geometric.utils import to_undirected

from llp_core.models.adjacency import Adjacency
from llp_core.models.features import NodeFeatures
from llp_core.models.layers import GCNLayer, Linear, SAGELayer
from llp_core.sampling import generator
from llp_core.types import Graph


def reset(module: torch.nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, (Linear, GCNLayer)):
            part.reset(generator(0, "layers"))


def test_sage_is_pygs_sage(graph: Graph) -> None:
    layer, theirs = SAGELayer(8, 3), SAGEConv(8, 3)
    reset(layer)
    theirs.lin_l.weight.data = layer.neighbor.weight.detach().T
    theirs.lin_l.bias.data = layer.own.bias.detach()
    theirs.lin_r.weight.data = layer.own.weight.detach().T
    ours = layer(NodeFeatures.of(graph.features), Adjacency.from_edges(graph.edges, 6))
    torch.testing.assert_close(ours, theirs(graph.features.to_dense(), to_undirected(graph.edges)))


def test_gcn_is_pygs_gcn(graph: Graph) -> None:
    layer, theirs = GCNLayer(8, 3), GCNConv(8, 3)
    reset(layer)
    theirs.lin.weight.data = layer.linear.weight.detach().T
    theirs.bias.data = layer.bias.detach()
    ours = layer(NodeFeatures.of(graph.features), Adjacency.from_edges(graph.edges, 6))
    torch.testing.assert_close(ours, theirs(graph.features.to_dense(), to_undirected(graph.edges)))


@pytest.mark.parametrize("kind", [SAGELayer, GCNLayer])
def test_among_its_like_a_layer_is_a_linear_map(kind: type[SAGELayer] | type[GCNLayer]) -> None:
    layer = kind(8, 3)
    reset(layer)
    adjacency = Adjacency.from_edges(torch.tensor([[0, 1, 0], [1, 2, 2]]), 3)  # each node has two neighbours
    x = torch.randn(1, 8, generator=generator(1)).expand(3, -1)
    weight, bias = layer.among_its_like()
    torch.testing.assert_close(layer(x, adjacency), x @ weight + bias)


def test_an_isolated_node_has_no_message() -> None:
    adjacency = Adjacency.from_edges(torch.tensor([[0], [1]]), 3)
    assert adjacency.sum_neighbors(torch.tensor([[1.0], [2.0], [4.0]])).flatten().tolist() == [2, 1, 0]
    layer = SAGELayer(1, 2)
    reset(layer)
    out = layer(torch.ones(3, 1), adjacency)
    torch.testing.assert_close(out[2], layer.own(torch.ones(1, 1))[0])


def test_sparse_and_dense_features_give_the_same_values_and_gradients(graph: Graph) -> None:
    sparse, dense = NodeFeatures.of(graph.features), NodeFeatures.of(graph.features.to_dense())
    assert (sparse.num_nodes, sparse.width, dense.num_nodes, dense.width) == (6, 8, 6, 8)
    weight = torch.randn(8, 4, generator=generator(1)).requires_grad_()
    target = torch.randn(6, 4, generator=generator(2))
    gradients = []
    for features in (sparse, dense):
        product = features.times(weight)
        torch.testing.assert_close(product, graph.features.to_dense() @ weight)
        gradients.append(torch.autograd.grad((product * target).sum(), weight)[0])
    torch.testing.assert_close(*gradients)
    for features in (sparse, dense):
        torch.testing.assert_close(features.span(0, 4).times(weight.detach()), product[:4].detach())
        torch.testing.assert_close(features.span(2, 3).times(weight.detach()), product[2:5].detach())
        assert features.span(0, 6) is features
    torch.testing.assert_close(sparse.rows(torch.tensor([4, 0])).times(weight.detach()), product[[4, 0]].detach())


def test_the_gradient_of_a_neighbour_sum(graph: Graph) -> None:
    adjacency = Adjacency.from_edges(graph.edges, 6)
    values = torch.randn(6, 3, generator=generator(1), dtype=torch.float32).requires_grad_()
    target = torch.randn(6, 3, generator=generator(2))
    (own,) = torch.autograd.grad((adjacency.sum_neighbors(values) * target).sum(), values)
    (theirs,) = torch.autograd.grad((adjacency.matrix.to_dense() @ values * target).sum(), values)
    torch.testing.assert_close(own, theirs)
