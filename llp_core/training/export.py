"""What a teacher leaves to its students: its logits on every context pair and training pair."""

import torch
from torch import Tensor

from llp_core.graph import pair_keys
from llp_core.models import LinkModel, NodeFeatures, TrainingAdjacency
from llp_core.progress import Progress
from llp_core.sampling import sample_negatives
from llp_core.types import Contexts, TeacherScores, TrainingGraph


class _Halves:
    """The teacher's representations with messages over one half of the training edges, and over the other.

    Args:
        model: the teacher, at rest.
        features: of the N training nodes.
        adjacency: of the training edges.
        first: bool [E], the edges of the first half.
    """

    def __init__(self, model: LinkModel, features: NodeFeatures, adjacency: TrainingAdjacency, first: Tensor) -> None:
        self.model = model
        self.first = first
        self.num_nodes = features.num_nodes
        hidden = (half.nonzero().flatten() for half in (~first, first))
        self.representations = torch.cat([model.encode(features, adjacency.without(edges)) for edges in hidden])

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
    anchor = torch.arange(anchors).repeat_interleave(size)
    context_logits = torch.empty(rounds, anchors, size)
    edge_logits = torch.zeros(count)
    negatives = torch.empty(rounds, 2, count, dtype=torch.int32)
    negative_logits = torch.empty(rounds, count)
    with Progress(rounds, name) as progress:
        for number, nodes in enumerate(contexts.nodes):
            halves = _Halves(model, features, adjacency, torch.rand(count, generator=rng) < 0.5)
            pairs = torch.stack((anchor, nodes.flatten().long()))
            edge = _find(pair_keys(pairs.sort(0).values, graph.num_nodes), known, order)
            context_logits[number] = halves.score(pairs, edge).view(anchors, size)
            edge_logits += halves.score(graph.edges, torch.arange(count)) / rounds
            negatives[number] = drawn = sample_negatives(known, graph.num_nodes, count, rng)
            negative_logits[number] = halves.score(drawn, torch.full((count,), -1))
            progress.advance()
    representations = model.encode(features, adjacency.whole)
    return TeacherScores(context_logits, edge_logits, negatives, negative_logits, representations.cpu())


def _find(keys: Tensor, known: Tensor, order: Tensor) -> Tensor:
    """int64 [P]: the number of the edge of each key, -1 where it is none; `known` ascends, `order` are its numbers."""
    position = torch.searchsorted(known, keys).clamp_(max=known.numel() - 1)
    return torch.where(known[position] == keys, order[position], -1)
