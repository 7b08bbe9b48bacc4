"""What a search may see: the training part of a split, as a graph of its own that is split again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from llp_core.config import SplitParams
from llp_core.errors import InputError
from llp_core.graph import canonical_edges, pair_keys, sort_keys
from llp_core.hashing import node_hashes
from llp_core.machine import code_versions
from llp_core.names import Setting
from llp_core.sampling import PairSpace, generator, sample_negatives
from llp_core.splits import make_split, require_enough_pairs, training_graph
from llp_core.store import load, new_folder, read_json, save
from llp_core.types import Graph, LinkSplit

MOST_NEW_NODES, MOST_TEST_EDGES = 0.15, 0.2
"""Of production's inner splits, as shares. Theirs are those of the reported split up to this, since what is
left of a small graph would be too sparse if as much was held back a second time."""

FINER = 10
"""Inner splits test against so many times as many pairs as the reported split, and take each K as many times as far
down: the same threshold, but from enough pairs that which ones were drawn hardly matters. On Photos that alone moved a
score by up to 7 points, more than most settings do."""


@dataclass(frozen=True)
class Problem:
    """What the trials of a search are trained and scored on.

    Attributes:
        graph: nodes and edges that training may see, and nothing else.
        setting: of the reported split and of the inner ones.
        params: shares of the inner splits.
        seeds: one for each inner split: of its edges, and of the models trained on it.
        negatives: pairs without an edge that the reported split tests against, `finer` times as many an inner one. With
            one for each of its own test edges, which are few, the 20th best would be a far easier mark.
    """

    graph: Graph
    setting: Setting
    params: SplitParams
    seeds: tuple[int, ...]
    negatives: int

    @classmethod
    def of(cls, graph: Graph, split: LinkSplit, params: SplitParams, seeds: Sequence[int]) -> Self:
        """The problem within a reported split.

        Args:
            graph: whole.
            split: the reported one. Only its training and validation edges are read, and how many pairs without an
                edge it tests against.
            params: shares of the reported split; those of production must be given.
            seeds: at least two.

        Raises:
            InputError: the reported split is too small for its figures, or too few edges are left to split again.
        """
        if len(seeds) < 2:
            raise ValueError(f"seeds: expected at least two, got {list(seeds)}: one tells nothing of the noise")
        negatives = split.test_negatives.shape[1]
        problem = cls(inner_graph(graph, split), split.setting, inner_shares(params), tuple(seeds), negatives)
        try:
            require_enough_pairs(split, graph)
            for inner in problem.splits:
                require_enough_pairs(inner, problem.graph, inner=True)
        except ValueError as error:
            raise InputError(
                f"data set {graph.name}, setting {split.setting}: it, or what training may see of it, is too small to "
                f"be split again for a search. {error}."
            ) from None
        return problem

    @cached_property
    def splits(self) -> tuple[LinkSplit, ...]:
        """The inner splits, one for each seed."""
        return tuple(self._split(seed) for seed in self.seeds)

    def _split(self, seed: int) -> LinkSplit:
        split = make_split(self.graph, self.setting, self.params.model_copy(update={"seed": seed}))
        known = sort_keys(pair_keys(self.graph.edges, self.graph.num_nodes))
        rng = generator(seed, "inner test negatives")
        count = self.finer * self.negatives
        return replace(split, test_negatives=sample_negatives(known, PairSpace.of(self.graph), count, rng))

    @property
    def finer(self) -> int:
        """`FINER`, or less where there are not as many pairs."""
        possible = PairSpace.of(self.graph).count - self.graph.num_edges
        return max(1, min(FINER, possible // self.negatives))

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that a score depends on besides the settings; splits follow ids and types."""
        ids = node_hashes(self.graph.node_ids)
        own = {"features": self.graph.features, "edges": self.graph.edges, "ids": ids}
        return own if self.graph.node_type is None else {**own, "types": self.graph.node_type}

    @property
    def about(self) -> dict[str, Any]:
        """How the inner splits are made, and by which versions."""
        return {
            "versions": code_versions(),
            "setting": self.setting,
            "split": self.params.model_dump(mode="json", exclude={"by"}),
            "seeds": list(self.seeds),
            "negatives": self.negatives,
            "finer": self.finer,
        }

    def write(self, folder: Path) -> None:
        """Writes it as an artefact."""
        with new_folder(folder, self.about) as new:
            save(self.graph, new)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads what `write` wrote.

        Raises:
            InputError: it is not there or not readable.
        """
        made = read_json(folder / "made.json")
        shares, seeds = SplitParams(**made["split"]), tuple(made["seeds"])
        return cls(load(Graph, folder), made["setting"], shares, seeds, made["negatives"])


def inner_graph(graph: Graph, split: LinkSplit) -> Graph:
    """The nodes known while training, with the training and validation edges among them, renumbered 0..A-1."""
    training = training_graph(split, graph)
    both = torch.cat((training.edges, training.valid_edges), dim=1)
    return Graph(
        name=graph.name,
        node_ids=tuple(graph.node_ids[node] for node in training.nodes.tolist()),
        features=training.features,
        edges=canonical_edges(both, training.num_nodes).edges,
        node_type=training.node_type,
    )


def inner_shares(params: SplitParams) -> SplitParams:
    """Shares with which the inner problem stays close to the reported one; by hash, as all splits by time are one."""
    outer = params.production
    if outer.new_node_share is None or outer.test_share is None:
        raise ValueError("split.production: new_node_share and test_share must be given for this data set")
    shares = {
        "new_node_share": min(outer.new_node_share, MOST_NEW_NODES),
        "test_share": min(outer.test_share, MOST_TEST_EDGES),
        "extra_share": outer.extra_share / 2,
    }
    return params.model_copy(update={"by": "hash", "production": outer.model_copy(update=shares)})
