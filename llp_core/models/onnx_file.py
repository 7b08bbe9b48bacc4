"""The student as an ONNX model: a graph of a few nodes made by hand, which any runtime of ONNX can serve."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from llp_core.errors import InputError
from llp_core.models.link_model import LinkModel
from llp_core.models.rounding import Rounding, Scale
from llp_core.store import atomic_file

Precision = Literal["float32", "bfloat16"] | Rounding
"""Of the products; `Rounding` is int8."""
Part = Literal["pairs", "encoder", "decoder"]
Given = Literal["float32", "bytes", "mapped"]
"""How features go in: as they are, as bytes of an int8 precision, or as what the first layer makes of them."""
OPSET, IR_VERSION = 21, 10
"""What the file asks of a runtime; those of 2024 on have it."""
_MOST_BIAS = 2.0**30
"""Of a bias in units of a product's step, an int32."""


class _Value(NamedTuple):
    """The result of a node: float32, or bytes of a scale."""

    name: str
    scale: Scale | None = None


class _Builder:
    """Nodes and constants, in the order of the computation."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: int) -> str:
        """A node; the name of its first output. The others have names that end in 1, 2 and so on."""
        name = f"{operator}_{len(self.nodes)}"
        names = [name, *(f"{name}_{number}" for number in range(1, outputs))]
        self.nodes.append(helper.make_node(operator, inputs, names, name, None, None, None, **attributes))
        return name

    def constant(self, values: npt.NDArray[np.generic]) -> str:
        """A constant; its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def rounded(self, x: str, scale: Scale | None) -> _Value:
        """float32 x as bytes of a scale; as it is without one."""
        return _Value(x) if scale is None else _Value(self.add("QuantizeLinear", x, *self._constants(scale)), scale)

    def float32(self, x: _Value) -> str:
        """What a value means."""
        return x.name if x.scale is None else self.add("DequantizeLinear", x.name, *self._constants(x.scale))

    def linear(self, x: _Value, layer: nn.Module, bfloat16: bool = False) -> str:
        """The map x W + b, float32; where x is bytes, of weights that are too."""
        weight, bias = (parameter.detach().cpu() for parameter in layer.parameters())
        if x.scale is not None:
            return self.add("Gemm", self.float32(x), *self._int8(weight.numpy(), bias.numpy(), x.scale.step))
        if not bfloat16:
            return self.add("Gemm", x.name, self.constant(weight.numpy()), self.constant(bias.numpy()))
        reduced = (self._bfloat16(values) for values in (weight, bias))
        product = self.add("Gemm", self.add("Cast", x.name, to=TensorProto.BFLOAT16), *reduced)
        return self.add("Cast", product, to=TensorProto.FLOAT)

    def _constants(self, scale: Scale) -> tuple[str, str]:
        zero_point = np.array(scale.zero_point, dtype=np.uint8)
        return self.constant(np.array(scale.step, dtype=np.float32)), self.constant(zero_point)

    def _int8(self, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], step: float) -> tuple[str, str]:
        """Weights, int8, and the bias, int32 in steps of the product.

        One step for all columns, not one for each: in ONNX Runtime a pair then takes a quarter less time.
        """
        own = max(np.abs(weight).max() / 127, np.abs(bias).max() / (step * _MOST_BIAS), np.finfo(np.float32).tiny)
        product = max(own * step, np.finfo(np.float32).tiny)
        return (
            self._whole_numbers(np.round(weight / own).astype(np.int8), own),
            self._whole_numbers(np.round(bias / product).astype(np.int32), product),
        )

    def _whole_numbers(self, values: npt.NDArray[np.generic], step: float) -> str:
        """What they mean. Zero points are 0 by default, but ONNX Runtime wants them written for its fast products."""
        constants = values, np.array(step, dtype=np.float32), np.zeros((), dtype=values.dtype)
        return self.add("DequantizeLinear", *map(self.constant, constants))

    def _bfloat16(self, values: Tensor) -> str:
        """A constant in bfloat16, which numpy does not know."""
        name = f"constant_{len(self.constants)}"
        data = values.bfloat16().contiguous().view(torch.int16).numpy().tobytes()
        self.constants.append(helper.make_tensor(name, TensorProto.BFLOAT16, values.shape, data, raw=True))
        return name


