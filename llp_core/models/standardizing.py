"""First layers that train as if the features were standardised, and end as layers of the features as they are."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from llp_core.models.features import NodeFeatures
from llp_core.models.layers import GCNLayer, Linear, SAGELayer

RAREST = 3
"""A column's deviation is taken for no less than that of one which so many nodes have with value 1, so that one which
hardly any node has does not count for more than all others. Weighted words (TF-IDF) have values below 1: there columns
of more nodes fall under it too, and count for less than the others."""


@torch.no_grad()
def standardize(layer: nn.Module, features: NodeFeatures, keep: bool) -> None:
    """Lets a first layer train on (x - mean) / deviation of each column of the features, and still take x.

    What trains from now on are the weights of the standardised columns, which torch's parametrisation turns into those
    of x at each use. Features stay as they are, sparse or dense. Columns of one size around 0 make the losses far
    rounder to a gradient method ("Efficient BackProp", LeCun et al. 1998, section 4.3). Dropout of features and
    bfloat16 act on x: a column far from 0 has to be centred before, as those of data set files are.

    Args:
        layer: a `Linear` with a bias, a `SAGELayer` or a `GCNLayer`. Where messages are averaged, so are means: a
            node without neighbours counts as one whose neighbours' columns are all 0.
        features: of the training nodes.
        keep: whether the layer goes on doing what it does; if not, its weights become those of the columns.
    """
    mean, deviation = features.column_statistics()
    rarest = min(RAREST / features.num_nodes, 0.25)
    deviation = deviation.clamp(min=(rarest * (1 - rarest)) ** 0.5)
    maps, biased = _parts(layer)
    columns, offset = _Columns(deviation), _Offset(mean, maps)
    if not keep:
        for linear in maps:
            linear.weight.copy_(columns(linear.weight))
        bias = biased.get_parameter("bias")
        bias.copy_(offset(bias))
    for linear in maps:
        parametrize.register_parametrization(linear, "weight", columns)
    parametrize.register_parametrization(biased, "bias", offset)


def fold(layer: nn.Module) -> None:
    """Turns a standardised layer into a plain one that does the same; a plain one stays as it is."""
    maps, biased = _parts(layer)
    if parametrize.is_parametrized(biased, "bias"):
        for linear in maps:
            parametrize.remove_parametrizations(linear, "weight")
        parametrize.remove_parametrizations(biased, "bias")  # last: parameters keep the order of a plain layer


def _parts(layer: nn.Module) -> tuple[Sequence[Linear], Linear | GCNLayer]:
    """The linear maps of the layer's input, and the module that holds its bias."""
    if isinstance(layer, SAGELayer):
        return (layer.own, layer.neighbor), layer.own
    if isinstance(layer, GCNLayer):
        return (layer.linear,), layer
    if isinstance(layer, Linear):
        return (layer,), layer
    raise TypeError(f"expected a first layer, got {type(layer).__name__}")


class _Columns(nn.Module):
    """Weights [in, out] of x from those of x / deviation."""

    deviation: Tensor

    def __init__(self, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("deviation", deviation[:, None], persistent=False)

    def forward(self, weight: Tensor) -> Tensor:
        """Weights of x."""
        return weight / self.deviation

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Weights of x / deviation."""
        return weight * self.deviation


class _Offset(nn.Module):
    """The bias [out] of layers of x from that of layers of x - mean."""

    mean: Tensor

    def __init__(self, mean: Tensor, maps: Sequence[Linear]) -> None:
        super().__init__()
        self.register_buffer("mean", mean, persistent=False)
        self._maps = tuple(maps)  # no submodules of this: they are the layer's own

    def forward(self, bias: Tensor) -> Tensor:
        """The bias beside x."""
        return bias - self._of_mean()

    def right_inverse(self, bias: Tensor) -> Tensor:
        """The bias beside x - mean."""
        return bias + self._of_mean()

    def _of_mean(self) -> Tensor:
        return torch.stack([self.mean @ linear.weight for linear in self._maps]).sum(0)
