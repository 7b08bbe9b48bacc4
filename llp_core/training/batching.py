"""Which nodes a step of the optimiser encodes: all, or those that its losses need."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from llp_core.config import TeacherParams
from llp_core.models import Adjacency, Dropout, LinkModel, NodeFeatures, TrainingAdjacency
from llp_core.models.adjacency import ROWS_MULTIPLE

FULL_BATCH_BYTES = 2**29
"""A teacher whose tensors of all nodes take no more than this is trained on all of them in each step. A number and no
share of the memory there is, so that the same settings give the same model on every machine. Far below what would
fit: a step on all nodes takes longer than a sampled one from here on, and an epoch of them grows with the square."""

WHOLE_NODES = 40_000
"""Up to so many nodes first weights are scaled on all of them."""

ROWS_SHARE = 0.5
"""A student's step that would encode more rows than this share of the nodes encodes all of them."""


def resolve_batching(params: TeacherParams, num_nodes: int) -> Literal["full", "sampled"]:
    """How a teacher is trained: as `teacher.batching` says, and at auto by `full_batch_bytes`."""
    if params.batching != "auto":
        return params.batching
    return "full" if full_batch_bytes(params, num_nodes) <= FULL_BATCH_BYTES else "sampled"


def full_batch_bytes(params: TeacherParams, num_nodes: int) -> int:
    """About what training on all nodes takes beside the graph and its features.

    Four float32 [N, hidden] a layer, and four for representations, their gradient and what a step makes of them.
    """
    return 4 * params.hidden * num_nodes * (4 + 4 * params.layers)


@dataclass(frozen=True, eq=False)
class StepEncoder:
    """Encodes for one step of the optimiser what its losses need.

    Attributes:
        model: on its device.
        features: of the N training nodes.
        feature_dropout: thins them out anew in each step.
        adjacency: what messages pass over; None for an MLP.
        fanouts: for neighbours drawn in each step, one a layer from the seeds outwards; None for messages over the
            whole graph.
        rng: CPU generator of those draws.
    """

    model: LinkModel
    features: NodeFeatures
    feature_dropout: Dropout
    adjacency: TrainingAdjacency | None
    fanouts: tuple[int, ...] | None
    rng: torch.Generator

    @property
    def may_choose(self) -> bool:
        """Whether a step may do with some of the nodes."""
        return self.adjacency is None or self.fanouts is not None

    def encode(self, nodes: Tensor | None, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Representations, float32 [M, D], and which row is each node's, int64 [N], or None where node v has row v.

        M is made a multiple of `ROWS_MULTIPLE` where not all nodes are encoded.

        Args:
            nodes: int64, distinct, all that are needed; None for every node. An MLP that would encode
                more than `ROWS_SHARE` of them encodes every one.
            hidden: int64 [B], the training edges that carry no message; None for none.
        """
        if nodes is None or (self.adjacency is None and not self._is_worth(nodes.numel())):
            return self.model.encode(self._thinned(self.features), *self.messages(hidden)), None
        features, adjacencies = self._around(nodes, hidden)
        self._row[nodes.to(self._row.device)] = torch.arange(nodes.numel(), device=self._row.device)
        return self.model.encode(self._thinned(features), *adjacencies), self._row

    def _is_worth(self, needed: int) -> bool:
        """Whether an MLP should encode so many nodes alone."""
        return needed + -needed % ROWS_MULTIPLE <= ROWS_SHARE * self.features.num_nodes

    def _thinned(self, features: NodeFeatures) -> NodeFeatures:
        return features.thinned(self.feature_dropout, self.model.training_precision)

    def messages(self, hidden: Tensor | None = None) -> list[Adjacency]:
        """What messages of the whole graph pass over."""
        if self.adjacency is None:
            return []
        return [self.adjacency.whole if hidden is None else self.adjacency.without(hidden)]

    def scale(self) -> None:
        """Scales the model's first weights (`Encoder.scale`), on some of the nodes where a step may do with some."""
        features, adjacencies = self.features, self.messages()
        if self.may_choose and (self.fanouts is not None or self.features.num_nodes > WHOLE_NODES):
            step = -(-self.features.num_nodes // WHOLE_NODES)
            features, adjacencies = self._around(torch.arange(0, self.features.num_nodes, step), None)
        self.model.encoder.scale(features, adjacencies)

    def _around(self, nodes: Tensor, hidden: Tensor | None) -> tuple[NodeFeatures, list[Adjacency]]:
        """The features that the representations of some nodes take, and what messages pass over."""
        adjacencies: list[Adjacency] = []
        if self.adjacency is not None and self.fanouts is not None:
            nodes, adjacencies = self.adjacency.sampled(nodes, hidden, self.fanouts, self.rng)
        else:
            nodes = torch.cat((nodes, nodes[:1].expand(-nodes.numel() % ROWS_MULTIPLE)))  # again, for no one to look at
        return self.features.rows(nodes.to(self.features.matrix.device)), adjacencies

    @cached_property
    def _row(self) -> Tensor:
        """int64 [N], of which each step writes what it reads: to clear it would take as long as the graph."""
        return torch.empty(self.features.num_nodes, dtype=torch.int64, device=self.features.matrix.device)
