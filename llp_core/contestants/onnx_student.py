"""The student as ONNX models, in a runtime of such."""

import numpy as np
import torch
from torch import Tensor

from llp_core.contestants.runtimes import Program, Runtime, Values
from llp_core.graph import row_span, select_rows, sparse_product
from llp_core.models import LinkModel, NodeFeatures
from llp_core.models.onnx_file import Given, Part, Precision, onnx_model
from llp_core.models.rounding import Rounding

FEW_PAIRS, FEW_CACHED_PAIRS = 64, 256
"""Up to so many pairs, to wake a second thread takes longer than it saves, or saves little."""

_VALUES_AT_ONCE = 1 << 24
"""Values that are gathered, or made by the first layer, at once: 64 MiB."""


class OnnxStudent:
    """An MLP and its decoder in a runtime of ONNX, on the CPU; a `Scorer`.

    Rows of features are gathered outside; sparse ones are multiplied there too, by PyTorch, since a runtime of ONNX
    takes dense values alone. Online, a node that occurs twice in a request is encoded twice, but for requests with more
    ends than there are nodes, which are answered as offline. Requests of a few pairs run on one thread of the runtime.
    In int8 dense features are kept as bytes, and representations are bytes.

    Args:
        model: an MLP.
        features: of every node, on the CPU.
        precision: of the products, but for that with sparse features, which is float32 in any case.
        runtime: loads the models.
        threads: of the runtime.
    """

    def __init__(
        self, model: LinkModel, features: NodeFeatures, precision: Precision, runtime: Runtime, threads: int
    ) -> None:
        self._matrix = features.matrix
        self._weight, self._bias = (parameter.detach() for parameter in model.encoder.layers[0].parameters())
        self._dense: Values | None = None
        given: Given = "mapped"
        if self._matrix.layout == torch.strided:
            self._dense, given = self._matrix.numpy(), "float32"
            if isinstance(precision, Rounding):
                self._dense, given = precision.features.to_bytes(self._dense), "bytes"
        self._num_nodes, self._width = features.num_nodes, model.spec.hidden
        self._kind = np.uint8 if isinstance(precision, Rounding) else np.float32
        widest = self._width if self._dense is None else max(self._width, features.width)
        self._rows_at_once = _VALUES_AT_ONCE // widest or 1

        def program(part: Part, threads: int) -> Program:
            return runtime(onnx_model(model, precision, part, given).SerializeToString(), threads)

        self._few = program("pairs", 1)
        self._many = self._few if threads == 1 else program("pairs", threads)
        self._encoder, self._decoder = program("encoder", threads), program("decoder", threads)

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        nodes = pairs.numpy()
        if nodes.size > self._num_nodes:
            return self.offline(pairs)
        program = self._few if nodes.size <= 2 * FEW_PAIRS else self._many
        if self._dense is not None:
            return torch.from_numpy(program(features=self._dense.take(nodes.ravel(), axis=0)))
        return torch.from_numpy(program(features=self._mapped(select_rows(self._matrix, pairs.flatten()))))

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        encoded: Values = np.empty((self._num_nodes, self._width), dtype=self._kind)
        for start in range(0, self._num_nodes, self._rows_at_once):
            rows = encoded[start : start + self._rows_at_once]
            if self._dense is not None:
                rows[:] = self._encoder(features=self._dense[start : start + len(rows)])
            else:
                rows[:] = self._encoder(features=self._mapped(row_span(self._matrix, start, len(rows))))
        return _decode(self._decoder, encoded, pairs)

    def _mapped(self, features: Tensor) -> Values:
        """float32 [M, D]: what the first layer makes of rows of sparse features."""
        return (sparse_product(features, self._weight) + self._bias).numpy()


class CachedOnnxStudent:
    """A student whose representations were computed beforehand: the decoder alone in a runtime of ONNX; a `Scorer`.

    Args:
        model: an MLP.
        representations: float32 [N, D], of every node, on the CPU; in int8 they are kept as bytes.
        precision: of the products.
        runtime: loads the models.
        threads: of the runtime.
    """

    def __init__(
        self, model: LinkModel, representations: Tensor, precision: Precision, runtime: Runtime, threads: int
    ) -> None:
        self._representations: Values = representations.numpy()
        if isinstance(precision, Rounding):
            self._representations = precision.layers[-1].to_bytes(self._representations)
        decoder = onnx_model(model, precision, "decoder").SerializeToString()
        self._few = runtime(decoder, 1)
        self._many = self._few if threads == 1 else runtime(decoder, threads)

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        first, second = self._representations.take(pairs.numpy(), axis=0)
        program = self._few if len(first) <= FEW_CACHED_PAIRS else self._many
        return torch.from_numpy(program(first=first, second=second))

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`; nothing is encoded, as that was done before."""
        return _decode(self._many, self._representations, pairs)


def _decode(decoder: Program, encoded: Values, pairs: Tensor) -> Tensor:
    """float32 [B]: scores of any number of pairs, int64 [2, B], a bounded number at a time."""
    chunks = (chunk.numpy() for chunk in torch.split(pairs, _VALUES_AT_ONCE // encoded.shape[1] or 1, dim=1))
    scores = [decoder(first=encoded[first], second=encoded[second]) for first, second in chunks]
    return torch.from_numpy(np.concatenate(scores))
