"""What messages pass over in training: the whole graph, or all but the edges that a step predicts."""

import torch

from llp_core.models import Adjacency, TrainingAdjacency
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
