"""Common neighbours and resource allocation, counted by hand and by brute force."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llp_core.contestants.heuristics import CommonNeighbors
from llp_core.graph import csr

# 0 is linked to 1, 2, 3; 4 to 2, 3, 5; 6 is alone. Degrees: 3, 1, 2, 2, 3, 1, 0.
EDGES = torch.tensor([[0, 0, 0, 2, 3, 4], [1, 2, 3, 4, 4, 5]])


def test_counted_by_hand() -> None:
    graph = csr(EDGES, 7)
    pairs = torch.tensor([[0, 4, 1, 2, 0, 6, 1], [4, 0, 2, 3, 2, 0, 5]])
    assert CommonNeighbors.counted(graph).online(pairs).tolist() == [2, 2, 1, 2, 0, 0, 0]
    expected = [1 / 2 + 1 / 2, 1, 1 / 3, 1 / 3 + 1 / 3, 0, 0, 0]
    assert CommonNeighbors.by_resources(graph).online(pairs).tolist() == pytest.approx(expected)


@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.05, 0.3, 1.0]))
def test_against_sets_of_neighbours(seed: int, share: float) -> None:
    rng = torch.Generator().manual_seed(seed)
    every = torch.combinations(torch.arange(12)).T
    edges = every[:, torch.rand(every.shape[1], generator=rng) < share]
    neighbors = [set(edges[1, edges[0] == v].tolist()) | set(edges[0, edges[1] == v].tolist()) for v in range(12)]
    pairs = torch.cartesian_prod(torch.arange(12), torch.arange(12)).T
    common = [neighbors[a] & neighbors[b] for a, b in pairs.T.tolist()]
    graph = csr(edges, 12)
    counts, resources = CommonNeighbors.counted(graph), CommonNeighbors.by_resources(graph)
    assert counts.online(pairs).tolist() == [len(met) for met in common]
    expected = [sum(1 / len(neighbors[node]) for node in met) for met in common]
    assert resources.online(pairs).tolist() == pytest.approx(expected)
    assert torch.equal(resources.offline(pairs), resources.online(pairs))


def test_offline_goes_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llp_core.contestants.heuristics._PAIRS_AT_ONCE", 2)
    scorer = CommonNeighbors.counted(csr(EDGES, 7))
    assert scorer.offline(torch.tensor([[0, 4, 1], [4, 0, 2]])).tolist() == [2, 2, 1]
