"""Random draws: generators, random walks, contexts, pairs without an edge.

Every draw comes from a `torch.Generator` handed in, never from the global one, which threads share.
"""

import hashlib

import torch
from torch import Tensor

from llp_core.config import ContextsParams
from llp_core.graph import CSR, csr, distinct_keys, pair_keys, pairs_from_keys, undirected_keys
from llp_core.types import Contexts


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose: the same seed and purpose always give the same draws.

    Args:
        seed: of params.yaml.
        purpose: what the draws are for, e.g. "teacher", "production", candidate number.
        device: where the draws are made.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
    return torch.Generator(device).manual_seed(number)


def random_neighbors(graph: CSR, nodes: Tensor, rng: torch.Generator) -> Tensor:
    """One uniform neighbour of each node (int64 [M]); a node without neighbours gives itself."""
    start = graph.offsets[nodes]
    degree = graph.offsets[nodes + 1] - start  # beside the start in memory, which takes most of the time here
    step = (torch.rand(nodes.shape, generator=rng, dtype=torch.float64) * degree).long()
    isolated = degree == 0
    position = (start + step).masked_fill(isolated, 0)
    return torch.where(isolated, nodes, graph.neighbors[position] if graph.neighbors.numel() else nodes)


def random_walks(graph: CSR, starts: Tensor, length: int, rng: torch.Generator) -> Tensor:
    """Uniform random walks. A walk at a node without neighbours stays there.

    Args:
        graph: neighbours of N nodes.
        starts: int64 [M].
        length: steps L.
        rng: of the draws.

    Returns:
        int64 [M, L], the nodes visited, without the start.
    """
    visited = []
    at = starts
    for _ in range(length):
        at = random_neighbors(graph, at, rng)
        visited.append(at)
    return torch.stack(visited, dim=1)


def sample_contexts(edges: Tensor, num_nodes: int, params: ContextsParams, rng: torch.Generator) -> Contexts:
    """Context nodes of every node, in `params.rounds` independent rounds (paper, section 4.1).

    The near part holds the nodes visited by `walks` random walks of `length` steps. An anchor is no
    context of itself: a walk that comes back to it gives another of its neighbours instead. The near part of
    an anchor without neighbours is uniform, as the rest is.

    Args:
        edges: int64 [2, E], the training edges.
        num_nodes: A, at least 2.
        params: sizes.
        rng: of the draws.
    """
    graph = csr(edges, num_nodes)
    anchors = torch.arange(num_nodes)
    contexts = torch.empty(params.rounds, num_nodes, params.size, dtype=torch.int32)
    isolated = (graph.degree == 0).nonzero().flatten()
    for context in contexts:
        starts = anchors.repeat_interleave(params.walks)
        near = random_walks(graph, starts, params.length, rng).view(num_nodes, params.near)
        row, column = (near == anchors[:, None]).nonzero(as_tuple=True)
        near[row, column] = random_neighbors(graph, row, rng)
        near[isolated] = _other_nodes(isolated, params.near, num_nodes, rng)
        context[:, : params.near] = near
        context[:, params.near :] = _other_nodes(anchors, params.size - params.near, num_nodes, rng)
    return Contexts(contexts)


def _other_nodes(anchors: Tensor, count: int, num_nodes: int, rng: torch.Generator) -> Tensor:
    """int64 [M, count]: uniform nodes, none of them the anchor of its row."""
    drawn = torch.randint(num_nodes - 1, (anchors.numel(), count), generator=rng)
    return drawn + (drawn >= anchors[:, None])


def possible_pairs(known: Tensor, num_nodes: int) -> int:
    """How many undirected pairs of N nodes are not among K known ones."""
    return num_nodes * (num_nodes - 1) // 2 - known.numel()


def sample_negatives(known: Tensor, num_nodes: int, count: int, rng: torch.Generator) -> Tensor:
    """Distinct undirected node pairs that are not among the known ones.

    Args:
        known: int64 [K], ascending `pair_keys` of the pairs to avoid.
        num_nodes: N.
        count: M.
        rng: of the draws.

    Returns:
        int64 [2, M], the smaller id first, no self pair, in random order.

    Raises:
        ValueError: fewer than M such pairs exist, or the known ones do not ascend.
    """
    if bool((known[1:] <= known[:-1]).any()):
        raise ValueError("known: the keys must ascend, none twice; sort them, or edges would be drawn as non-edges")
    return draw_negatives(known, num_nodes, count, rng)


def draw_negatives(known: Tensor, num_nodes: int, count: int, rng: torch.Generator) -> Tensor:
    """As `sample_negatives`, but for the check, which reads all of `known`: for one who draws often and has sorted."""
    possible = possible_pairs(known, num_nodes)
    if count > possible:
        raise ValueError(f"{count} pairs without an edge are needed, but only {possible} exist among {num_nodes} nodes")
    if count > possible // 2:  # most draws would be rejected: list them all instead
        keys = pair_keys(torch.combinations(torch.arange(num_nodes)).T, num_nodes)
        return _choose(keys[~torch.isin(keys, known)], num_nodes, count, rng)
    found = torch.empty(0, dtype=torch.int64)
    while found.numel() < count:
        missing = count - found.numel()
        ends = torch.randint(num_nodes, (2, missing + missing // 8 + 64), generator=rng)
        ends = ends[:, ends[0] != ends[1]]
        drawn = distinct_keys(torch.cat((found, undirected_keys(ends, num_nodes))))
        found = drawn[~_contains(known, drawn)]
    return _choose(found, num_nodes, count, rng)


def _choose(keys: Tensor, num_nodes: int, count: int, rng: torch.Generator) -> Tensor:
    return pairs_from_keys(keys[torch.randperm(keys.numel(), generator=rng)[:count]], num_nodes)


def _contains(ascending: Tensor, keys: Tensor) -> Tensor:
    """Whether each key (bool [M]) is in an ascending list; faster than isin, which would sort the list again.

    By far the fastest where the keys ascend too, for then the list is read in order.
    """
    if ascending.numel() == 0:
        return torch.zeros_like(keys, dtype=torch.bool)
    position = torch.searchsorted(ascending, keys).clamp_(max=ascending.numel() - 1)
    return ascending[position] == keys
