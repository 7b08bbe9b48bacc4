"""Ranking metrics of link prediction: scores of positive pairs against those of one set of negative pairs.

Ties count against the positive in hits, as in OGB's `Evaluator`, and in rank, where that halves them; half in AUC.
"""

import numpy as np
import torch
from torch import Tensor

HITS_AT = (10, 20, 30, 50)
"""Every K at which the test edges are scored."""


def hits_at_k(positive: Tensor, negative: Tensor, k: int) -> float:
    """The share of positives (float [P]) scored above the k-th best negative (float [M]).

    Raises:
        ValueError: there are fewer than k negatives (OGB would call every positive a hit), no positive, or a
            score that is not finite.
    """
    _require_scores(positive, negative)
    if negative.numel() < k:
        raise ValueError(f"Hits@{k} needs at least {k} negatives, got {negative.numel()}")
    return (positive > negative.topk(k).values[-1]).double().mean().item()


def validation_score(positive: Tensor, negative: Tensor) -> float:
    """What the epoch, and the teacher among candidates, is chosen by: the mean of Hits@10, 20, 30 and 50.

    One K against as many negatives as positives turns on a handful of pairs. There may be r times as many negatives
    (float [M]) as positives (float [P]) here; each K is then taken r times as far down, which is the same threshold
    estimated from more pairs. A K for which there are too few is left out.

    Raises:
        ValueError: as `hits_at_k` does.
    """
    ratio = negative.numel() / max(positive.numel(), 1)
    ranks = [max(round(ratio * k), 1) for k in HITS_AT]
    reached = [rank for rank in ranks if rank <= negative.numel()] or [negative.numel()]
    return sum(hits_at_k(positive, negative, rank) for rank in reached) / len(reached)


def mean_reciprocal_rank(positive: Tensor, negative: Tensor) -> float:
    """The mean over positives (float [P]) of 1 / rank among the negatives (float [M]), both on the CPU.

    Raises:
        ValueError: no positive, no negative, or a score that is not finite.
    """
    _require_scores(positive, negative)
    better = negative.numel() - torch.searchsorted(_ascending(negative), positive)
    return (1 + better).double().reciprocal().mean().item()


def area_under_curve(positive: Tensor, negative: Tensor) -> float:
    """The chance that a positive (float [P]) scores above a negative (float [M]), both on the CPU; a tie counts half.

    Raises:
        ValueError: no positive, no negative, or a score that is not finite.
    """
    _require_scores(positive, negative)
    ascending = _ascending(negative)
    below = torch.searchsorted(ascending, positive)
    not_above = torch.searchsorted(ascending, positive, right=True)
    return ((below + not_above).double().mean() / (2 * negative.numel())).item()


def _ascending(scores: Tensor) -> Tensor:
    return torch.from_numpy(np.sort(scores.numpy()))  # takes a twentieth of the time that PyTorch does


def _require_scores(positive: Tensor, negative: Tensor) -> None:
    for name, scores in (("positive", positive), ("negative", negative)):
        if scores.numel() == 0:
            raise ValueError(f"there is no {name} pair to score")
        bad = int((~torch.isfinite(scores)).sum())
        if bad:
            raise ValueError(f"{bad} of {scores.numel()} {name} scores are not finite")
