"""Canonical edges, pair keys, CSR, rows and products of sparse matrices."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from llp_core.graph import (
    Dropped,
    canonical_edges,
    csr,
    degrees,
    distinct_keys,
    pair_keys,
    pairs_from_keys,
    select_rows,
    sort_keys,
    sparse_product,
    stack_rows,
    undirected_keys,
)


@st.composite
def edge_lists(draw: st.DrawFn) -> tuple[Tensor, int]:
    """Directed edges with loops and duplicates, int64 [2, 0..30], and the number of nodes, 1..8."""
    num_nodes = draw(st.integers(1, 8))
    node = st.integers(0, num_nodes - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=30))
    return torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T, num_nodes


def as_tuples(pairs: Tensor) -> list[tuple[int, int]]:
    return [(low, high) for low, high in pairs.T.tolist()]


def test_canonical_edges_of_a_small_list():
    edges = torch.tensor([[2, 0, 1, 1, 0], [0, 2, 1, 2, 2]])  # 2-0 three times, a loop at 1, and 1-2
    weight = torch.tensor([1.0, 10.0, 100.0, 1000.0, 0.5])
    time = torch.tensor([2003, 2001, 1999, 2010, 2002])
    result = canonical_edges(edges, 3, weight, time)
    assert result.edges.tolist() == [[0, 1], [2, 2]]
    assert result.weight.tolist() == [11.5, 1000.0]
    assert result.time.tolist() == [2001, 2010]
    assert result.dropped == Dropped(self_loops=1, duplicates=2)


def test_canonical_edges_of_none():
    nothing = torch.empty(2, 0, dtype=torch.int64)
    result = canonical_edges(nothing, 3, torch.empty(0), torch.empty(0, dtype=torch.int64))
    assert (result.edges.shape, result.weight.shape, result.time.shape) == ((2, 0), (0,), (0,))
    assert result.dropped == Dropped(0, 0)


@given(edge_lists())
def test_canonical_edges_are_the_set_of_undirected_edges(drawn):
    edges, num_nodes = drawn
    expected = sorted({(min(pair), max(pair)) for pair in as_tuples(edges) if pair[0] != pair[1]})
    result = canonical_edges(edges, num_nodes)
    assert as_tuples(result.edges) == expected
    assert result.dropped.self_loops + result.dropped.duplicates + len(expected) == edges.shape[1]


@given(edge_lists())
def test_canonical_edges_stay_as_they_are(drawn):
    once = canonical_edges(*drawn)
    again = canonical_edges(once.edges, drawn[1])
    assert torch.equal(once.edges, again.edges)
    assert again.dropped == Dropped(0, 0)


@given(edge_lists())
def test_pair_keys_come_back(drawn):
    pairs, num_nodes = drawn
    keys = pair_keys(pairs, num_nodes)
    assert torch.equal(pairs_from_keys(keys, num_nodes), pairs)
    assert sorted(as_tuples(pairs)) == as_tuples(pairs[:, keys.argsort(stable=True)])


@given(edge_lists())
def test_undirected_keys_are_those_of_the_smaller_node_first(drawn):
    pairs, num_nodes = drawn
    keys = undirected_keys(pairs, num_nodes)
    assert torch.equal(keys, undirected_keys(pairs.flip(0), num_nodes))
    assert torch.equal(pairs_from_keys(keys, num_nodes), pairs.sort(0).values)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_keys_are_sorted_and_made_distinct(drawn):
    keys = torch.tensor(drawn, dtype=torch.int64)
    assert sort_keys(keys).tolist() == sorted(drawn)
    assert distinct_keys(keys).tolist() == sorted(set(drawn))
    assert keys.tolist() == drawn


def test_pair_keys_of_many_nodes_do_not_overflow():
    pairs = torch.tensor([[2_999_999_998], [2_999_999_999]])
    assert torch.equal(pairs_from_keys(pair_keys(pairs, 3_000_000_000), 3_000_000_000), pairs)


def test_csr_of_a_path_and_an_isolated_node():
    neighbors = csr(torch.tensor([[0, 1], [1, 3]]), 4)  # 0 - 1 - 3, and 2 alone
    assert neighbors.offsets.tolist() == [0, 1, 3, 3, 4]
    assert neighbors.neighbors.tolist() == [1, 0, 3, 1]
    assert neighbors.degree.tolist() == [1, 2, 0, 1]
    assert neighbors.to(torch.device("cpu")).neighbors.tolist() == [1, 0, 3, 1]


@given(edge_lists())
def test_csr_lists_each_node_s_neighbours_in_order(drawn):
    edges = canonical_edges(*drawn).edges
    offsets, neighbors = csr(edges, drawn[1])
    for node in range(drawn[1]):
        expected = sorted(sum(pair) - node for pair in as_tuples(edges) if node in pair)
        assert neighbors[offsets[node] : offsets[node + 1]].tolist() == expected
    assert degrees(edges, drawn[1]).tolist() == offsets.diff().tolist()


@given(st.data())
def test_select_rows_of_sparse_features_is_that_of_dense_ones(data):
    rows, columns = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    cells = st.sampled_from([0.0, 0.0, 1.0, -2.5])
    dense = torch.tensor(data.draw(st.lists(cells, min_size=rows * columns, max_size=rows * columns)))
    dense = dense.reshape(rows, columns)
    chosen = torch.tensor(data.draw(st.lists(st.integers(0, rows - 1), max_size=10)), dtype=torch.int64)
    selected = select_rows(dense.to_sparse_csr(), chosen)
    assert selected.layout == torch.sparse_csr
    assert torch.equal(selected.to_dense(), dense[chosen])
    assert torch.equal(select_rows(dense, chosen), dense[chosen])


def test_select_rows_makes_a_valid_csr_tensor():
    features = torch.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [3.0, 0.0, 4.0]]).to_sparse_csr()
    selected = select_rows(features, torch.tensor([2, 1, 0, 2]))
    assert selected.crow_indices().tolist() == [0, 2, 2, 4, 6]
    assert selected.col_indices().tolist() == [0, 2, 1, 2, 0, 2]
    assert selected.values().tolist() == [3.0, 4.0, 1.0, 2.0, 3.0, 4.0]


def test_stack_rows_of_either_layout():
    first, second = torch.tensor([[0.0, 1.0], [2.0, 3.0], [0.0, 0.0]]), torch.tensor([[4.0, 0.0]])
    stacked = stack_rows(first.to_sparse_csr(), second.to_sparse_csr())
    assert stacked.layout == torch.sparse_csr
    assert torch.equal(stacked.to_dense(), torch.cat((first, second)))
    assert torch.equal(stack_rows(first, second), torch.cat((first, second)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@given(data=st.data())
def test_sparse_product_is_that_of_dense_matrices(dtype, data):
    rows, columns = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    cells = st.sampled_from([0.0, 0.0, 1.0, -2.5, 0.375])
    dense = torch.tensor(data.draw(st.lists(cells, min_size=rows * columns, max_size=rows * columns)))
    values = torch.tensor(data.draw(st.lists(cells, min_size=columns * 3, max_size=columns * 3)))
    dense, values = dense.reshape(rows, columns), values.reshape(columns, 3).to(dtype).requires_grad_()
    product = sparse_product(dense.to_sparse_csr(), values)
    assert product.dtype == dtype
    assert not product.requires_grad
    expected = dense @ values.detach().float()  # exact: all of these numbers are in float32
    torch.testing.assert_close(product.float(), expected, rtol=0 if dtype == torch.float32 else 2**-8, atol=0)
