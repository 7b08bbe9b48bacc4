"""Steps of Adam and Muon: which weights either moves, and how far."""

import pytest
import torch
from torch import nn

from llp_core.training.optimizers import Muon, WeightSteps


def moved(kind, weight: torch.Tensor, gradient: torch.Tensor, learning_rate: float = 0.01) -> torch.Tensor:
    """By how much one step moves a weight."""
    parameter = nn.Parameter(weight.clone())
    bias = nn.Parameter(torch.zeros(3))
    parameter.grad, bias.grad = gradient, torch.ones(3)
    WeightSteps([bias, parameter], kind, torch.float32).take(learning_rate)
    torch.testing.assert_close(bias.detach(), torch.full((3,), -learning_rate))  # Adam's first step, by either kind
    return parameter.detach() - weight


@pytest.fixture
def gradient() -> torch.Tensor:
    """float32 [40, 16] of singular values from 1 down to a thousandth."""
    rng = torch.Generator().manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(40, 16, generator=rng))
    right, _ = torch.linalg.qr(torch.randn(16, 16, generator=rng))
    return left * torch.logspace(0, -3, 16) @ right.T


def test_muon_moves_all_directions_of_a_matrix_alike(gradient) -> None:
    step = moved("muon", torch.ones(40, 16), gradient)
    values = torch.linalg.svdvals(step)[:12]  # 12 of 16: the weakest are lifted, but not all the way in one step
    assert values.max() / values.min() < 2
    adam = torch.linalg.svdvals(moved("adam", torch.ones(40, 16), gradient))[:12]
    assert adam.max() / adam.min() > 2
    assert nn.functional.cosine_similarity(step.flatten(), -gradient.flatten(), dim=0) > 0


def test_a_step_of_muon_is_about_as_large_as_one_of_adam(gradient) -> None:
    sizes = [moved(kind, torch.ones(40, 16), gradient).square().mean().sqrt() for kind in ("muon", "adam")]
    assert 0.1 < sizes[0] / sizes[1] < 1


@pytest.mark.parametrize("shape", [(16, 1), (1, 16), (16,)])
def test_muon_leaves_to_adam_what_has_one_direction(shape) -> None:
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(moved("muon", torch.ones(shape), gradient), moved("adam", torch.ones(shape), gradient))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(40, 16), (16, 40), (16, 16)])
def test_muon_steps_as_pytorchs_does(shape, precision) -> None:
    rng = torch.Generator().manual_seed(0)
    ours, theirs = (nn.Parameter(torch.zeros(shape)) for _ in range(2))
    mine = Muon([ours], precision)
    mine.param_groups[0]["lr"] = 0.01
    other = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        ours.grad = torch.randn(shape, generator=rng)
        theirs.grad = ours.grad.clone()
        mine.step()
        other.step()
    ours, theirs = ours.detach().flatten(), theirs.detach().flatten()
    assert nn.functional.cosine_similarity(ours, theirs, dim=0) > 0.999  # theirs is in bfloat16
    assert ours.norm() / theirs.norm() == pytest.approx(1, abs=0.02)


def test_a_matrix_without_a_direction_stays() -> None:
    assert moved("muon", torch.ones(40, 16), torch.zeros(40, 16)).eq(0).all()
