"""The neighbourhood of some nodes, by hand. That it suffices for the scores: tests/test_latency.py."""

import torch

from llp_core.graph import csr
from llp_core.models import Adjacency, LinkModel, ModelSpec, NodeFeatures
from llp_core.neighborhood import neighborhood

# 0 - 1 - 2 - 3 - 4 - 5, and 2 - 6; node 7 is alone.
PATH = torch.tensor([[0, 1, 2, 3, 4, 2], [1, 2, 3, 4, 5, 6]])


def test_neighborhood_of_one_node_by_hand() -> None:
    found = neighborhood(torch.tensor([3]), 2, csr(PATH, 8))
    assert found.nodes.tolist() == [3, 2, 4, 1, 5, 6]
    assert found.within == (1, 3, 6)
    assert found.degree.tolist() == [2, 3, 2, 2, 1, 1]
    first, second = found.blocks
    # 3: 2 and 4; 2: 1, 3 and 6; 4: 3 and 5.
    assert first.offsets.tolist() == [0, 2, 5, 7]
    assert first.neighbors.tolist() == [1, 2, 3, 0, 5, 0, 4]
    assert second.offsets.tolist() == [0, 2]
    assert second.neighbors.tolist() == [1, 2]


def test_neighborhood_keeps_the_order_of_the_seeds() -> None:
    found = neighborhood(torch.tensor([5, 7, 0]), 1, csr(PATH, 8))
    assert found.nodes.tolist() == [5, 7, 0, 1, 4]
    assert found.blocks[0].offsets.tolist() == [0, 1, 1, 2]
    assert found.blocks[0].neighbors.tolist() == [4, 3]


def test_neighborhood_of_a_node_without_edges() -> None:
    found = neighborhood(torch.tensor([7]), 2, csr(PATH, 8))
    assert (found.nodes.tolist(), found.within) == ([7], (1, 1, 1))
    assert [(block.offsets.tolist(), block.neighbors.tolist()) for block in found.blocks] == [([0, 0], [])] * 2


def test_gcn_needs_the_degrees_of_the_whole_graph() -> None:
    spec = ModelSpec(encoder="gcn", features=5, hidden=8, layers=2, dropout=0.5)
    gcn = LinkModel(spec, torch.Generator().manual_seed(0)).eval()
    features, graph = NodeFeatures.of(torch.eye(8, 5)), csr(PATH, 8)
    part = neighborhood(torch.tensor([0]), 2, graph)  # of node 2, two hops away, one edge of three is seen
    seen = torch.tensor([1, 2, 1])
    with torch.inference_mode():
        whole = gcn.encode(features, Adjacency.from_edges(PATH, 8))[0]
        for degree, equal in ((part.degree, True), (seen, False)):
            adjacencies = [Adjacency.from_csr(*block, degree[:n]) for block, n in zip(part.blocks, (3, 2), strict=True)]
            assert torch.allclose(gcn.encode(features.rows(part.nodes), *adjacencies)[0], whole) is equal
