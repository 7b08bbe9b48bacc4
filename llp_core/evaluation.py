"""Figures of models on the test edges: hits, MRR and AUC, overall, per group of edges and per degree."""

from collections.abc import Mapping

import torch
from torch import Tensor

from llp_core.graph import degrees, select_rows
from llp_core.metrics import HITS_AT, area_under_curve, hits_at_k, mean_reciprocal_rank
from llp_core.models import Adjacency, LinkModel, NodeFeatures
from llp_core.names import ALL_EDGES, EDGE_GROUPS
from llp_core.types import Evaluation, LinkSplit

DEGREE_BOUNDS = (0, 1, 3, 6, 11, 21)
"""The lowest degree of each bucket; the last one has no upper bound."""


@torch.inference_mode()
def score_test_pairs(model: LinkModel, features: NodeFeatures, split: LinkSplit) -> tuple[Tensor, Tensor]:
    """Logits, float32, of the test edges [T] and of the test negatives [T'] of a split, on the model's device.

    A GNN passes messages over `split.inference_edges`.

    Args:
        model: in any mode; it scores without dropout.
        features: of every node, on the model's device.
        split: names the pairs.
    """
    device = features.matrix.device
    model.eval()
    graph = [Adjacency.from_edges(split.inference_edges, split.num_nodes, device)] if model.encoder.needs_graph else []
    hidden = model.encode(features, *graph)
    return model.score(hidden, split.test_edges.to(device)), model.score(hidden, split.test_negatives.to(device))


@torch.inference_mode()
def score_pairs(model: LinkModel, features: Tensor, pairs: Tensor) -> Tensor:
    """Logits, float32 [P] on the CPU, of a student for pairs, int64 [2, P]. Only their nodes are encoded.

    Args:
        model: in evaluation mode; it needs no graph.
        features: of every node, [N, F] on the CPU, dense or CSR.
        pairs: of nodes.
    """
    device = next(model.parameters()).device
    nodes, local = torch.unique(pairs, return_inverse=True)
    hidden = model.encode(NodeFeatures.of(select_rows(features, nodes), device))
    return model.score(hidden, local.to(device)).cpu()


def evaluate(split: LinkSplit, logits: Mapping[str, tuple[Tensor, Tensor]]) -> Evaluation:
    """Figures of every method on the test edges of a split.

    Args:
        split: names the test edges and what messages pass over.
        logits: method -> logits of `split.test_edges` (float32 [T]) and `split.test_negatives` (float32 [T']).

    Raises:
        ValueError: there are fewer than 50 negatives, or a score is not finite.
    """
    groups = _groups(split)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for method, (positive, negative) in logits.items():
        positive, negative = positive.cpu(), negative.cpu()
        figures[method] = {name: _figures(positive[members], negative) for name, members in groups.items()}
    return Evaluation(
        setting=split.setting,
        negatives=split.test_negatives.shape[1],
        positives={name: members.numel() for name, members in groups.items()},
        figures=figures,
    )


def _figures(positive: Tensor, negative: Tensor) -> dict[str, float]:
    return {
        **{f"hits_at_{k}": hits_at_k(positive, negative, k) for k in HITS_AT},
        "mrr": mean_reciprocal_rank(positive, negative),
        "auc": area_under_curve(positive, negative),
    }


def _groups(split: LinkSplit) -> dict[str, Tensor]:
    """Group -> positions of its test edges, int64; groups without any are left out.

    In a degree bucket each test edge counts once for each of its ends that falls into it.
    """
    group = split.test_group
    groups = {ALL_EDGES: torch.arange(group.numel())}
    if bool(split.is_new.any()):
        groups |= {name: (group == number).nonzero().flatten() for number, name in enumerate(EDGE_GROUPS)}
    degree = degrees(split.inference_edges, split.num_nodes)[split.test_edges]
    bucket = torch.bucketize(degree, torch.tensor(DEGREE_BOUNDS), right=True) - 1
    for number, low in enumerate(DEGREE_BOUNDS):
        last = number + 1 == len(DEGREE_BOUNDS)
        high = None if last else DEGREE_BOUNDS[number + 1] - 1
        name = f"degree {low}+" if last else f"degree {low}" if low == high else f"degree {low}-{high}"
        groups[name] = (bucket == number).nonzero()[:, 1]
    return {name: members for name, members in groups.items() if members.numel()}
