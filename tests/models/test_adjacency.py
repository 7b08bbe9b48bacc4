"""What messages pass over in training: the whole graph, or all but the edges that a step predicts."""

import pytest
import torch

from llp_core.graph import csr
from llp_core.models import Adjacency, LinkModel, ModelSpec, NodeFeatures, TrainingAdjacency, block_adjacencies
from llp_core.neighborhood import neighborhood
from llp_core.sampling import generator
from llp_core.types import Graph


def test_a_step_leaves_its_own_edges_out_in_both_directions(graph: Graph) -> None:
    training = TrainingAdjacency(graph.edges, graph.num_nodes, torch.device("cpu"))
    assert torch.equal(training.whole.matrix.to_dense(), Adjacency.from_edges(graph.edges, 6).matrix.to_dense())
    order = torch.randperm(graph.num_edges, generator=generator(0))
    for count in range(graph.num_edges + 1):
        found = training.without(order[:count])
        expected = Adjacency.from_edges(graph.edges[:, order[count:]], graph.num_nodes)
        assert torch.equal(found.matrix.to_dense(), expected.matrix.to_dense())
        assert torch.equal(found.degree, expected.degree)


SEEDS = torch.tensor([4, 0, 2])


def sampled_and_whole(
    encoder: str, graph: Graph, fanouts: tuple[int, int], dense: bool = False
) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
    """Representations of `SEEDS` on a sample without edges 1 and 5, on the whole graph without them, gradients."""
    model = LinkModel(ModelSpec(encoder=encoder, features=8, hidden=8, layers=2, dropout=0.0), generator(0))
    features = NodeFeatures.of(graph.features.to_dense() if dense else graph.features)
    training = TrainingAdjacency(graph.edges, 6, torch.device("cpu"))
    hidden, gradients, found = torch.tensor([1, 5]), [], []
    for _ in range(2):  # the second time on marks that the first one cleared
        nodes, adjacencies = training.sampled(SEEDS, hidden, fanouts, generator(1))
    assert nodes[:3].tolist() == SEEDS.tolist()
    target = torch.randn(3, 8, generator=generator(2))
    for values in (
        model.encode(features.rows(nodes), *adjacencies)[:3],
        model.encode(features, training.without(hidden))[SEEDS],
    ):
        model.zero_grad()
        (values * target).sum().backward()
        found.append(values.detach())
        gradients.append([parameter.grad for parameter in model.encoder.parameters()])
    return *found, *gradients


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("encoder", ["sage", "gcn"])
def test_a_sample_of_all_neighbors_is_exact(encoder: str, dense: bool, graph: Graph) -> None:
    own, whole, gradients, expected = sampled_and_whole(encoder, graph, (3, 3), dense)
    torch.testing.assert_close(own, whole)
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_small_sample_differs(graph: Graph) -> None:
    own, whole, _, _ = sampled_and_whole("sage", graph, (1, 1))
    assert not torch.allclose(own, whole)


def test_sums_of_samples_are_right_on_average() -> None:
    star = torch.stack((torch.zeros(9, dtype=torch.int64), torch.arange(1, 10)))
    training = TrainingAdjacency(star, 10, torch.device("cpu"))
    values, rng = torch.arange(10.0)[:, None], generator(0)
    sums = []
    for _ in range(2000):
        nodes, (adjacency,) = training.sampled(torch.tensor([0]), torch.tensor([8]), (3,), rng)
        assert adjacency.degree[0] == 8
        assert 9 not in nodes.tolist()
        sums.append(adjacency.sum_neighbors(values[nodes])[0].item())
    assert abs(sum(sums) / 2000 - 36) < 1.0


def test_each_layer_of_a_sample_computes_a_multiple_of_nodes() -> None:
    path = torch.stack((torch.arange(9), torch.arange(1, 10)))
    part = neighborhood(torch.tensor([4]), 3, csr(path, 10))
    assert part.within == (1, 3, 5, 7)
    adjacencies = block_adjacencies(part, multiple=4)
    assert [tuple(adjacency.matrix.shape) for adjacency in adjacencies] == [(7, 7), (4, 7), (4, 4)]
    plain = [adjacency.matrix.to_dense() for adjacency in block_adjacencies(part)]
    for adjacency, exact in zip(adjacencies, plain, strict=True):
        rows, columns = exact.shape
        assert torch.equal(adjacency.matrix.to_dense()[:rows, :columns], exact)
        assert not adjacency.matrix.to_dense()[rows:].any()


def test_parts_are_the_rows_of_the_whole(graph: Graph) -> None:
    whole = Adjacency.from_edges(graph.edges, 6)
    parts = list(whole.parts(4))
    assert [(part.start, part.num_rows, part.symmetric) for part in parts] == [(0, 4, False), (4, 2, False)]
    assert torch.equal(torch.cat([part.matrix.to_dense() for part in parts]), whole.matrix.to_dense())
    assert torch.equal(torch.cat([part.own_degree for part in parts])[:, 0], whole.degree)
