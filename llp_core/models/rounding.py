"""Which 8 bits a student's values become: scales, found on nodes and pairs of the graph that it serves."""

import math
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from llp_core.errors import InputError
from llp_core.graph import CSR
from llp_core.models.features import NodeFeatures
from llp_core.models.link_model import LinkModel
from llp_core.sampling import generator

_PAIRS = 2048
"""Of each kind that scales are found on: linked ones and any."""

_ROWS_AT_ONCE = 4096
"""Rows that become bytes at once."""


class Scale(NamedTuple):
    """The map from real values to unsigned bytes, round(value / step) + zero_point, cut off at 0 and 255.

    Attributes:
        step: what one more means.
        zero_point: the byte of 0.
    """

    step: float
    zero_point: int

    @classmethod
    def over(cls, values: Tensor) -> Self:
        """The finest that cuts off none of these values, [...], and has a byte for 0.

        Raises:
            InputError: a value is not finite.
        """
        low, high = (float(bound) for bound in values.aminmax()) if values.numel() else (0.0, 0.0)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise InputError("the student's values on this graph are not finite: they have no scale in int8.")
        low, high = min(low, 0.0), max(high, 0.0)
        # A step of a value so small that its reciprocal has no float32 would leave every value at 0 or 255.
        step = max((high - low) / 255, float(np.finfo(np.float32).tiny)) if high > low else 1.0
        return cls(step, round(-low / step))

    def to_bytes(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """uint8 [M, K] of float32 [M, K]."""
        rounded = np.empty(values.shape, dtype=np.uint8)
        for start in range(0, len(values), _ROWS_AT_ONCE):
            rows = np.rint(values[start : start + _ROWS_AT_ONCE] / np.float32(self.step)) + self.zero_point
            rounded[start : start + _ROWS_AT_ONCE] = rows.clip(0, 255)
        return rounded


class Rounding(NamedTuple):
    """The scales of everything that a student multiplies.

    Attributes:
        features: of what goes in.
        layers: of what each layer of the encoder gives; the last are those of representations.
        product: of products of two representations.
        hidden: of what the decoder's hidden layer gives; None where it has none.
    """

    features: Scale
    layers: tuple[Scale, ...]
    product: Scale
    hidden: Scale | None


@torch.inference_mode()
def find_rounding(model: LinkModel, features: NodeFeatures, graph: CSR) -> Rounding:
    """Scales that cut off no feature, and nothing of 2,048 linked and 2,048 other pairs (min-max calibration).

    Pairs that are linked have larger products than others; scales of any pairs alone would cut off the best scores.

    Args:
        model: an MLP on the CPU, in evaluation mode.
        features: of N nodes, on the CPU.
        graph: neighbours of every node, on the CPU; without an edge, any pairs alone are looked at.

    Raises:
        InputError: a value is not finite.
    """
    rng = generator(0, "rounding")
    pairs = torch.randint(features.num_nodes, (2, _PAIRS), generator=rng)
    if len(graph.neighbors):
        edges = torch.randint(len(graph.neighbors), (_PAIRS,), generator=rng)
        ends = torch.searchsorted(graph.offsets, edges, right=True) - 1, graph.neighbors[edges]
        pairs = torch.cat((torch.stack(ends), pairs), dim=1)
    values = features.matrix.values() if features.matrix.layout == torch.sparse_csr else features.matrix
    scales, x = [Scale.over(values)], model.encoder.layers[0](features.rows(pairs.flatten()))
    for layer in model.encoder.layers[1:]:
        scales.append(Scale.over(x.relu_()))
        x = layer(x)
    scales.append(Scale.over(x))
    first, second = x.view(2, -1, model.spec.hidden)
    product = first * second
    hidden = None if model.decoder.hidden is None else Scale.over(model.decoder.hidden(product).relu())
    return Rounding(scales[0], tuple(scales[1:]), Scale.over(product), hidden)
