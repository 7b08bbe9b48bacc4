"""What moves the weights of a training: Adam, or Muon for the matrices and Adam for the rest."""

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
"""Of Muon: how much of the running mean of gradients one step keeps."""
ROUNDS = 5
"""Of the iteration that makes singular values alike."""
ODD_POLYNOMIAL = (3.4445, -4.7750, 2.0315)
"""Coefficients of x, x^3 and x^5, by which each round moves the singular values towards 1: those of Muon's authors,
which lift small ones fast and end between 0.7 and 1.2."""
SIZE_OF_ADAM = 0.2
"""Root mean square of a typical step of Adam, for a learning rate of 1 (arXiv 2502.16982, section 2.2)."""


class Muon(torch.optim.Optimizer):
    """Steps along the momentum of a matrix's gradient with all singular values made alike, and no weight decay.

    A step is as large as one of Adam, so that the learning rates of both compare. torch.optim.Muon does the same, but
    multiplies in bfloat16 even where the processor has none, which takes many times as long there.

    Args:
        weights: matrices.
        precision: of the products.
    """

    def __init__(self, weights: Iterable[nn.Parameter], precision: torch.dtype) -> None:
        super().__init__(weights, {"lr": 0.0})
        self._precision = precision

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Takes one step; weights without a gradient stay."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                    momentum.lerp_(weight.grad, 1 - MOMENTUM)
                    direction = _orthogonal(weight.grad.lerp(momentum, MOMENTUM).to(self._precision))
                    weight.sub_(direction, alpha=group["lr"] * SIZE_OF_ADAM * max(weight.shape) ** 0.5)


def _orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with singular values near 1, by Newton-Schulz iteration."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / wide.norm().clamp(min=torch.finfo(wide.dtype).tiny)
    first, third, fifth = ODD_POLYNOMIAL
    for _ in range(ROUNDS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=third, alpha=fifth), wide, beta=first)
    return wide if wide.shape == matrix.shape else wide.T


class WeightSteps:
    """Steps of a model's weights against their gradients.

    Args:
        weights: of the model, in an order that stays.
        kind: of the optimiser.
        precision: of products in training.
    """

    def __init__(self, weights: Iterable[nn.Parameter], kind: Literal["adam", "muon"], precision: torch.dtype) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for weight in weights:
            is_matrix = weight.dim() == 2 and min(weight.shape) > 1
            (matrices if is_matrix and kind == "muon" else others).append(weight)
        self._optimizers: list[torch.optim.Optimizer] = [torch.optim.Adam(others, fused=True)]
        if matrices:
            self._optimizers.append(Muon(matrices, precision))

    def take(self, learning_rate: float) -> None:
        """Takes one step."""
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """What the next steps depend on beside the weights."""
        return {
            f"{part}.{number}.{name}": tensor
            for part, optimizer in enumerate(self._optimizers)
            for number, slots in optimizer.state_dict()["state"].items()
            for name, tensor in slots.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from a `state`."""
        for part, optimizer in enumerate(self._optimizers):
            slots: dict[int, dict[str, Tensor]] = {}
            for key, tensor in state.items():
                owner, number, name = key.split(".")
                if int(owner) == part:
                    slots.setdefault(int(number), {})[name] = tensor
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": slots, "param_groups": groups})
