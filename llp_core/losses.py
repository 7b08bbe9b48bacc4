"""The losses of label training and of distillation, each a pure function (paper: arXiv 2210.05801).

Pairs P, anchors A, context size C, nodes N, width D. Student values carry the gradient; teacher values are
constants.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross entropy of logits, float32 [P], against labels 0 or 1, float32 [P]."""
    return F.binary_cross_entropy_with_logits(logits, labels)


def logit_loss(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Logit matching: the mean squared difference of the two probabilities; both are logits, float32 [P]."""
    return F.mse_loss(logits.sigmoid(), teacher_logits.sigmoid())


def representation_loss(representations: Tensor, teacher_representations: Tensor) -> Tensor:
    """Representation matching: 1 - cosine similarity, mean over nodes; both float32 [N, D]."""
    return 1 - F.cosine_similarity(representations, teacher_representations, dim=-1).mean()


def rank_loss(logits: Tensor, teacher_logits: Tensor, margin: float) -> Tensor:
    """Rank-based matching (LLP_R): the student orders an anchor's context as the teacher does.

    A pair of context nodes whose teacher probabilities lie within the margin adds only a constant and is left
    out; the mean is still over all pairs of the context, so that the loss keeps the paper's scale.

    Args:
        logits: float32 [A, C], the student's, of each anchor with its context nodes.
        teacher_logits: float32 [A, C].
        margin: in probability.
    """
    size = logits.shape[1]
    first, second = torch.triu_indices(size, size, offset=1, device=logits.device)
    teacher = teacher_logits.sigmoid()
    student = logits.sigmoid()
    gap = teacher[:, first] - teacher[:, second]
    order = (gap > margin).to(student.dtype) - (gap < -margin).to(student.dtype)
    violation = (margin - order * (student[:, first] - student[:, second])).relu()
    return (violation * order.abs()).sum() / max(violation.numel(), 1)


def distribution_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Distribution-based matching (LLP_D): KL(teacher || student) over the context, mean over anchors.

    Both distributions are a softmax over the context of probabilities divided by the temperature.

    Args:
        logits: float32 [A, C], the student's, of each anchor with its context nodes.
        teacher_logits: float32 [A, C].
        temperature: above 0; at 1, probabilities give nearly flat distributions.
    """
    student = F.log_softmax(logits.sigmoid() / temperature, dim=-1)
    teacher = F.log_softmax(teacher_logits.sigmoid() / temperature, dim=-1)
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True)
