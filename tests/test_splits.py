"""Splits: what must hold of every split of every graph, and the counts of a known one."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llp_core.config import ProductionParams, SplitParams, TransductiveParams
from llp_core.graph import pair_keys
from llp_core.names import SETTINGS, Setting
from llp_core.sampling import PairSpace, generator, sample_negatives
from llp_core.splits import make_split, require_enough_pairs, training_graph
from llp_core.types import Graph, LinkSplit

PARAMS = SplitParams(
    seed=234,
    transductive=TransductiveParams(valid_share=0.05, test_share=0.1),
    production=ProductionParams(new_node_share=0.3, test_share=0.3, valid_share=0.1, extra_share=0.1),
)
GROUPS = ("train_edges", "valid_edges", "test_edges")


def random_graph(num_nodes: int, num_edges: int, seed: int) -> Graph:
    edges = sample_negatives(torch.empty(0, dtype=torch.int64), PairSpace(num_nodes), num_edges, generator(seed))
    edges = edges[:, pair_keys(edges, num_nodes).argsort()]
    return Graph("random", tuple(map(str, range(num_nodes))), torch.eye(num_nodes).to_sparse_csr(), edges)


def keys(split: LinkSplit, name: str) -> set[int]:
    return set(pair_keys(getattr(split, name), split.num_nodes).tolist())


@given(
    num_nodes=st.integers(14, 60),  # of 12, four edges each leave too few pairs without one
    degree=st.floats(0.5, 4),
    seed=st.integers(0, 999),
    setting=st.sampled_from(SETTINGS),
)
def test_nothing_leaks(num_nodes: int, degree: float, seed: int, setting: Setting) -> None:
    graph = random_graph(num_nodes, int(num_nodes * degree), seed)
    split = make_split(graph, setting, PARAMS.model_copy(update={"seed": seed}))
    every = set(pair_keys(graph.edges, num_nodes).tolist())
    train, valid, test = (keys(split, name) for name in GROUPS)
    inference = keys(split, "inference_edges")
    assert not train & valid
    assert not train & test
    assert not valid & test
    assert not inference & (valid | test)
    assert train <= inference
    assert train | valid | test | inference <= every
    valid_negatives, test_negatives = keys(split, "valid_negatives"), keys(split, "test_negatives")
    assert not (valid_negatives | test_negatives) & every
    assert not valid_negatives & test_negatives
    assert len(valid) <= len(valid_negatives) <= 10 * len(valid)
    if setting != "cold_start":
        assert len(test_negatives) == len(test)
        assert train | valid | test | inference == every


def test_counts_of_a_transductive_split() -> None:
    split = make_split(random_graph(100, 400, 0), "transductive", PARAMS)
    assert [getattr(split, name).shape[1] for name in GROUPS] == [340, 20, 40]
    assert not split.is_new.any()
    assert torch.equal(split.inference_edges, split.train_edges)


def test_counts_of_a_production_split() -> None:
    graph = random_graph(200, 1000, 0)
    split = make_split(graph, "production", PARAMS)
    assert int(split.is_new.sum()) == 60
    new_ends = split.is_new[graph.edges].sum(0)
    old_old, old_new, new_new = (int((new_ends == number).sum()) for number in range(3))
    tested = torch.bincount(split.test_group, minlength=3).tolist()
    assert tested == [int(0.3 * old_old), int(0.3 * old_new), int(0.3 * new_new)]
    assert split.valid_edges.shape[1] == int(0.1 * old_old)
    # What messages pass over at inference: training edges, 10 % more old-old, and all that is not tested elsewhere.
    appearing = split.inference_edges.shape[1] - split.train_edges.shape[1]
    assert appearing == int(0.1 * old_old) + (old_new - tested[1]) + (new_new - tested[2])


def test_cold_start_is_production_without_the_edges_of_new_nodes() -> None:
    graph = random_graph(200, 1000, 0)
    production, cold = make_split(graph, "production", PARAMS), make_split(graph, "cold_start", PARAMS)
    for name in ("is_new", "train_edges", "valid_edges", "valid_negatives", "test_negatives"):
        assert torch.equal(getattr(production, name), getattr(cold, name)), name
    assert keys(cold, "inference_edges") < keys(production, "inference_edges")
    assert set(cold.test_group.tolist()) == {1, 2}
    assert keys(cold, "test_edges") == {
        key
        for key, group in zip(
            pair_keys(production.test_edges, 200).tolist(), production.test_group.tolist(), strict=True
        )
        if group
    }


def test_the_seed_decides_the_split() -> None:
    graph = random_graph(100, 400, 0)
    first, again = make_split(graph, "transductive", PARAMS), make_split(graph, "transductive", PARAMS)
    other = make_split(graph, "transductive", PARAMS.model_copy(update={"seed": 1}))
    assert torch.equal(first.test_edges, again.test_edges)
    assert torch.equal(first.test_negatives, again.test_negatives)
    assert not torch.equal(first.test_edges, other.test_edges)


@pytest.mark.parametrize("setting", ["transductive", "production"])
def test_in_a_graph_that_has_grown_what_was_held_out_still_is(setting: Setting) -> None:
    grown = random_graph(400, 2000, 0)
    known = grown.edges[:, (grown.edges < 390).all(0)]
    known = known[:, torch.arange(known.shape[1]) % 40 != 0]
    before = Graph("random", grown.node_ids[:390], torch.eye(390).to_sparse_csr(), known)
    first, second = (make_split(graph, setting, PARAMS) for graph in (before, grown))
    held_out, trained_on = (set(map(tuple, pairs.T.tolist())) for pairs in (first.test_edges, second.train_edges))
    assert len(held_out & trained_on) <= 0.05 * len(held_out)  # those at the border between two parts


def test_training_sees_no_new_node() -> None:
    graph = random_graph(50, 200, 0)
    split = make_split(graph, "production", PARAMS)
    training = training_graph(split, graph)
    assert training.num_nodes == 35
    assert not split.is_new[training.nodes].any()
    assert torch.equal(training.nodes[training.edges], split.train_edges)
    assert torch.equal(training.nodes[training.valid_edges], split.valid_edges)
    assert torch.equal(training.nodes[training.valid_negatives], split.valid_negatives)
    assert torch.equal(training.features.to_dense(), graph.features.to_dense()[training.nodes])


def test_a_split_too_small_for_its_metrics_is_refused() -> None:
    graph, small = random_graph(300, 1000, 0), random_graph(100, 190, 0)
    large = make_split(graph, "transductive", PARAMS)
    require_enough_pairs(large, graph)
    with pytest.raises(
        ValueError, match=r"need at least 50 test pairs without an edge.* has 49.* split\.production\.test_share"
    ):
        require_enough_pairs(replace(large, setting="production", test_negatives=large.test_negatives[:, :49]), graph)
    with pytest.raises(
        ValueError, match=r"need at least 10 test edges.* has 9.* split\.production\.test_share, or .*new_node_share"
    ):
        require_enough_pairs(replace(large, setting="cold_start", test_edges=large.test_edges[:, :9]), graph)
    with pytest.raises(ValueError, match="Hits@10 to 50 need at least 10 valid edges"):
        require_enough_pairs(make_split(small, "transductive", PARAMS), small)


def test_a_dense_graph_has_too_few_negatives() -> None:
    with pytest.raises(ValueError, match="pairs without an edge are needed"):
        make_split(random_graph(10, 44, 0), "transductive", PARAMS)
    graph = random_graph(50, 800, 0)
    with pytest.raises(ValueError, match=r"of the 50 nodes that it may see \d+ pairs have one and \d+ have none"):
        require_enough_pairs(make_split(graph, "transductive", PARAMS), graph)


@pytest.fixture
def two_kinds() -> Graph:
    """150 users, 50 items between them, and 800 edges that each join one of either."""
    node_type = (torch.arange(200) % 4 == 3).long()
    pairs = torch.combinations(torch.arange(200)).T
    pairs = pairs[:, node_type[pairs].sum(0) == 1]
    edges = pairs[:, torch.randperm(pairs.shape[1], generator=generator(0))[:800].sort().values]
    ids = tuple(f"n{number}" for number in range(200))
    names = ("user", "item")
    return Graph("kinds", ids, torch.eye(200), edges, node_type=node_type, type_names=names)


@pytest.mark.parametrize("setting", SETTINGS)
def test_pairs_without_an_edge_join_types_that_edges_join(two_kinds: Graph, setting: Setting) -> None:
    split = make_split(two_kinds, setting, PARAMS)
    for name in ("valid_negatives", "test_negatives"):
        pairs = getattr(split, name)
        assert pairs.shape[1] > 0
        assert (two_kinds.node_type[pairs].sum(0) == 1).all(), name
    training = training_graph(split, two_kinds)
    assert training.node_type is not None
    assert torch.equal(training.node_type, two_kinds.node_type[training.nodes])


def test_of_two_types_fewer_pairs_may_have_an_edge() -> None:
    node_type = torch.arange(60) // 30
    pairs = torch.cartesian_prod(torch.arange(30), torch.arange(30, 60)).T
    edges = pairs[:, torch.randperm(900, generator=generator(0))[:600].sort().values]
    ids = tuple(map(str, range(60)))
    plain = Graph("dense", ids, torch.eye(60), edges)
    typed = replace(plain, node_type=node_type, type_names=("a", "b"))
    require_enough_pairs(make_split(plain, "transductive", PARAMS), plain)
    split = make_split(typed, "transductive", PARAMS)
    with pytest.raises(ValueError, match=r"of the 60 nodes that it may see \d+ pairs have one and \d+ have none"):
        require_enough_pairs(split, typed)


BY_TIME = PARAMS.model_copy(update={"by": "time"})


@pytest.fixture
def dated() -> Graph:
    """200 nodes, 1,000 edges; those of nodes from 150 on come late, as do a few others."""
    graph = random_graph(200, 1000, 0)
    late = (graph.edges >= 150).any(0)
    time = torch.randint(0, 600, (1000,), generator=generator(0)) + 500 * late
    return replace(graph, edge_time=time)


def times(graph: Graph, pairs: torch.Tensor) -> torch.Tensor:
    """The time of each of some edges of a graph."""
    known = pair_keys(graph.edges, graph.num_nodes)
    return graph.edge_time[torch.searchsorted(known, pair_keys(pairs, graph.num_nodes))]


@pytest.mark.parametrize("setting", SETTINGS)
def test_by_time_nothing_that_training_sees_is_later_than_what_is_held_out(dated: Graph, setting: Setting) -> None:
    split = make_split(dated, setting, BY_TIME)
    train, valid, test = (times(dated, getattr(split, name)) for name in GROUPS)
    assert train.max() <= valid.min()
    assert valid.max() <= test.min()
    assert times(dated, split.inference_edges).max() <= test.min()
    assert train.numel() > 0


def test_by_time_the_shares_are_of_all_edges(dated: Graph) -> None:
    split = make_split(dated, "production", BY_TIME)
    parts = (split.train_edges, split.valid_edges, split.inference_edges, split.test_edges)
    assert [pairs.shape[1] for pairs in parts] == [500, 100, 600, 300]
    split = make_split(dated, "transductive", BY_TIME)
    assert [getattr(split, name).shape[1] for name in GROUPS] == [850, 50, 100]
    assert not split.is_new.any()


def test_by_time_a_node_is_new_whose_first_edge_is_late(dated: Graph) -> None:
    split = make_split(dated, "production", BY_TIME)
    first = torch.full((200,), 10_000).scatter_reduce_(
        0, dated.edges.flatten(), dated.edge_time.repeat(2), "amin", include_self=True
    )
    border = int(times(dated, split.valid_edges).max())
    assert (first[split.is_new] >= border).all()
    assert (first[~split.is_new] <= border).all()
    assert 0 < int(split.is_new.sum()) < 100
    assert set(split.test_group.tolist()) == {0, 1, 2}


def test_edges_of_one_time_are_parted_by_their_hashes(dated: Graph) -> None:
    same = replace(dated, edge_time=torch.zeros(1000, dtype=torch.int64))
    one, other = (make_split(same, "transductive", BY_TIME.model_copy(update={"seed": seed})) for seed in (0, 1))
    assert not torch.equal(one.test_edges, other.test_edges)
    by_hash = make_split(same, "transductive", PARAMS.model_copy(update={"seed": 0}))
    assert not torch.equal(one.test_edges, by_hash.test_edges), "the test comes first there"


def test_without_times_or_new_nodes_there_is_no_split_by_time(dated: Graph) -> None:
    with pytest.raises(ValueError, match=r"split\.by is time, but the edges have none\. Name their column in data"):
        make_split(replace(dated, edge_time=None), "transductive", BY_TIME)
    first = [int((dated.edges == node).any(0).nonzero()[0]) for node in range(200)]  # an edge of each node
    time = torch.ones(1000, dtype=torch.int64).index_fill(0, torch.tensor(first), 0)
    with pytest.raises(ValueError, match="no node has its first edge among the latest edges, so none is new"):
        make_split(replace(dated, edge_time=time), "production", BY_TIME)


def test_production_needs_its_shares() -> None:
    production = PARAMS.production.model_copy(update={"test_share": None})
    with pytest.raises(ValueError, match="new_node_share and test_share must be given"):
        make_split(random_graph(50, 100, 0), "production", PARAMS.model_copy(update={"production": production}))
