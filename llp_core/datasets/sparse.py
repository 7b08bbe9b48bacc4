"""Sparse features on their way from scipy and sklearn to torch."""

from typing import Any

import torch
from torch import Tensor


def csr_tensor(matrix: Any) -> Tensor:
    """A scipy sparse matrix [N, F] as a float32 `sparse_csr` tensor: columns ascending, no stored zeros."""
    from scipy.sparse import csr_array

    rows = csr_array(matrix, dtype="float32", copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return torch.sparse_csr_tensor(
        torch.from_numpy(rows.indptr).to(torch.int64),
        torch.from_numpy(rows.indices).to(torch.int64),
        torch.from_numpy(rows.data),
        size=rows.shape,
        check_invariants=True,
    )
