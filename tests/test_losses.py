"""Losses against answers worked out by hand."""

from math import exp, log

import pytest
import torch

from llp_core.losses import distribution_loss, label_loss, logit_loss, rank_loss, representation_loss


def scores(*values: float) -> torch.Tensor:
    return torch.tensor([values])


def test_label_loss_is_cross_entropy() -> None:
    loss = label_loss(torch.tensor([0.8, 0.25]).logit(), torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(-(log(0.8) + log(0.75)) / 2, rel=1e-5)


def test_logit_loss_compares_probabilities() -> None:
    loss = logit_loss(torch.tensor([0.5, 0.9]).logit(), torch.tensor([0.7, 0.6]).logit())
    assert loss.item() == pytest.approx((0.2**2 + 0.3**2) / 2, rel=1e-5)


def test_representation_loss_ignores_length() -> None:
    own, teacher = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[5.0, 0.0], [1.0, 0.0]])
    assert representation_loss(own, teacher).item() == pytest.approx((0 + 1) / 2)


def test_rank_loss_by_hand() -> None:
    # Teacher: 0.9 > 0.5 > 0.45. Of the three pairs the last lies within the margin 0.1 and is left out.
    # Student: pair (0, 1) is wrong by 0.2, costs 0.2 + 0.1; pair (0, 2) is right by 0.25, costs nothing.
    loss = rank_loss(scores(0.4, 0.6, 0.15), scores(0.9, 0.5, 0.45), margin=0.1)
    assert loss.item() == pytest.approx(0.3 / 3, rel=1e-4)


def test_rank_loss_has_the_gradient_of_the_published_margin_loss() -> None:
    rng = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(4, 6, generator=rng), torch.randn(4, 6, generator=rng)
    ours, theirs = student.clone().requires_grad_(), student.clone().requires_grad_()
    rank_loss(ours, teacher, 0.1).backward()
    i, j = torch.triu_indices(6, 6, offset=1)
    gap = teacher[:, i] - teacher[:, j]
    order = torch.where(gap > 0.1, 1.0, torch.where(gap < -0.1, -1.0, 0.0))
    torch.nn.functional.margin_ranking_loss(theirs[:, i], theirs[:, j], order, margin=0.1).backward()
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_rank_loss_of_a_single_context_node_is_zero() -> None:
    assert rank_loss(scores(0.4), scores(0.9), margin=0.1).item() == 0


def test_distribution_loss_by_hand() -> None:
    # At temperature 0.5 the softmax sees twice the scores.
    student, teacher = [1.2, 0.4], [1.6, 0.6]
    p = [exp(t) / sum(map(exp, teacher)) for t in teacher]
    q = [exp(s) / sum(map(exp, student)) for s in student]
    expected = sum(a * log(a / b) for a, b in zip(p, q, strict=True))
    loss = distribution_loss(scores(0.6, 0.2), scores(0.8, 0.3), temperature=0.5)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_distribution_loss_is_zero_for_the_teacher_itself_and_positive_otherwise() -> None:
    rng = torch.Generator().manual_seed(0)
    teacher, other = torch.randn(3, 5, generator=rng), torch.randn(3, 5, generator=rng)
    assert distribution_loss(teacher, teacher, 1.0).item() == pytest.approx(0, abs=1e-7)
    assert distribution_loss(other, teacher, 1.0).item() > 1e-3


def test_distribution_loss_is_a_mean_over_anchors() -> None:
    one = distribution_loss(scores(0.6, 0.2), scores(0.8, 0.3), 1.0)
    both = distribution_loss(scores(0.6, 0.2).repeat(2, 1), scores(0.8, 0.3).repeat(2, 1), 1.0)
    assert both.item() == pytest.approx(one.item())
