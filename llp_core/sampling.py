"""Random draws: generators, random walks, contexts, pairs without an edge.

Every draw comes from a `torch.Generator` handed in, never from the global one, which threads share.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import torch
from torch import Tensor

from llp_core.config import ContextsParams
from llp_core.graph import CSR, csr, distinct_keys, pairs_from_keys, undirected_keys
from llp_core.types import Contexts, Graph, TrainingGraph


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


STRAY = 0.01
"""Two types are joined if at least this share of the edges at one of them joins the two: fewer are slips."""


class _Blocks(NamedTuple):
    """The pairs of types that edges join, B of them, and where the nodes of each type are.

    Attributes:
        types: int64 [2, B], the smaller type first.
        weights: float64 [B], in proportion to the pairs of nodes, a node with itself counted as half of one.
        members: int64 [N], the nodes in the order of their types.
        start, size: int64 [T], of each type in `members`.
    """

    types: Tensor
    weights: Tensor
    members: Tensor
    start: Tensor
    size: Tensor


@dataclass(frozen=True, eq=False)
class PairSpace:
    """The undirected pairs of nodes that may have an edge: any two, or two of types that edges join.

    Attributes:
        num_nodes: N.
        node_type: int64 [N], numbers from 0, or None where any two may have one.
        joined: bool [T, T], symmetric; which types edges join. None where any two may have one.
    """

    num_nodes: int
    node_type: Tensor | None = None
    joined: Tensor | None = None

    @classmethod
    def of(cls, graph: Graph | TrainingGraph, edges: Tensor | None = None) -> Self:
        """Of the nodes of a graph; some of its edges, int64 [2, E], may take the place of all."""
        if graph.node_type is None:
            return cls(graph.num_nodes)
        count = int(graph.node_type.max()) + 1
        types = graph.node_type[graph.edges if edges is None else edges]
        between = torch.bincount(undirected_keys(types, count), minlength=count**2).view(count, count)
        between = between.triu(1).T + between  # symmetric: of both directions one stands in it
        at = between.sum(0)
        joined = (between > 0) & (between >= STRAY * torch.minimum(at[:, None], at))
        return cls(graph.num_nodes) if bool(joined.all()) else cls(graph.num_nodes, graph.node_type, joined)

    def among(self, nodes: Tensor) -> "PairSpace":
        """The pairs of some nodes, int64 [M], which get the numbers of their places."""
        return PairSpace(nodes.numel(), None if self.node_type is None else self.node_type[nodes], self.joined)

    def may_join(self, first: Tensor, second: Tensor) -> Tensor:
        """Whether nodes may have an edge, bool; int64 of shapes that fit each other. A node has none with itself."""
        apart = first != second
        if self.node_type is None or self.joined is None:
            return apart
        return apart & self.joined[self.node_type[first], self.node_type[second]]

    @cached_property
    def count(self) -> int:
        """How many pairs there are."""
        if self.node_type is None:
            return self.num_nodes * (self.num_nodes - 1) // 2
        size = self._blocks.size.tolist()
        types = self._blocks.types.T.tolist()
        return sum(size[a] * (size[a] - 1) // 2 if a == b else size[a] * size[b] for a, b in types)

    def random(self, count: int, rng: torch.Generator) -> Tensor:
        """int64 [2, count]: uniform pairs, either node first; some are of a node with itself, which is none."""
        if self.node_type is None:
            return torch.randint(self.num_nodes, (2, count), generator=rng)
        types, weights, members, start, size = self._blocks
        block = types[:, torch.multinomial(weights, count, replacement=True, generator=rng)]
        place = (torch.rand(block.shape, generator=rng, dtype=torch.float64) * size[block]).long()
        return members[start[block] + place]

    def all(self) -> Tensor:
        """int64 [2, count]: every pair, either node first."""
        if self.node_type is None:
            return torch.combinations(torch.arange(self.num_nodes)).T
        types, _, members, start, size = self._blocks
        nodes = [members[at : at + number] for at, number in zip(start.tolist(), size.tolist(), strict=True)]
        parts = [
            torch.combinations(nodes[a]) if a == b else torch.cartesian_prod(nodes[a], nodes[b])
            for a, b in types.T.tolist()
        ]
        return torch.cat(parts).T

    def partners(self, anchors: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """int64 [M, count]: for each anchor uniform nodes that it may have an edge with; others if there is none."""
        if self.node_type is None or self.joined is None:
            drawn = torch.randint(self.num_nodes - 1, (anchors.numel(), count), generator=rng)
            return drawn + (drawn >= anchors[:, None])
        drawn = torch.empty(anchors.numel(), count, dtype=torch.int64)
        types = self.node_type[anchors]
        for one in torch.unique(types).tolist():
            rows = (types == one).nonzero().flatten()
            others, with_own = self.joined[one][self.node_type].nonzero().flatten(), bool(self.joined[one, one])
            if others.numel() == with_own:
                others, with_own = torch.arange(self.num_nodes), True
            place = torch.randint(others.numel() - with_own, (rows.numel(), count), generator=rng)
            if with_own:
                place += place >= torch.searchsorted(others, anchors[rows])[:, None]
            drawn[rows] = others[place]
        return drawn

    @cached_property
    def _blocks(self) -> _Blocks:
        assert self.node_type is not None and self.joined is not None  # noqa: S101, PT018 - the callers looked
        size = torch.bincount(self.node_type, minlength=self.joined.shape[0])
        types = self.joined.triu().nonzero().T
        weights = size[types].prod(0).double()
        weights[types[0] == types[1]] /= 2
        return _Blocks(types, weights, self.node_type.argsort(stable=True), size.cumsum(0) - size, size)


def sample_contexts(graph: TrainingGraph, params: ContextsParams, rng: torch.Generator) -> Contexts:
    """Context nodes of every node, in `params.rounds` independent rounds (paper, section 4.1).

    The near part holds the nodes visited by `walks` random walks of `length` steps. An anchor is no
    context of itself, nor is a node that it may have no edge with: a walk that comes to one gives a neighbour of the
    anchor instead. The near part of an anchor without neighbours is uniform, as the rest is.

    Args:
        graph: of A nodes, at least 2.
        params: sizes.
        rng: of the draws.
    """
    space, neighbors = PairSpace.of(graph), csr(graph.edges, graph.num_nodes)
    anchors = torch.arange(graph.num_nodes)
    contexts = torch.empty(params.rounds, graph.num_nodes, params.size, dtype=torch.int32)
    isolated = (neighbors.degree == 0).nonzero().flatten()
    for context in contexts:
        starts = anchors.repeat_interleave(params.walks)
        near = random_walks(neighbors, starts, params.length, rng).view(-1, params.near)
        row, column = (~space.may_join(anchors[:, None], near)).nonzero(as_tuple=True)
        near[row, column] = random_neighbors(neighbors, row, rng)
        near[isolated] = space.partners(isolated, params.near, rng)
        context[:, : params.near] = near
        context[:, params.near :] = space.partners(anchors, params.size - params.near, rng)
    return Contexts(contexts)


def sample_negatives(known: Tensor, space: PairSpace, count: int, rng: torch.Generator) -> Tensor:
    """Distinct undirected node pairs that are not among the known ones.

    Args:
        known: int64 [K], ascending `pair_keys` of the pairs to avoid.
        space: that they are drawn from.
        count: M.
        rng: of the draws.

    Returns:
        int64 [2, M], the smaller id first, no self pair, in random order.

    Raises:
        ValueError: fewer than M such pairs exist, or the known ones do not ascend.
    """
    if bool((known[1:] <= known[:-1]).any()):
        raise ValueError("known: the keys must ascend, none twice; sort them, or edges would be drawn as non-edges")
    return draw_negatives(known, space, count, rng)


def draw_negatives(known: Tensor, space: PairSpace, count: int, rng: torch.Generator) -> Tensor:
    """As `sample_negatives`, but for the check, which reads all of `known`: for one who draws often and has sorted."""
    num_nodes, possible = space.num_nodes, space.count - known.numel()
    if count > possible:
        raise ValueError(f"{count} pairs without an edge are needed, but only {possible} exist among {num_nodes} nodes")
    if count > possible // 2:  # most draws would be rejected: list them all instead
        keys = undirected_keys(space.all(), num_nodes)
        return _choose(keys[~torch.isin(keys, known)], num_nodes, count, rng)
    found = torch.empty(0, dtype=torch.int64)
    while found.numel() < count:
        missing = count - found.numel()
        ends = space.random(missing + missing // 8 + 64, rng)
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
