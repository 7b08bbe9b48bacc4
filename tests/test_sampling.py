"""Random draws: what holds of every draw, and that a seed repeats it."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llp_core.config import ContextsParams
from llp_core.graph import csr, pair_keys
from llp_core.sampling import PairSpace, generator, random_neighbors, random_walks, sample_contexts, sample_negatives
from llp_core.types import TrainingGraph

# A path 0-1-2-3, a pair 4-5, and 6 alone.
EDGES = torch.tensor([[0, 1, 2, 4], [1, 2, 3, 5]])
NUM_NODES = 7
NONE = torch.empty(2, 0, dtype=torch.int64)
GRAPH = TrainingGraph(torch.arange(NUM_NODES), torch.eye(NUM_NODES), EDGES, NONE, NONE)
PARAMS = ContextsParams(walks=3, length=4, random_ratio=2, rounds=5)


def test_a_generator_depends_on_seed_and_purpose_alone() -> None:
    def draw(seed: int, *purpose: str | int) -> int:
        return int(torch.randint(2**62, (1,), generator=generator(seed, *purpose)))

    assert draw(0, "teacher", 1) == draw(0, "teacher", 1)
    assert len({draw(0, "teacher", 1), draw(1, "teacher", 1), draw(0, "teacher", 2), draw(0, "student", 1)}) == 4


def test_random_neighbors_are_neighbors_and_all_of_them_are_met() -> None:
    graph = csr(EDGES, NUM_NODES)
    drawn = random_neighbors(graph, torch.tensor([1] * 200 + [6]), generator(0))
    assert set(drawn[:200].tolist()) == {0, 2}
    assert drawn[200] == 6  # a node without neighbours gives itself


def test_random_neighbors_of_a_graph_without_edges() -> None:
    graph = csr(torch.empty(2, 0, dtype=torch.int64), 3)
    assert random_neighbors(graph, torch.tensor([0, 2]), generator(0)).tolist() == [0, 2]


def test_every_step_of_a_walk_follows_an_edge() -> None:
    graph = csr(EDGES, NUM_NODES)
    starts = torch.arange(NUM_NODES).repeat(50)
    walks = torch.cat((starts[:, None], random_walks(graph, starts, 6, generator(0))), dim=1)
    steps = torch.stack((walks[:, :-1].flatten(), walks[:, 1:].flatten()))
    moved = steps[:, steps[0] != steps[1]]
    known = pair_keys(EDGES, NUM_NODES)
    assert torch.isin(pair_keys(moved.sort(0).values, NUM_NODES), known).all()
    stayed = steps[0][steps[0] == steps[1]]
    assert set(stayed.tolist()) == {6}


def test_contexts_leave_the_anchor_out_and_stay_near() -> None:
    contexts = sample_contexts(GRAPH, PARAMS, generator(0))
    assert contexts.nodes.shape == (5, NUM_NODES, 36)
    anchors = torch.arange(NUM_NODES)[None, :, None]
    assert (contexts.nodes != anchors).all()
    near = contexts.nodes[:, :, :12]
    assert set(near[:, 0].flatten().tolist()) == {1, 2, 3}
    assert set(near[:, 4].flatten().tolist()) == {5}
    # No neighbours: the near part is uniform over the others, not the anchor itself.
    assert set(near[:, 6].flatten().tolist()) == {0, 1, 2, 3, 4, 5}
    assert set(contexts.nodes[:, 0, 12:].flatten().tolist()) == {1, 2, 3, 4, 5, 6}


def test_context_rounds_differ_and_a_seed_repeats_them() -> None:
    first = sample_contexts(GRAPH, PARAMS, generator(0)).nodes
    assert torch.equal(first, sample_contexts(GRAPH, PARAMS, generator(0)).nodes)
    assert not torch.equal(first[0], first[1])


@given(num_nodes=st.integers(3, 12), share=st.floats(0, 1), seed=st.integers(0, 9), data=st.data())
def test_negatives_are_distinct_pairs_that_are_not_known(num_nodes, share, seed, data) -> None:
    every = torch.combinations(torch.arange(num_nodes)).T
    known = every[:, torch.rand(every.shape[1], generator=generator(seed)) < share]
    keys = pair_keys(known, num_nodes).sort().values
    count = data.draw(st.integers(0, every.shape[1] - keys.numel()))
    negatives = sample_negatives(keys, PairSpace(num_nodes), count, generator(seed))
    assert negatives.shape == (2, count)
    assert (negatives[0] < negatives[1]).all()
    drawn = pair_keys(negatives, num_nodes)
    assert drawn.unique().numel() == count
    assert not torch.isin(drawn, keys).any()


def test_negatives_are_uniform() -> None:
    # 6 nodes, the 3 edges of a path known: each of the 12 other pairs is drawn 1/3 of the time with 4 of 12.
    keys = pair_keys(torch.tensor([[0, 1, 2], [1, 2, 3]]), 6)
    draws = torch.cat([pair_keys(sample_negatives(keys, PairSpace(6), 4, generator(seed)), 6) for seed in range(3000)])
    counts = torch.bincount(draws, minlength=36)
    counts = counts[counts > 0]
    assert counts.numel() == 12
    assert counts.min() > 900
    assert counts.max() < 1100


class TestTypes:
    """Users 0, 2 and 4, items 1 and 3, tags 5 and 6: edges join users with items, and tags with each other."""

    TYPE = torch.tensor([0, 1, 0, 1, 0, 2, 2])
    EDGES = torch.tensor([[0, 1, 5], [1, 2, 6]])
    ALLOWED = ({0, 1}, {0, 3}, {1, 2}, {2, 3}, {1, 4}, {3, 4}, {5, 6})

    @pytest.fixture
    def graph(self) -> TrainingGraph:
        return TrainingGraph(torch.arange(7), torch.eye(7), self.EDGES, NONE, NONE, self.TYPE)

    @pytest.fixture
    def space(self, graph: TrainingGraph) -> PairSpace:
        return PairSpace.of(graph)

    def test_the_pairs_that_may_have_an_edge(self, space: PairSpace) -> None:
        assert space.count == 7
        assert sorted(map(sorted, space.all().T.tolist())) == sorted(map(sorted, self.ALLOWED))
        first, second = torch.cartesian_prod(torch.arange(7), torch.arange(7)).T
        may = space.may_join(first, second)
        expected = [{a, b} in self.ALLOWED for a, b in zip(first.tolist(), second.tolist(), strict=True)]
        assert may.tolist() == expected

    def test_draws_are_uniform_among_them(self, space: PairSpace) -> None:
        ends = space.random(80_000, generator(0))
        apart = ends[:, ends[0] != ends[1]]
        counts = Counter(map(frozenset, apart.T.tolist()))
        assert set(counts) == set(map(frozenset, self.ALLOWED))
        assert min(counts.values()) > 0.9 * max(counts.values())

    def test_negatives_few_and_all(self, space: PairSpace) -> None:
        known = pair_keys(self.EDGES, 7).sort().values
        for count in (1, 4):
            drawn = sample_negatives(known, space, count, generator(0)).T.tolist()
            assert len(drawn) == count
            assert all(set(pair) in ({0, 3}, {2, 3}, {1, 4}, {3, 4}) for pair in drawn)
        with pytest.raises(ValueError, match="5 pairs without an edge are needed, but only 4 exist"):
            sample_negatives(known, space, 5, generator(0))

    def test_a_stray_edge_joins_no_types(self, graph: TrainingGraph) -> None:
        users, items = torch.arange(0, 30), torch.arange(30, 60)
        many = torch.cartesian_prod(users, items).T[:, :150]
        stray, rare = torch.tensor([[0], [1]]), torch.tensor([[0], [60]])
        node_type = torch.tensor([0] * 30 + [1] * 30 + [2])
        edges = torch.cat((stray, many, rare), dim=1)
        large = TrainingGraph(torch.arange(61), torch.eye(61), edges, NONE, NONE, node_type)
        joined = PairSpace.of(large).joined
        assert joined is not None
        assert joined.tolist() == [[False, True, True], [True, False, False], [True, False, False]]
        assert PairSpace.of(large, edges[:, :100]).joined.tolist()[0][0], "of a hundred edges one is enough"

    def test_of_some_nodes(self, space: PairSpace) -> None:
        among = space.among(torch.tensor([1, 4, 6]))
        assert among.count == 1
        assert among.all().T.tolist() in ([[0, 1]], [[1, 0]])

    def test_partners(self, space: PairSpace) -> None:
        drawn = space.partners(torch.arange(7), 200, generator(0))
        users, items = {0, 2, 4}, {1, 3}
        assert [set(row) for row in drawn.tolist()] == [items, users, items, users, items, {6}, {5}]

    def test_partners_of_a_type_without_an_edge_are_any_others(self, graph: TrainingGraph) -> None:
        space = PairSpace.of(replace(graph, edges=self.EDGES[:, :2]))
        drawn = space.partners(torch.arange(7), 500, generator(0))
        assert [set(row) for row in drawn[5:].tolist()] == [{0, 1, 2, 3, 4, 6}, {0, 1, 2, 3, 4, 5}]

    def test_contexts_are_nodes_that_may_have_an_edge_with_the_anchor(self, graph: TrainingGraph) -> None:
        contexts = sample_contexts(graph, PARAMS, generator(0)).nodes
        for anchor in range(7):
            expected = {node for pair in self.ALLOWED if anchor in pair for node in pair - {anchor}}
            assert set(contexts[:, anchor].flatten().tolist()) == expected, anchor
        near = contexts[:, 1, : PARAMS.near]
        assert set(near.flatten().tolist()) == {0, 2}, "walks from 1 come to its neighbours alone"


def test_known_pairs_must_ascend() -> None:
    with pytest.raises(ValueError, match="the keys must ascend"):
        sample_negatives(pair_keys(EDGES.flip(1), NUM_NODES), PairSpace(NUM_NODES), 3, generator(0))


def test_too_many_negatives_are_refused() -> None:
    keys = pair_keys(EDGES, NUM_NODES)
    with pytest.raises(ValueError, match="18 pairs without an edge are needed, but only 17 exist among 7 nodes"):
        sample_negatives(keys, PairSpace(NUM_NODES), 18, generator(0))
