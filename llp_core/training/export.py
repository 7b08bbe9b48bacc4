"""What a teacher leaves to its students: its logits on every context pair and training pair."""

import torch
from torch import Tensor

from llp_core.graph import pair_keys
from llp_core.models import Adjacency, LinkModel, NodeFeatures
from llp_core.progress import Progress
from llp_core.sampling import sample_negatives
from llp_core.types import Contexts, TeacherScores, TrainingGraph


@torch.no_grad()
def export_scores(
    model: LinkModel, graph: TrainingGraph, contexts: Contexts, rng: torch.Generator, name: str
) -> TeacherScores:
    """Scores contexts, training edges and as many sampled non-edges a round, with the teacher at rest (no dropout).

    Args:
        model: the teacher, on its device.
        graph: what training may see.
        contexts: of the graph's nodes.
        rng: CPU generator of the non-edges.
        name: stands in progress lines.
    """
    device = next(model.parameters()).device
    model.eval()
    adjacency = Adjacency.from_edges(graph.edges, graph.num_nodes, device)
    representations = model.encode(NodeFeatures.of(graph.features, device), adjacency)

    def score(pairs: Tensor) -> Tensor:
        return model.score(representations, pairs.to(device)).cpu()

    rounds, anchors, size = contexts.nodes.shape
    known = pair_keys(graph.edges, graph.num_nodes).sort().values
    anchor = torch.arange(anchors).repeat_interleave(size)
    context_logits = torch.empty(rounds, anchors, size)
    negatives = torch.empty(rounds, *graph.edges.shape, dtype=torch.int32)
    negative_logits = torch.empty(rounds, graph.edges.shape[1])
    with Progress(rounds, name) as progress:
        for number, nodes in enumerate(contexts.nodes):
            context_logits[number] = score(torch.stack((anchor, nodes.flatten().long()))).view(anchors, size)
            drawn = sample_negatives(known, graph.num_nodes, graph.edges.shape[1], rng)
            negatives[number], negative_logits[number] = drawn, score(drawn)
            progress.advance()
    return TeacherScores(context_logits, score(graph.edges), negatives, negative_logits, representations.cpu())