class _Student:
    """A student's parts in a precision, added to what a builder has.

    Args:
        model: an MLP.
        precision: of its products.
    """

    def __init__(self, model: LinkModel, precision: Precision) -> None:
        self.builder = _Builder()
        self._model = model
        self._bfloat16 = precision == "bfloat16"
        self._rounding = precision if isinstance(precision, Rounding) else None

    def representations(self, name: str) -> _Value:
        """Representations that go in; where products are int8, they are bytes."""
        return _Value(name, self._rounding and self._rounding.layers[-1])

    def encoder(self, features: str, given: Given) -> _Value:
        """Representations of rows of features."""
        first, *others = self._model.encoder.layers
        *scales, last = self._rounding.layers if self._rounding else (None,) * self._model.spec.layers
        product = features
        if given != "mapped":
            scale = self._rounding and self._rounding.features
            x = _Value(features, scale) if given == "bytes" else self.builder.rounded(features, scale)
            product = self.builder.linear(x, first, self._bfloat16)
        for layer, scale in zip(others, scales, strict=True):
            x = self.builder.rounded(self.builder.add("Relu", product), scale)
            product = self.builder.linear(x, layer, self._bfloat16)
        return self.builder.rounded(product, last)

    def decoder(self, first: _Value, second: _Value) -> str:
        """Scores of pairs of representations, float32; the last product, with a single column, is never bfloat16."""
        product = self.builder.add("Mul", self.builder.float32(first), self.builder.float32(second))
        x = self.builder.rounded(product, self._rounding and self._rounding.product)
        if self._model.decoder.hidden is not None:
            product = self.builder.add("Relu", self.builder.linear(x, self._model.decoder.hidden, self._bfloat16))
            x = self.builder.rounded(product, self._rounding and self._rounding.hidden)
        scores = self.builder.linear(x, self._model.decoder.out)
        return self.builder.add("Reshape", scores, self.builder.constant(np.array([-1], dtype=np.int64)))


def onnx_model(
    model: LinkModel, precision: Precision = "float32", part: Part = "pairs", given: Given = "float32"
) -> onnx.ModelProto:
    """The student, or a part of it, as an ONNX model that passes the checker.

    Args:
        model: an MLP.
        precision: of the products, in bfloat16 of those with more than one column. In int8 every value is a byte, by
            scales that the file holds, from the features to the decoder's hidden layer; scores are float32.
        part: what goes in, and what comes out of it.
            pairs: `features` [2B, F], of the first ends of B pairs and then of the second ends; `scores` [B].
            encoder: `features` [M, F]; `representations` [M, D].
            decoder: `first` and `second` [B, D], representations of the ends of B pairs; `scores` [B].
            All are float32, but representations in int8 are uint8.
        given: how `features` go in: float32, uint8, or float32 [.., D] after the first layer, before its ReLU.

    Raises:
        InputError: the model passes messages over a graph.
    """
    if model.encoder.needs_graph:
        raise InputError(f"only a student, an MLP, can be an ONNX file; this is a {model.spec.encoder} encoder")
    student, width = _Student(model, precision), model.spec.hidden
    builder = student.builder
    float32, uint8 = TensorProto.FLOAT, TensorProto.UINT8
    kept = uint8 if isinstance(precision, Rounding) else float32
    columns = width if given == "mapped" else model.spec.features
    inputs = [_declared("features", uint8 if given == "bytes" else float32, "rows", columns)]
    output = _declared("scores", float32, "pairs")
    if part == "pairs":
        encoded = student.encoder("features", given)
        ends = builder.add("Split", encoded.name, outputs=2, axis=0, num_outputs=2)
        made = student.decoder(encoded._replace(name=ends), encoded._replace(name=f"{ends}_1"))
    elif part == "encoder":
        made = student.encoder("features", given).name
        output = _declared("representations", kept, "rows", width)
    else:
        inputs = [_declared(name, kept, "pairs", width) for name in ("first", "second")]
        made = student.decoder(*(student.representations(name) for name in ("first", "second")))
    builder.nodes.append(helper.make_node("Identity", [made], [output.name]))
    graph = helper.make_graph(builder.nodes, f"student, {part}", inputs, [output], builder.constants)
    opset = helper.make_opsetid("", OPSET)
    whole = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="llp")
    onnx.checker.check_model(whole, full_check=True)
    return whole


def _declared(name: str, kind: int, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def write_onnx(model: LinkModel, path: Path, precision: Precision = "float32") -> None:
    """Writes the student as one ONNX file, weights included, that scores pairs from their features.

    Its input is `features`, float32 [2B, F]: rows of the first ends of B pairs, then of the second ends in the same
    order. Its output is `scores`, float32 [B].

    Args:
        model: an MLP.
        path: of the file; it appears whole or not at all.
        precision: of the products; a runtime may lack kernels for bfloat16.

    Raises:
        InputError: the model passes messages over a graph.
    """
    data = onnx_model(model, precision).SerializeToString()
    with atomic_file(path) as partial:
        partial.write_bytes(data)
