"""The losses of label training and of distillation, each a pure function (paper: arXiv 2210.05801).

Pairs P, anchors A, context size C, nodes N, width D. Student values carry the gradient; teacher values are
constants.
"""

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


def rank_loss(scores: Tensor, teacher_scores: Tensor, margin: float) -> Tensor:
    """Rank-based matching (LLP_R): the student orders an anchor's context as the teacher does.

    A pair of context nodes whose teacher scores lie within the margin adds only a constant and is left out; the mean
    is still over all pairs of the context, so that the loss keeps the paper's scale.

    Args:
        scores: float32 [A, C], the student's, of each anchor with its context nodes: probabilities in the paper.
        teacher_scores: float32 [A, C], of the same kind.
        margin: in the unit of the scores.
    """
    anchors, size = scores.shape
    above = (teacher_scores[:, :, None] - teacher_scores[:, None, :] > margin).to(scores.dtype)
    violation = (margin - scores[:, :, None] + scores[:, None, :]).relu()
    return (violation * above).sum() / max(anchors * size * (size - 1) / 2, 1)


def distribution_loss(scores: Tensor, teacher_scores: Tensor, temperature: float) -> Tensor:
    """Distribution-based matching (LLP_D): KL(teacher || student) over the context, mean over anchors.

    Both distributions are a softmax over the context of scores divided by the temperature.

    Args:
        scores: float32 [A, C], the student's, of each anchor with its context nodes: probabilities in the paper.
        teacher_scores: float32 [A, C], of the same kind.
        temperature: above 0; at 1, probabilities give nearly flat distributions.
    """
    student = F.log_softmax(scores / temperature, dim=-1)
    teacher = F.log_softmax(teacher_scores / temperature, dim=-1)
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True)
