"""The student as ONNX models, in a runtime of such."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from llp_core.contestants.runtimes import Program, Runtime, Values
from llp_core.graph import select_rows
from llp_core.models import LinkModel, NodeFeatures
from llp_core.models.onnx_file import Part, Precision, onnx_model
from llp_core.models.rounding import Rounding

FEW_PAIRS, FEW_CACHED_PAIRS = 64, 256
"""Up to so many pairs, to wake a second thread takes longer than it saves, or saves little."""

DENSE_VALUES = 1 << 24
"""Values of sparse features that are dense at once: 64 MiB."""


class OnnxStudent:
    """An MLP and its decoder in a runtime of ONNX, on the CPU; a `Scorer`.

    Rows of features are gathered outside. Online, a node that occurs twice in a request is encoded twice, but for
    requests with more ends than there are nodes, which are answered as offline. Requests of a few pairs run on one
    thread. In int8 dense features are kept as bytes, and representations are bytes.

    Args:
        model: an MLP.
        features: of every node, on the CPU; sparse ones are made dense a bounded number of rows at a time.
        precision: of the products.
        runtime: loads the models.
        threads: of the runtime.
    """

    def __init__(
        self, model: LinkModel, features: NodeFeatures, precision: Precision, runtime: Runtime, threads: int
    ) -> None:
        self._matrix = features.matrix
        self._dense: Values | None = self._matrix.numpy() if self._matrix.layout == torch.strided else None
        byte_features = False
        if isinstance(precision, Rounding) and self._dense is not None:
            self._dense, byte_features = precision.features.to_bytes(self._dense), True
        self._num_nodes, self._width = features.num_nodes, model.spec.hidden
        self._kind = np.uint8 if isinstance(precision, Rounding) else np.float32
        self._rows_at_once = max(DENSE_VALUES // features.width, 2) // 2 * 2

        def program(part: Part, threads: int) -> Program:
            file = onnx_model(model, precision, part, byte_features)
            return runtime(file.SerializeToString(), threads)

        self._few = program("pairs", 1)
        self._many = self._few if threads == 1 else program("pairs", threads)
        self._encoder, self._decoder = program("encoder", threads), program("decoder", threads)

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        nodes = pairs.numpy()
        if nodes.size > self._num_nodes:
            return self.offline(pairs)
        if self._dense is not None:
            return torch.from_numpy(self._score(self._dense.take(nodes.ravel(), axis=0)))
        chunks = torch.split(pairs, self._rows_at_once // 2, dim=1)
        rows = (select_rows(self._matrix, chunk.flatten()).to_dense().numpy() for chunk in chunks)
        return torch.from_numpy(np.concatenate([self._score(features) for features in rows]))

    def _score(self, features: Values) -> Values:
        return (self._few if len(features) <= 2 * FEW_PAIRS else self._many)(features=features)

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        encoded: Values = np.empty((self._num_nodes, self._width), dtype=self._kind)
        start = 0
        for rows in self._all_rows():
            encoded[start : start + len(rows)] = self._encoder(features=rows)
            start += len(rows)
        return _decode(self._decoder, encoded, pairs)

    def _all_rows(self) -> Iterator[Values]:
        for start in range(0, self._num_nodes, self._rows_at_once):
            if self._dense is not None:
                yield self._dense[start : start + self._rows_at_once]
            else:
                nodes = torch.arange(start, min(start + self._rows_at_once, self._num_nodes))
                yield select_rows(self._matrix, nodes).to_dense().numpy()


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
    chunks = (chunk.numpy() for chunk in torch.split(pairs, DENSE_VALUES // encoded.shape[1] or 1, dim=1))
    scores = [decoder(first=encoded[first], second=encoded[second]) for first, second in chunks]
    return torch.from_numpy(np.concatenate(scores))
