"""Dropout that costs little on a CPU."""

import torch
from torch import Tensor, nn

keep_above = torch.ops.aten.threshold_backward
"""keep_above(x, y, t): x where y > t, else 0, in one vectorised pass (`torch.where` takes twenty times as long)."""


class Dropout(nn.Module):
    """Dropout whose noise comes from a generator of its own, since threads share the global one.

    One random byte decides an element, eight from each drawn number: it costs a fraction of what
    `torch.nn.functional.dropout` takes on a CPU. The rate is rounded to a multiple of 1/256.

    Args:
        rate: share of elements set to 0, 0 <= rate < 1; the rest is scaled up to keep the mean.
        rng: of the noise; it may be set later.
    """

    def __init__(self, rate: float, rng: torch.Generator | None = None) -> None:
        super().__init__()
        dropped = min(round(rate * 256), 255)
        self.active = dropped > 0
        self.threshold = dropped - 129
        """An element is kept where its noise, -128..127, is above this."""
        self.scale = 256 / (256 - dropped)
        self.rng = rng

    @property
    def dropping(self) -> bool:
        """Whether anything is dropped now: in training, at a rate above 0."""
        return self.training and self.active

    def noise(self, x: Tensor, out: Tensor | None = None) -> Tensor | None:
        """Uniform whole numbers -128..127, of the shape, dtype and device of x; None where nothing is dropped.

        Args:
            x: that is to be thinned out.
            out: where to put them, or None for new memory.
        """
        if not self.dropping:
            return None
        if self.rng is None:
            raise RuntimeError("Dropout has no generator: call LinkModel.set_training first")
        numbers = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device)
        drawn = numbers.random_(-(2**63), None, generator=self.rng).view(torch.int8)[: x.numel()].view(x.shape)
        return drawn.to(x.dtype) if out is None else out.copy_(drawn)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape and dtype, unchanged outside training."""
        noise = self.noise(x)
        return x if noise is None else keep_above(x, noise, self.threshold) * self.scale
