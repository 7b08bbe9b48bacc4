"""The neighbourhood of some nodes, by hand. That it suffices for the scores: tests/test_latency.py."""

import itertools

import pytest
import torch

from llp_core.graph import CSR, canonical_edges, csr
from llp_core.models import Adjacency, LinkModel, ModelSpec, NodeFeatures
from llp_core.neighborhood import Hidden, Neighborhood, neighborhood
from llp_core.sampling import generator

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


STAR = csr(torch.stack((torch.zeros(12, dtype=torch.int64), torch.arange(1, 13))), 13)
"""Node 0 has neighbours 1 to 12."""


def random_graph(num_nodes: int = 200) -> CSR:
    ends = torch.randint(num_nodes, (2, 5 * num_nodes), generator=generator(0, "ends"))
    return csr(canonical_edges(ends, num_nodes).edges, num_nodes)


def rows(found: Neighborhood) -> list[list[int]]:
    """The neighbours, in ids of the whole graph, of each node that the first layer computes."""
    block = found.blocks[0]
    ends = block.offsets.tolist()
    ids = found.nodes[block.neighbors].tolist()
    return [ids[a:b] for a, b in itertools.pairwise(ends)]


def test_fanouts_above_every_degree_give_the_whole_neighborhood() -> None:
    graph = random_graph()
    most, seeds = int(graph.degree.max()), torch.tensor([7, 150, 3])
    whole = neighborhood(seeds, 3, graph)
    found = neighborhood(seeds, 3, graph, (most, most, most + 5), generator(0))
    assert found.within == whole.within
    assert torch.equal(found.nodes, whole.nodes)
    assert torch.equal(found.degree, whole.degree)
    for own, theirs in zip(found.blocks, whole.blocks, strict=True):
        assert torch.equal(own.offsets, theirs.offsets)
        assert torch.equal(own.neighbors, theirs.neighbors)


@pytest.mark.parametrize("replace", [False, True])
def test_a_sample_is_of_the_nodes_own_neighbors(replace: bool) -> None:
    graph = random_graph()
    found = neighborhood(torch.tensor([7, 150, 3]), 2, graph, (8, 3), generator(0), replace)
    assert found.nodes.unique().numel() == found.nodes.numel() == found.within[-1]
    assert torch.equal(found.degree, graph.degree[found.nodes])
    for place, (node, drawn) in enumerate(zip(found.nodes.tolist(), rows(found), strict=False)):
        fanout = 8 if place < 3 else 3
        theirs = graph.neighbors[graph.offsets[node] : graph.offsets[node + 1]].tolist()
        assert set(drawn) <= set(theirs)
        if replace:
            assert len(drawn) == fanout
        else:
            assert len(set(drawn)) == len(drawn) == min(fanout, len(theirs))


@pytest.mark.parametrize(("replace", "variance"), [(False, 5 / 12 * 7 / 12), (True, 5 / 12 * 11 / 12)])
def test_every_neighbor_is_as_likely(replace: bool, variance: float) -> None:
    hubs = 20_000  # each with nodes 0 to 11 for neighbours
    offsets = torch.cat((torch.zeros(12, dtype=torch.int64), torch.arange(hubs + 1) * 12))
    graph = CSR(offsets, torch.arange(12).repeat(hubs))
    seeds = torch.arange(12, 12 + hubs)
    found = neighborhood(seeds, 1, graph, (5,), generator(0), replace)
    drawn = found.nodes[found.blocks[0].neighbors].view(hubs, 5)
    counts = torch.bincount(drawn.flatten(), minlength=12)
    # The sum of 12 squared deviations, each in units of its variance: 12/11 of chi-square with 11 degrees of freedom.
    assert (counts - hubs * 5 / 12).square().sum() / (hubs * variance) < 12 / 11 * 31.3  # 0.1 %
    chosen = torch.zeros(hubs, 12).scatter_(1, drawn, 1.0)
    together = (chosen.T @ chosen)[torch.triu(torch.ones(12, 12), 1).bool()] / hubs
    likely = 5 * 4 / (12 * 11) if not replace else 1 - 2 * (11 / 12) ** 5 + (10 / 12) ** 5
    assert (together - likely).abs().max() < 0.01  # four standard deviations: no set is favoured


def test_hidden_edges_are_never_drawn() -> None:
    graph = random_graph()
    entry = torch.rand(graph.neighbors.numel(), generator=generator(1)) < 0.3
    owner = torch.arange(200).repeat_interleave(graph.degree)
    hidden = Hidden(entry, torch.bincount(owner[entry], minlength=200))
    visible = set(zip(owner[~entry].tolist(), graph.neighbors[~entry].tolist(), strict=True))
    every = neighborhood(torch.arange(200), 1, graph, (99,), generator(0), hidden=hidden)
    assert {(node, other) for node, row in enumerate(rows(every)) for other in row} == visible
    assert torch.equal(every.degree, graph.degree - hidden.per_node)
    some = neighborhood(torch.arange(200), 1, graph, (4,), generator(0), hidden=hidden)
    drawn = {(node, other) for node, row in enumerate(rows(some)) for other in row}
    assert drawn < visible
    assert max(map(len, rows(some))) <= 4


@pytest.mark.parametrize(("fanouts", "rng"), [((5,), generator(0)), ((5, 0), generator(0)), ((5, 5), None)])
def test_fanouts_that_do_not_fit_are_refused(fanouts: tuple[int, ...], rng: torch.Generator | None) -> None:
    with pytest.raises(ValueError, match="one of at least 1 for each of 2 layers and an rng"):
        neighborhood(torch.tensor([0]), 2, STAR, fanouts, rng)
