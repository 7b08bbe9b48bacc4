"""The student in PyTorch: eager, in float32 or bfloat16, or compiled."""

import os
import shutil
import sysconfig
import warnings
from pathlib import Path

import torch
from torch import Tensor

from llp_core.graph import sparse_product
from llp_core.models import LinkModel, NodeFeatures
from llp_core.models.link_model import NODES_AT_ONCE, pairs_at_once

# Rows in float32 are meant to be exact; TensorFloat32 has 11 significant bits, bfloat16 is a row of its own.
warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores")

linear = torch.nn.functional.linear


class TorchStudent:
    """An MLP and its decoder, with nothing between them and the kernels; a `Scorer`.

    Online, a node that occurs twice in a request is encoded twice: to find such nodes takes longer than it saves, but
    for requests with more ends than there are nodes, which are answered as offline.

    Args:
        model: an MLP, in evaluation mode.
        features: of every node, on the model's device.
        dtype: of values and weights, float32 or bfloat16. The product with sparse features is float32 in any case, and
            so are the scores.
    """

    def __init__(self, model: LinkModel, features: NodeFeatures, dtype: torch.dtype = torch.float32) -> None:
        self.features = features
        self.dtype = dtype
        first, *others = model.encoder.layers
        self._sparse = tuple(parameter.detach() for parameter in first.parameters())
        """Weight [F, D] and bias [D] of the first layer, where features are sparse."""
        self._is_sparse = features.matrix.layout == torch.sparse_csr
        self._layers = [self._taken(layer) for layer in (others if self._is_sparse else model.encoder.layers)]
        *self._hidden, self._out = [self._taken(layer) for layer in model.decoder.layers]

    def _taken(self, layer: torch.nn.Module) -> tuple[Tensor, Tensor]:
        """Weight [out, in], as a product with few rows reads it fastest, and bias [out]."""
        weight, bias = (parameter.detach().to(self.dtype) for parameter in layer.parameters())
        return weight.T.contiguous(), bias

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        if pairs.numel() > self.features.num_nodes:
            return self.offline(pairs)
        return self.score(self.take(self.features.rows(pairs.flatten())))

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        count = self.features.num_nodes
        starts = range(0, count, NODES_AT_ONCE)
        spans = [self.features.span(start, min(NODES_AT_ONCE, count - start)) for start in starts]
        encoded = torch.cat([self.encode(self.take(span)) for span in spans])
        chunks = torch.split(pairs, pairs_at_once(encoded.shape[1]), dim=1)
        return torch.cat([self.decode(encoded[first] * encoded[second]) for first, second in chunks])

    def take(self, features: NodeFeatures) -> Tensor:
        """[M, F], or of sparse features [M, D], what the first layer makes of them."""
        if self._is_sparse:
            weight, bias = self._sparse
            return (sparse_product(features.matrix, weight) + bias).to(self.dtype)
        return features.matrix.to(self.dtype)

    def encode(self, x: Tensor) -> Tensor:
        """[M, D]: representations, out of what was taken."""
        for number, (weight, bias) in enumerate(self._layers):
            x = linear(x.relu() if number or self._is_sparse else x, weight, bias)
        return x

    def decode(self, product: Tensor) -> Tensor:
        """float32 [P]: scores of products of two representations, [P, D]."""
        for weight, bias in self._hidden:
            product = linear(product, weight, bias).relu()
        return linear(product, *self._out).squeeze(1).float()

    def score(self, x: Tensor) -> Tensor:
        """float32 [B]: scores of B pairs, out of what was taken of all first ends, then of all second ones."""
        encoded = self.encode(x)
        first, second = encoded.view(2, -1, encoded.shape[1])
        return self.decode(first * second)


class CompiledStudent(TorchStudent):
    """The same by torch.compile, with one program for requests of every size; a `Scorer`.

    The first call compiles, which takes many seconds.

    Args:
        model: an MLP, in evaluation mode.
        features: of every node, on the model's device.
    """

    def __init__(self, model: LinkModel, features: NodeFeatures) -> None:
        super().__init__(model, features)
        self.score = torch.compile(self.score, dynamic=True, fullgraph=True)  # type: ignore[method-assign]
        self.encode = torch.compile(self.encode, dynamic=True, fullgraph=True)  # type: ignore[method-assign]
        self.decode = torch.compile(self.decode, dynamic=True, fullgraph=True)  # type: ignore[method-assign]

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`. A single pair is asked for twice: a size of 1 would be a program of its own."""
        if pairs.shape[1] == 1:
            return super().online(pairs.expand(2, 2))[:1]
        return super().online(pairs)


def why_not_compiled(device: torch.device) -> str | None:
    """Why torch.compile cannot work for a device here; None where it can."""
    if device.type != "cpu":
        return None if shutil.which("cc") or shutil.which("gcc") else "torch.compile needs a C compiler; none was found"
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        return f"torch.compile needs a C++ compiler; {compiler} was not found (set CXX to another)"
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return None if header.is_file() else f"torch.compile needs Python's headers; {header} was not found"
