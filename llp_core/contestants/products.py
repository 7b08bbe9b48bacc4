"""Dense products by the kernels of oneDNN in PyTorch, for CPUs: in float32 and in int8.

In float32 PyTorch multiplies by MKL, which is slower on processors that are not Intel's.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from llp_core.models import LinkModel, NodeFeatures
from llp_core.models.layers import Linear

_ROWS_AT_ONCE = 4096
"""Rows that are rounded at once: they stay in the processor's cache, and each chunk has a scale of its own."""


class Float32Linear(nn.Module):
    """The map x W + b of dense values, the same but for rounding.

    Args:
        linear: float32, on the CPU.
    """

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.weight = linear.weight.detach().T.contiguous()
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: Tensor | NodeFeatures) -> Tensor:
        """float32 [M, out] of float32 [M, in], or of dense features."""
        values = x.matrix if isinstance(x, NodeFeatures) else x
        product: Tensor = torch.ops.mkldnn._linear_pointwise(values, self.weight, self.bias, "none", [], "")
        return product


class Int8Linear(nn.Module):
    """The map x W + b of dense values, both factors rounded to 8 bits.

    Weights have a scale for each column, fixed; values a scale and a zero point for each chunk of rows, found as they
    come (dynamic quantisation). oneDNN multiplies unsigned by signed bytes and adds up whole numbers.

    Args:
        linear: float32, on the CPU.
    """

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        weight, columns = linear.weight.detach(), linear.weight.shape[1]
        self.scale = (weight.abs().amax(0) / 127).clamp(min=torch.finfo(torch.float32).tiny)
        rounded = (weight / self.scale).round().to(torch.int8)
        self.packed = torch.ops.onednn.qlinear_prepack(rounded.T.contiguous(), None)
        self.zero_point = torch.zeros(columns, dtype=torch.int32)
        self.bias = None if linear.bias is None else linear.bias.detach()
        self.width = columns

    def forward(self, x: Tensor | NodeFeatures) -> Tensor:
        """float32 [M, out] of float32 [M, in], or of dense features."""
        values = x.matrix if isinstance(x, NodeFeatures) else x
        if len(values) <= _ROWS_AT_ONCE:
            return self._product(values)
        out = values.new_empty(len(values), self.width)
        for rows, target in zip(torch.split(values, _ROWS_AT_ONCE), torch.split(out, _ROWS_AT_ONCE), strict=True):
            target.copy_(self._product(rows))
        return out

    def _product(self, x: Tensor) -> Tensor:
        low, high = (float(bound) for bound in x.aminmax()) if x.numel() else (0.0, 0.0)
        low, high = min(low, 0.0), max(high, 0.0)
        step = (high - low) / 255 or 1.0
        zero_point = round(-low / step)
        rounded = x.mul(1 / step).add_(zero_point).round_().clamp_(0, 255).to(torch.uint8)
        weight = (self.packed, self.scale, self.zero_point, self.bias)
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            rounded, step, zero_point, *weight, 1.0, 0, torch.float32, "none", [], ""
        )
        return product


def with_products(model: LinkModel, made: Callable[[Linear], nn.Module], sparse_features: bool) -> LinkModel:
    """A copy with other dense products.

    What stays as it is: sums over neighbours, the last product with a single column, and with sparse features the first
    layer, whose product is not dense.

    Args:
        model: on the CPU, in evaluation mode.
        made: `Float32Linear` or `Int8Linear`.
        sparse_features: whether the first layer is given sparse features.

    Raises:
        RuntimeError, AttributeError: PyTorch has no such kernel here.
    """
    changed = copy.deepcopy(model).requires_grad_(False)
    for layer in changed.encoder.layers[1 if sparse_features else 0 :]:
        for name, child in layer.named_children():
            if isinstance(child, Linear):
                setattr(layer, name, _working(made, child))
    if changed.decoder.hidden is not None:
        changed.decoder.hidden = _working(made, changed.decoder.hidden)  # type: ignore[assignment]
    return changed.eval()


@torch.inference_mode()
def _working(made: Callable[[Linear], nn.Module], linear: Linear) -> nn.Module:
    """The layer that is made. Where there is no kernel, it fails here and not in the midst of a measurement."""
    layer = made(linear)
    layer(torch.zeros(1, linear.weight.shape[0]))
    return layer
