"""What moves the weights of a training: Adam, or Muon for the matrices and Adam for the rest."""

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn


class WeightSteps:
    """Steps of a model's weights against their gradients.

    Muon makes all singular values of a matrix's step alike; scaled as here, a step is as large as one of Adam, so that
    the learning rates of both compare (arXiv 2502.16982).

    Args:
        weights: of the model, in an order that stays.
        kind: of the optimiser.
    """

    def __init__(self, weights: Iterable[nn.Parameter], kind: Literal["adam", "muon"]) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for weight in weights:
            is_matrix = weight.dim() == 2 and min(weight.shape) > 1
            (matrices if is_matrix and kind == "muon" else others).append(weight)
        self._optimizers: list[torch.optim.Optimizer] = [torch.optim.Adam(others, fused=True)]
        if matrices:
            self._optimizers.append(torch.optim.Muon(matrices, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"))

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
