"""What a teacher leaves to its students: its logits on every context pair and training pair."""

import torch
from torch import Tensor

from llp_core.graph import pair_keys, undirected_keys
from llp_core.models import LinkModel, NodeFeatures, TrainingAdjacency
from llp_core.models.link_model import PAIRS_AT_ONCE
from llp_core.progress import Progress
from llp_core.sampling import PairSpace, sample_negatives
from llp_core.types import Contexts, TeacherScores, TrainingGraph

CONTEXTS_AT_ONCE = 16 * PAIRS_AT_ONCE
"""Context pairs that are looked up and scored at once, which bounds memory."""


class _Halves:
    """The teacher's representations with messages over one half of the training edges, and over the other.

    Args:
        model: the teacher, at rest.
        features: of the N training nodes.
        adjacency: of the training edges.
    """

    def __init__(self, model: LinkModel, features: NodeFeatures, adjacency: TrainingAdjacency) -> None:
        self.model = model
        self.features = features
        self.adjacency = adjacency
        self.num_nodes = features.num_nodes
        self.representations = torch.empty(2 * self.num_nodes, model.spec.hidden, device=features.matrix.device)

    def divide(self, first: Tensor) -> None:
        """Encodes anew, in the same memory; bool [E] says which edges are in the first half."""
        self.first = first
        for half, out in zip((~first, first), torch.split(self.representations, self.num_nodes), strict=True):
            self.model.encode(self.features, self.adjacency.without(half.nonzero().flatten()), out=out)

    def whole(self) -> Tensor:
        """float32 [N, D]: with messages over all edges, in the same memory."""
        return self.model.encode(self.features, self.adjacency.whole, out=self.representations[: self.num_nodes])

    def score(self, pairs: Tensor, edge: Tensor) -> Tensor:
        """Logits, float32 [P], of pairs, int64 [2, P].

        Args:
            pairs: of training nodes.
            edge: int64 [P], which training edge each pair is, or -1. An edge is scored with messages over the half
                that it is not in; any other pair over the first half.
        """
        over_second = (edge >= 0) & self.first[edge]
        rows = pairs + self.num_nodes * over_second
        return self.model.score(self.representations, rows.to(self.representations.device)).cpu()


@torch.no_grad()
def export_scores(
    model: LinkModel, graph: TrainingGraph, contexts: Contexts, rng: torch.Generator, name: str
) -> TeacherScores:
    """Scores contexts, training edges and as many sampled non-edges a round, with the teacher at rest (no dropout).

    No edge is scored while messages pass over it: each round splits the edges into random halves, and an edge of one
    half is scored with messages over the other. Otherwise a student would be taught to recognise the edges that its
    teacher was shown. The representations are those of the whole graph.

    Args:
        model: the teacher, on its device.
        graph: what training may see.
        contexts: of the graph's nodes.
        rng: CPU generator of the halves and the non-edges.
        name: stands in progress lines.
    """
    device = next(model.parameters()).device
    model.eval()
    adjacency = TrainingAdjacency(graph.edges, graph.num_nodes, device)
    features = NodeFeatures.of(graph.features, device)
    rounds, anchors, size = contexts.nodes.shape
    count = graph.edges.shape[1]
    known, order = pair_keys(graph.edges, graph.num_nodes).sort()
    context_logits = torch.empty(rounds, anchors, size)
    edge_logits = torch.zeros(count)
    negatives = torch.empty(rounds, 2, count, dtype=torch.int32)
    negative_logits = torch.empty(rounds, count)
    halves = _Halves(model, features, adjacency)
    space = PairSpace.of(graph)
    with Progress(rounds, name) as progress:
        for number, nodes in enumerate(contexts.nodes):
            halves.divide(torch.rand(count, generator=rng) < 0.5)
            for chunk in torch.split(torch.arange(anchors * size), CONTEXTS_AT_ONCE):
                pairs = torch.stack((chunk // size, nodes.flatten()[chunk].long()))
                edge = _find(undirected_keys(pairs, graph.num_nodes), known, order)
                context_logits[number].view(-1)[chunk] = halves.score(pairs, edge)
            edge_logits += halves.score(graph.edges, torch.arange(count)) / rounds
            negatives[number] = drawn = sample_negatives(known, space, count, rng)
            negative_logits[number] = halves.score(drawn, torch.full((count,), -1))
            progress.advance()
    return TeacherScores(context_logits, edge_logits, negatives, negative_logits, halves.whole().cpu())


def _find(keys: Tensor, known: Tensor, order: Tensor) -> Tensor:
    """int64 [P]: the number of the edge of each key, -1 where it is none; `known` ascends, `order` are its numbers."""
    position = torch.searchsorted(known, keys).clamp_(max=known.numel() - 1)
    return torch.where(known[position] == keys, order[position], -1)
