import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.sparse import coo_array, csc_array, csr_array

from llp_core.datasets.sparse import csr_tensor

matrices = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(-3, 3).map(float))


@given(matrices, st.sampled_from([csr_array, csc_array, coo_array]))
def test_the_tensor_holds_the_matrix_in_csr(matrix, kind):
    tensor = csr_tensor(kind(matrix))
    assert tensor.layout == torch.sparse_csr
    assert tensor.dtype == torch.float32
    assert tensor.values().numel() == np.count_nonzero(matrix)
    assert np.array_equal(tensor.to_dense().numpy(), matrix)


def test_entries_of_one_place_add_up_and_zeros_are_not_stored():
    matrix = csr_array((np.array([2.0, 1.0, 3.0, 0.0]), np.array([1, 0, 1, 0]), np.array([0, 3, 4])), shape=(2, 2))
    tensor = csr_tensor(matrix)
    assert tensor.crow_indices().tolist() == [0, 2, 2]
    assert tensor.col_indices().tolist() == [0, 1]
    assert tensor.values().tolist() == [1.0, 5.0]
    assert matrix.data.tolist() == [2.0, 1.0, 3.0, 0.0], "the matrix given is left as it was"
