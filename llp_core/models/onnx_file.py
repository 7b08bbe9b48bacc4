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
from llp_core.models import LinkModel
from llp_core.store import atomic_file

Precision = Literal["float32", "bfloat16", "int8"]
Part = Literal["pairs", "encoder", "decoder"]
OPSET, IR_VERSION = 21, 10
"""What the file asks of a runtime; those of 2024 on have it."""


class _Builder:
    """Nodes and constants, in the order of the computation."""

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
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

    def linear(self, x: str, layer: nn.Module, precision: Precision) -> str:
        """The map x W + b of float32 x, in a precision."""
        weight, bias = (parameter.detach().cpu() for parameter in layer.parameters())
        if precision == "int8":
            return self._int8(x, weight.numpy(), bias.numpy())
        if precision == "float32":
            return self.add("Gemm", x, self.constant(weight.numpy()), self.constant(bias.numpy()))
        x = self.add("Cast", x, to=TensorProto.BFLOAT16)
        reduced = (self._bfloat16(values) for values in (weight, bias))
        return self.add("Cast", self.add("Gemm", x, *reduced), to=TensorProto.FLOAT)

    def _bfloat16(self, values: Tensor) -> str:
        """A constant in bfloat16, which numpy does not know."""
        name = f"constant_{len(self.constants)}"
        data = values.bfloat16().contiguous().view(torch.int16).numpy().tobytes()
        self.constants.append(helper.make_tensor(name, TensorProto.BFLOAT16, values.shape, data, raw=True))
        return name

    def _int8(self, x: str, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> str:
        """Weights have a scale for each column; values one for all, and a zero point, found as they come."""
        scale = np.maximum(np.abs(weight).max(axis=0) / 127, np.finfo(np.float32).tiny)
        rounded = self.constant(np.round(weight / scale).astype(np.int8))
        values = self.add("DynamicQuantizeLinear", x, outputs=3)
        whole = self.add("MatMulInteger", values, rounded, f"{values}_2")
        scales = self.add("Mul", f"{values}_1", self.constant(scale))
        return self.add(
            "Add", self.add("Mul", self.add("Cast", whole, to=TensorProto.FLOAT), scales), self.constant(bias)
        )

    def encoder(self, x: str, model: LinkModel) -> str:
        """Representations of rows of features."""
        for number, layer in enumerate(model.encoder.layers):
            x = self.linear(self.add("Relu", x) if number else x, layer, self.precision)
        return x

    def decoder(self, first: str, second: str, model: LinkModel) -> str:
        """Scores of pairs of representations; the last product, with a single column, is float32."""
        product = self.add("Mul", first, second)
        if model.decoder.hidden is not None:
            product = self.add("Relu", self.linear(product, model.decoder.hidden, self.precision))
        scores = self.linear(product, model.decoder.out, "float32")
        return self.add("Reshape", scores, self.constant(np.array([-1], dtype=np.int64)))


class _Value(NamedTuple):
    """An input or output, float32, its first dimension of any size."""

    name: str
    rows: str
    columns: int | None = None

    def proto(self) -> onnx.ValueInfoProto:
        shape: list[str | int | None] = [self.rows] if self.columns is None else [self.rows, self.columns]
        return helper.make_tensor_value_info(self.name, TensorProto.FLOAT, shape)


def onnx_model(model: LinkModel, precision: Precision = "float32", part: Part = "pairs") -> onnx.ModelProto:
    """The student, or a part of it, as an ONNX model that passes the checker.

    Args:
        model: an MLP.
        precision: of the products with more than one column; what goes in and out is float32 in any case.
        part: what goes in, and what comes out of it.
            pairs: `features` [2B, F], of the first ends of B pairs and then of the second ends; `scores` [B].
            encoder: `features` [M, F]; `representations` [M, D].
            decoder: `first` and `second` [B, D], representations of the ends of B pairs; `scores` [B].

    Raises:
        InputError: the model passes messages over a graph.
    """
    if model.encoder.needs_graph:
        raise InputError(f"only a student, an MLP, can be an ONNX file; this is a {model.spec.encoder} encoder")
    spec, builder = model.spec, _Builder(precision)
    inputs, output = [_Value("features", "rows", spec.features)], _Value("scores", "pairs")
    if part == "pairs":
        ends = builder.add("Split", builder.encoder("features", model), outputs=2, axis=0, num_outputs=2)
        made = builder.decoder(ends, f"{ends}_1", model)
    elif part == "encoder":
        made, output = builder.encoder("features", model), _Value("representations", "rows", spec.hidden)
    else:
        inputs = [_Value(name, "pairs", spec.hidden) for name in ("first", "second")]
        made = builder.decoder("first", "second", model)
    builder.nodes.append(helper.make_node("Identity", [made], [output.name]))
    protos = [value.proto() for value in inputs], [output.proto()]
    graph = helper.make_graph(builder.nodes, f"student, {part}", *protos, builder.constants)
    opset = helper.make_opsetid("", OPSET)
    whole = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="llp")
    onnx.checker.check_model(whole, full_check=True)
    return whole


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
