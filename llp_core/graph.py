"""Pure functions on node pairs and adjacency: canonical form, CSR, degrees, rows and products of sparse matrices."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# torch says so once in every process; what is used of it here is tested here, and what is made is checked or known.
for told in ("Sparse CSR tensor support is in beta state", "Sparse invariant checks are implicitly disabled"):
    warnings.filterwarnings("ignore", message=told)


@dataclass(frozen=True)
class Dropped:
    """How many raw edges the canonical form leaves out.

    Attributes:
        self_loops: edges from a node to itself.
        duplicates: edges that were there already, in this or the other direction.
    """

    self_loops: int
    duplicates: int


class CanonicalEdges(NamedTuple):
    """Undirected edges, each once (see `llp_core.types.Graph`), and what was left out."""

    edges: Tensor
    weight: Tensor | None
    time: Tensor | None
    dropped: Dropped


def canonical_edges(
    edges: Tensor, num_nodes: int, weight: Tensor | None = None, time: Tensor | None = None
) -> CanonicalEdges:
    """Each undirected edge once, the smaller node first, in ascending order; no self loop.

    Of edges between the same two nodes the weights add up, and the earliest time stays. An edge listed in
    both directions counts as two.

    Args:
        edges: int64 [2, E], directed or not.
        num_nodes: N.
        weight: float32 [E].
        time: int64 [E].
    """
    keep = edges[0] != edges[1]
    every = undirected_keys(edges[:, keep], num_nodes)
    keys = distinct_keys(every)
    if weight is not None:
        weight = torch.zeros(keys.numel()).index_add_(0, torch.searchsorted(keys, every), weight[keep].float())
    if time is not None:
        latest = torch.full((keys.numel(),), torch.iinfo(torch.int64).max)
        time = latest.scatter_reduce_(0, torch.searchsorted(keys, every), time[keep], "amin")
    return CanonicalEdges(
        edges=pairs_from_keys(keys, num_nodes),
        weight=weight,
        time=time,
        dropped=Dropped(self_loops=int((~keep).sum()), duplicates=int(keep.sum()) - keys.numel()),
    )


def pair_keys(pairs: Tensor, num_nodes: int) -> Tensor:
    """int64 [E]: one number for each pair of int64 [2, E], ascending as pairs are."""
    return pairs[0] * num_nodes + pairs[1]


def undirected_keys(pairs: Tensor, num_nodes: int) -> Tensor:
    """int64 [E]: `pair_keys` of the pairs with the smaller node first, so the same in both directions."""
    return pair_keys(torch.stack((torch.minimum(*pairs), torch.maximum(*pairs))), num_nodes)


def sort_keys(keys: Tensor) -> Tensor:
    """Keys int64 [M] on the CPU, ascending; by NumPy, which takes a tenth of the time that PyTorch does."""
    return torch.from_numpy(np.sort(keys.numpy()))


def distinct_keys(keys: Tensor) -> Tensor:
    """Keys int64 [M] on the CPU, each once, ascending: `torch.unique` by `sort_keys`."""
    ascending = sort_keys(keys)
    first = torch.ones(ascending.numel(), dtype=torch.bool)
    torch.ne(ascending[1:], ascending[:-1], out=first[1:])
    return ascending[first]


def pairs_from_keys(keys: Tensor, num_nodes: int) -> Tensor:
    """int64 [2, E]: the inverse of `pair_keys`."""
    return torch.stack((keys.div(num_nodes, rounding_mode="floor"), keys.remainder(num_nodes)))


class CSR(NamedTuple):
    """Neighbours of each node: those of v are `neighbors[offsets[v]:offsets[v + 1]]`, ascending.

    Attributes:
        offsets: int64 [N + 1].
        neighbors: int64 [2E].
    """

    offsets: Tensor
    neighbors: Tensor

    @property
    def degree(self) -> Tensor:
        """int64 [N]."""
        return self.offsets.diff()

    def to(self, device: torch.device) -> "CSR":
        """The same lists on a device."""
        return CSR(self.offsets.to(device), self.neighbors.to(device))


def csr(edges: Tensor, num_nodes: int) -> CSR:
    """The neighbours in both directions of undirected edges, int64 [2, E]."""
    keys = sort_keys(torch.cat((pair_keys(edges, num_nodes), pair_keys(edges.flip(0), num_nodes))))
    offsets = torch.zeros(num_nodes + 1, dtype=torch.int64)
    offsets[1:] = degrees(edges, num_nodes).cumsum(0)
    return CSR(offsets, keys.remainder_(num_nodes))


def degrees(edges: Tensor, num_nodes: int) -> Tensor:
    """int64 [N]: the degree of each node, of undirected edges int64 [2, E]."""
    return torch.bincount(edges.flatten(), minlength=num_nodes)


def distinct(nodes: Tensor, num_nodes: int) -> Tensor:
    """int64, ascending: each of some nodes once, of N in all; by marks on all nodes where sorting takes longer."""
    if nodes.numel() * 50 < num_nodes:
        found: Tensor = torch.unique(nodes)
        return found
    marks = torch.zeros(num_nodes, dtype=torch.bool, device=nodes.device)
    marks[nodes] = True
    return marks.nonzero().flatten()


def select_rows(features: Tensor, rows: Tensor) -> Tensor:
    """The given rows (int64 [M]) of features [N, F], in the same layout; nothing becomes dense."""
    if features.layout != torch.sparse_csr:
        return features.index_select(0, rows)  # half the time of [] or less
    crow, values = features.crow_indices(), features.values()
    counts = crow[rows + 1] - crow[rows]
    new_crow = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    starts = (crow[rows] - new_crow[:-1]).repeat_interleave(counts)
    entries = starts + torch.arange(starts.numel(), device=features.device)
    return torch.sparse_csr_tensor(
        new_crow,
        features.col_indices()[entries],
        values[entries],
        size=(rows.numel(), features.shape[1]),
        check_invariants=False,
    )


def row_span(matrix: Tensor, start: int, count: int) -> Tensor:
    """At most so many rows of a `sparse_csr` matrix [N, F], side by side from `start` on, without a copy."""
    crow = matrix.crow_indices()[start : start + count + 1]
    first, last = int(crow[0]), int(crow[-1])
    columns, values = matrix.col_indices()[first:last], matrix.values()[first:last]
    size = (crow.numel() - 1, matrix.shape[1])
    return torch.sparse_csr_tensor(crow - first, columns, values, size=size, check_invariants=False)


def stack_rows(first: Tensor, second: Tensor) -> Tensor:
    """Features [N + M, F]: rows of features [N, F] above those of [M, F], in their common layout."""
    if first.layout != torch.sparse_csr:
        return torch.cat((first, second))
    crow = torch.cat((first.crow_indices(), second.crow_indices()[1:] + first.values().numel()))
    return torch.sparse_csr_tensor(
        crow,
        torch.cat((first.col_indices(), second.col_indices())),
        torch.cat((first.values(), second.values())),
        size=(first.shape[0] + second.shape[0], first.shape[1]),
        check_invariants=False,
    )


def sparse_product(matrix: Tensor, values: Tensor) -> Tensor:
    """[M, D] in the dtype of values [N, D]: a `sparse_csr` float32 [M, N] times them; no gradient passes.

    On a CPU by the kernel of embedding bags, in a third to a tenth of a sparse matrix product's time, which sums in
    float32 and rounds to bfloat16 only what it returns; on a GPU the product is in float32.
    """
    values = values.detach()
    if values.device.type != "cpu":
        with torch.autocast(values.device.type, enabled=False):
            return (matrix @ values.float()).to(values.dtype)
    product: Tensor = torch.nn.functional.embedding_bag(
        matrix.col_indices(),
        values,
        matrix.crow_indices(),
        mode="sum",
        per_sample_weights=matrix.values().to(values.dtype),
        include_last_offset=True,
    )
    return product
