"""The student in ONNX Runtime."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor

from llp_core.graph import select_rows
from llp_core.models import LinkModel, NodeFeatures
from llp_core.models.onnx_file import Part, Precision, onnx_model

FEW_PAIRS = 128
"""Up to so many pairs, to wake a second thread takes longer than it saves, or saves little."""

DENSE_VALUES = 1 << 24
"""Values of sparse features that are dense at once: 64 MiB."""


class OnnxStudent:
    """An MLP and its decoder in ONNX Runtime, on the CPU; a `Scorer`.

    Rows of features are gathered outside. Online, a node that occurs twice in a request is encoded twice, but for
    requests with more ends than there are nodes, which are answered as offline. Requests of a few pairs run on one
    thread; the others end when the runtime's threads have, which do not spin afterwards.

    Args:
        model: an MLP.
        features: of every node, on the CPU; sparse ones are made dense a bounded number of rows at a time.
        precision: of the products.
        threads: of the runtime.

    Raises:
        onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented: the runtime has no kernels for that precision.
    """

    def __init__(self, model: LinkModel, features: NodeFeatures, precision: Precision, threads: int) -> None:
        self._matrix = features.matrix
        self._dense = None if self._matrix.layout == torch.sparse_csr else self._matrix.numpy()
        self._width = model.spec.hidden
        self._rows_at_once = max(DENSE_VALUES // features.width, 2) // 2 * 2

        def session(part: Part, threads: int) -> onnxruntime.InferenceSession:
            return _session(onnx_model(model, precision, part).SerializeToString(), threads)

        self._few = session("pairs", 1)
        self._many = self._few if threads == 1 else session("pairs", threads)
        self._encoder, self._decoder = session("encoder", threads), session("decoder", threads)

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        count = pairs.shape[1]
        if 2 * count > self._matrix.shape[0]:
            return self.offline(pairs)
        if self._dense is not None:
            return torch.from_numpy(self._score(self._dense.take(pairs.numpy().reshape(-1), axis=0)))
        chunks = torch.split(pairs, self._rows_at_once // 2, dim=1)
        rows = (select_rows(self._matrix, chunk.flatten()).to_dense().numpy() for chunk in chunks)
        return torch.from_numpy(np.concatenate([self._score(features) for features in rows]))

    def _score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        session = self._few if len(features) <= 2 * FEW_PAIRS else self._many
        return _run(session, "scores", features=features)

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        encoded = np.empty((self._matrix.shape[0], self._width), dtype=np.float32)
        start = 0
        for rows in self._all_rows():
            encoded[start : start + len(rows)] = _run(self._encoder, "representations", features=rows)
            start += len(rows)
        return _decode(self._decoder, encoded, pairs)

    def _all_rows(self) -> Iterator[npt.NDArray[np.float32]]:
        for start in range(0, self._matrix.shape[0], self._rows_at_once):
            if self._dense is not None:
                yield self._dense[start : start + self._rows_at_once]
            else:
                nodes = torch.arange(start, min(start + self._rows_at_once, self._matrix.shape[0]))
                yield select_rows(self._matrix, nodes).to_dense().numpy()


class CachedOnnxStudent:
    """A student whose representations were computed beforehand: the decoder alone in ONNX Runtime; a `Scorer`.

    Args:
        model: an MLP.
        representations: float32 [N, D], of every node, on the CPU.
        precision: of the products.
        threads: of the runtime.
    """

    def __init__(self, model: LinkModel, representations: Tensor, precision: Precision, threads: int) -> None:
        self._representations = representations.numpy()
        decoder = onnx_model(model, precision, "decoder").SerializeToString()
        self._few = _session(decoder, 1)
        self._many = self._few if threads == 1 else _session(decoder, threads)

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        first, second = self._representations.take(pairs.numpy(), axis=0)
        session = self._few if len(first) <= FEW_PAIRS else self._many
        return torch.from_numpy(_run(session, "scores", first=first, second=second))

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`; nothing is encoded, as that was done before."""
        return _decode(self._many, self._representations, pairs)


def _decode(session: onnxruntime.InferenceSession, encoded: npt.NDArray[np.float32], pairs: Tensor) -> Tensor:
    """float32 [B]: scores of any number of pairs, int64 [2, B], a bounded number at a time."""
    chunks = (chunk.numpy() for chunk in torch.split(pairs, DENSE_VALUES // encoded.shape[1] or 1, dim=1))
    scores = [_run(session, "scores", first=encoded[first], second=encoded[second]) for first, second in chunks]
    return torch.from_numpy(np.concatenate(scores))


def _session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that wait for the next request would take the time of whoever runs meanwhile.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _run(session: onnxruntime.InferenceSession, output: str, **inputs: Any) -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = session.run([output], inputs)[0]
    return values
