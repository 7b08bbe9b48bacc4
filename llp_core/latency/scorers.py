"""What is timed: something that answers requests, ready with its weights, features and graph in memory."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from llp_core.graph import CSR
from llp_core.models import Adjacency, LinkModel, NodeFeatures
from llp_core.neighborhood import neighborhood


class Scorer(Protocol):
    """A model that is ready to answer: in evaluation mode, its weights, features and graph on the device."""

    def online(self, pairs: Tensor) -> Tensor:
        """float32 [B]: the scores of int64 [2, B], computed from what these pairs need and nothing kept."""

    def offline(self, pairs: Tensor) -> Tensor:
        """float32 [B]: the same scores, after encoding every node of the graph."""


@dataclass(frozen=True, eq=False)
class ModelScorer:
    """A trained model with all that it scores from; a `Scorer`.

    Attributes:
        model: in evaluation mode.
        features: of every node.
        graph: neighbours of every node at inference; None for an MLP.
    """

    model: LinkModel
    features: NodeFeatures
    graph: CSR | None

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        nodes, local = torch.unique(pairs, return_inverse=True)
        if self.graph is None:
            return self.model.decode(self.model.encode(self.features.rows(nodes)), local)
        part = neighborhood(nodes, self.model.spec.layers, self.graph)
        reach = reversed(part.within[1:])
        adjacencies = [
            Adjacency.from_csr(*block, part.degree[:seen], part.degree.device)
            for block, seen in zip(part.blocks, reach, strict=True)
        ]
        return self.model.decode(self.model.encode(self.features.rows(part.nodes), *adjacencies), local)

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        return self.model.score(self.model.encode(self.features, *self._whole), pairs)

    @cached_property
    def _whole(self) -> tuple[Adjacency, ...]:
        if self.graph is None:
            return ()
        return (Adjacency.from_csr(*self.graph, self.graph.degree, self.graph.offsets.device),)
