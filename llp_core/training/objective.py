"""What a model minimises: the weighted losses of one step, in chunks that bound memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from llp_core.graph import distinct, pair_keys, sort_keys
from llp_core.losses import distribution_loss, label_loss, logit_loss, rank_loss, representation_loss
from llp_core.models import TrainingDecoder
from llp_core.sampling import PairSpace, draw_negatives
from llp_core.types import Contexts, TeacherScores

Shares = dict[str, Tensor]
"""Loss -> a chunk's share of it; the shares of all chunks of a step add up to the loss, a mean over the step."""

ELEMENTS_AT_ONCE = 1 << 20
"""Numbers in the largest tensor of one chunk: 4 MiB of float32: near the caches, and memory that is taken once and
used again, where each larger tensor would be given back to the system and fetched anew."""

GPU_ELEMENTS_AT_ONCE = 1 << 25
"""The same on a GPU, 128 MiB: to launch the kernels of a small chunk takes longer than they do."""


@dataclass(frozen=True, eq=False)
class Step:
    """One step of the optimiser.

    Attributes:
        epoch: from 0.
        edges: int64 [B], which training edges.
        anchors: int64 [A'], which anchors.
    """

    epoch: int
    edges: Tensor
    anchors: Tensor


@dataclass(frozen=True, eq=False)
class Teaching:
    """What a student learns from: contexts, the teacher's scores, and the settings of rank and distribution loss."""

    contexts: Contexts
    scores: TeacherScores
    margin: float
    temperature: float
    match: Literal["probabilities", "logits"]


@dataclass(frozen=True, eq=False)
class Objective:
    """A weighted sum of losses on the training edges and, for a student, on the contexts of anchors.

    Attributes:
        edges: int64 [2, E], the training edges, on the CPU.
        space: the pairs of A nodes that may have an edge.
        weights: loss -> weight; a loss of weight 0 is not computed.
        negatives: pairs without an edge that the label loss draws for each training edge of a step, where there are
            as many.
        teaching: None for a teacher.
        rng: CPU generator of the sampled pairs without an edge.
    """

    edges: Tensor
    space: PairSpace
    weights: Mapping[str, float]
    negatives: int
    teaching: Teaching | None
    rng: torch.Generator

    @property
    def _taught(self) -> Teaching:
        if self.teaching is None:
            raise ValueError(f"losses {', '.join(self.weights)} need a teacher's scores, and there are none")
        return self.teaching

    @cached_property
    def _active(self) -> set[str]:
        return {name for name, weight in self.weights.items() if weight > 0}

    def pairs(self, step: Step) -> Tensor:
        """int64 [2, P]: a step's edges, then pairs without one, drawn anew: what the label loss sees, or none."""
        if "label" not in self._active:
            return self.edges[:, :0]
        return torch.cat((self.edges[:, step.edges], self._negatives(step)), dim=1)

    def nodes(self, step: Step, pairs: Tensor) -> Tensor:
        """int64, ascending: the nodes whose representations a step with these pairs needs."""
        needed = [pairs.flatten()]
        if "logit" in self._active:
            needed.append(self._scored_pairs(step).flatten())
        if self._active - {"label", "logit"}:
            needed.append(step.anchors)
        if self._active & {"rank", "distribution"}:
            needed.append(self._taught.contexts.nodes[self._round(step), step.anchors].flatten().long())
        return distinct(torch.cat(needed), self.space.num_nodes)

    def chunks(self, decoder: TrainingDecoder, step: Step, pairs: Tensor) -> Iterator[Shares]:
        """The losses of one step, chunk by chunk, unweighted. Chunks share no computation.

        Args:
            decoder: on the representations of the nodes that the step needs; the gradient is taken up to those.
            step: which edges and anchors.
            pairs: of the step (see `pairs`).
        """
        active = self._active
        if "label" in active:
            yield from self._label_chunks(decoder, step, pairs)
        if "logit" in active:
            yield from self._logit_chunks(decoder, step)
        if active & {"rank", "distribution"}:
            yield from self._context_chunks(decoder, step, active)
        if "representation" in active:
            own = decoder.representations[decoder.rows(step.anchors)]
            target = self._taught.scores.representations[step.anchors].to(own.device)
            yield {"representation": representation_loss(own, target)}

    def _label_chunks(self, decoder: TrainingDecoder, step: Step, pairs: Tensor) -> Iterator[Shares]:
        labels = torch.zeros(pairs.shape[1])
        labels[: step.edges.numel()] = 1
        for chunk, share, logits in _decoded(decoder, pairs):
            yield {"label": share * label_loss(logits, labels[chunk].to(logits.device))}

    def _logit_chunks(self, decoder: TrainingDecoder, step: Step) -> Iterator[Shares]:
        scores = self._taught.scores
        teacher = torch.cat((scores.edge_logits[step.edges], scores.negative_logits[self._round(step), step.edges]))
        for chunk, share, logits in _decoded(decoder, self._scored_pairs(step)):
            yield {"logit": share * logit_loss(logits, teacher[chunk].to(logits.device))}

    def _scored_pairs(self, step: Step) -> Tensor:
        """int64 [2, 2 B]: a step's edges, and as many pairs without an edge that the teacher scored."""
        negatives = self._taught.scores.negatives[self._round(step)][:, step.edges]
        return torch.cat((self.edges[:, step.edges], negatives.long()), dim=1)

    def _negatives(self, step: Step) -> Tensor:
        count, possible = step.edges.numel(), self.space.count - self._known.numel()
        return draw_negatives(self._known, self.space, max(count, min(self.negatives * count, possible)), self.rng)

    def _round(self, step: Step) -> int:
        """Which round of contexts and of scored pairs an epoch takes, in turn."""
        return step.epoch % self._taught.contexts.rounds

    @cached_property
    def _known(self) -> Tensor:
        return sort_keys(pair_keys(self.edges, self.space.num_nodes))

    def _context_chunks(self, decoder: TrainingDecoder, step: Step, active: set[str]) -> Iterator[Shares]:
        teaching = self._taught
        contexts = teaching.contexts
        round_number = self._round(step)
        size = contexts.nodes.shape[2]
        widest = size * max(decoder.width, size if "rank" in active else 0)
        for anchors in torch.split(step.anchors, max(1, _elements_at_once(decoder) // widest)):
            share = anchors.numel() / step.anchors.numel()
            nodes = contexts.nodes[round_number, anchors].long().to(decoder.device)
            teacher = teaching.scores.context_logits[round_number, anchors].to(decoder.device)
            own = decoder.contexts(anchors.to(decoder.device), nodes)
            if teaching.match == "probabilities":
                own, teacher = own.sigmoid(), teacher.sigmoid()
            losses = {}
            if "rank" in active:
                losses["rank"] = share * rank_loss(own, teacher, teaching.margin)
            if "distribution" in active:
                losses["distribution"] = share * distribution_loss(own, teacher, teaching.temperature)
            yield losses


def _decoded(decoder: TrainingDecoder, pairs: Tensor) -> Iterator[tuple[Tensor, float, Tensor]]:
    """Pairs in chunks: which they are, their share of all, and their logits."""
    for chunk in torch.split(torch.arange(pairs.shape[1]), max(1, _elements_at_once(decoder) // decoder.width)):
        yield chunk, chunk.numel() / pairs.shape[1], decoder.pairs(pairs[:, chunk].to(decoder.device))


def _elements_at_once(decoder: TrainingDecoder) -> int:
    return ELEMENTS_AT_ONCE if decoder.device.type == "cpu" else GPU_ELEMENTS_AT_ONCE
