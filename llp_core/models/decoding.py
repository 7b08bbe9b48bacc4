"""The decoder while training: logits of pairs and their gradient, in as few passes over memory as it takes.

Autograd would make a new float32 tensor of every step between two representations and a logit, and a gradient of
all representations for each chunk of pairs. Here a chunk's forward and backward are written out: three matrix
products, and elementwise work of which each line is one vectorised pass into memory that every chunk uses again.
Fresh memory is what costs: the first touch of a page takes longer than the arithmetic on it.
"""

import math
from typing import Any

import torch
from torch import Tensor

from llp_core.models.dropout import Dropout, keep_above
from llp_core.models.layers import Linear


class Workspace:
    """Memory by name, taken once and used again by each chunk, as large as the largest asked for."""

    def __init__(self) -> None:
        self._memory: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """A tensor of this shape, of `dtype` or that of `like`, on the device of `like`; what it holds is noise."""
        count = math.prod(shape)
        key = name, dtype or like.dtype, like.device
        held = self._memory.get(key)
        if held is None or held.numel() < count:
            held = self._memory[key] = torch.empty(count, dtype=key[1], device=like.device)
        return held[:count].view(shape)


class TrainingDecoder:
    """The decoder on the representations of one step of the optimiser.

    A chunk's backward must run before the next chunk's forward: they share memory.

    Args:
        hidden, out: layers of the decoder, D -> D and D -> 1; a linear decoder has no hidden one.
        dropout: after the hidden layer.
        representations: float32 [M, D], a leaf; the gradients of every chunk add up in its `.grad`.
        row: int64 [N], which row is each node's, where only some nodes have one; None where node v has row v.
        precision: of the dense products, float32 or bfloat16, a chunk's gradients of weights among them. Logits and
            sums of gradients are float32.
        workspace: kept from step to step.
    """

    def __init__(
        self,
        hidden: Linear | None,
        out: Linear,
        dropout: Dropout,
        representations: Tensor,
        row: Tensor | None,
        precision: torch.dtype,
        workspace: Workspace,
    ) -> None:
        self.hidden = hidden
        self.out = out
        self.dropout = dropout
        self.representations = representations
        self.row = row
        self.width = representations.shape[1]
        self.device = representations.device
        self.values = representations.detach().to(precision)
        self.workspace = workspace
        representations.grad = torch.zeros_like(representations)

    def rows(self, nodes: Tensor) -> Tensor:
        """Which rows of the representations are those of some nodes, int64 of any shape."""
        return nodes if self.row is None else self.row[nodes]

    def pairs(self, pairs: Tensor) -> Tensor:
        """Logits, float32 [P], of pairs, int64 [2, P]."""
        return self.contexts(pairs[0], pairs[1, :, None]).squeeze(1)

    def contexts(self, anchors: Tensor, nodes: Tensor) -> Tensor:
        """Logits, float32 [A, C], of anchors, int64 [A], each with C nodes, int64 [A, C]."""
        hidden = (None, None) if self.hidden is None else (self.hidden.weight, self.hidden.bias)
        weights = (*hidden, self.out.weight, self.out.bias)
        logits: Tensor = _Decode.apply(self, self.rows(anchors), self.rows(nodes), *weights)  # type: ignore[no-untyped-call]
        return logits

    def take(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Memory of the workspace, in the precision of the products unless said otherwise."""
        return self.workspace.take(name, (*shape, self.width), self.values, dtype)


class _Decode(torch.autograd.Function):
    """Forward and backward of one chunk. The gradient of representations is added where it belongs, not returned."""

    @staticmethod
    def forward(
        ctx: Any,
        decoder: TrainingDecoder,
        anchors: Tensor,
        nodes: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        out_weight: Tensor,
        out_bias: Tensor,
    ) -> Tensor:
        values, take, dropout = decoder.values, decoder.take, decoder.dropout
        count, size = nodes.shape
        own = torch.index_select(values, 0, anchors, out=take("own", count))[:, None]
        other = torch.index_select(values, 0, nodes.flatten(), out=take("other", count * size)).view(count, size, -1)
        product = torch.mul(own, other, out=take("product", count, size)).view(count * size, -1)
        scale = 1.0
        if weight is None or bias is None:
            last = product
        else:
            last = torch.addmm(
                bias.to(values.dtype), product, weight.to(values.dtype), out=take("hidden", len(product))
            )
            last.relu_()
            noise = dropout.noise(last, take("noise", len(product)))
            if noise is not None:
                keep_above(last, noise, dropout.threshold, grad_input=last)
            scale = dropout.scale
        exact = take("exact", count * size, dtype=torch.float32).copy_(last)
        ctx.save_for_backward(anchors, nodes)
        ctx.decoder, ctx.parts, ctx.scale = decoder, (own, other, product, last), scale
        logits = torch.mv(exact, out_weight.squeeze(1) * scale)
        return (logits + out_bias).view(nodes.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (anchors, nodes), (own, other, product, last) = ctx.saved_tensors, ctx.parts
        decoder, take, dtype, scale = ctx.decoder, ctx.decoder.take, last.dtype, ctx.scale
        target, hidden = decoder.representations.grad, decoder.hidden
        gradient = gradient.reshape(-1, 1)
        reduced = gradient.to(dtype)
        d_out_weight = (last.T @ reduced).float() * scale
        d_last = torch.mul(reduced, (decoder.out.weight.detach().T * scale).to(dtype), out=take("noise", len(last)))
        d_weight = d_bias = None
        d_product = d_last
        if hidden is not None:
            keep_above(d_last, last, 0, grad_input=d_last)
            d_weight, d_bias = (product.T @ d_last).float(), d_last.sum(0).float()
            d_product = torch.mm(d_last, hidden.weight.detach().T.to(dtype), out=last)
        d_product = d_product.view(other.shape)
        exact = take("exact", *other.shape[:2], dtype=torch.float32)
        part = torch.mul(d_product, own, out=take("product", *other.shape[:2]))
        target.index_add_(0, nodes.flatten(), exact.copy_(part).flatten(0, 1))
        part = torch.mul(d_product, other, out=part)
        target.index_add_(0, anchors, exact.copy_(part)[:, 0] if part.shape[1] == 1 else part.sum(1).float())
        return None, None, None, d_weight, d_bias, d_out_weight, gradient.sum(0)
