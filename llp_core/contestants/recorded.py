"""Requests as CUDA graphs: to launch a few small kernels one by one takes longer than they do."""

import torch
from torch import Tensor

from llp_core.latency import Scorer


class RecordedScorer:
    """A scorer on a GPU whose online requests are recorded and played again; a `Scorer`.

    A request is rounded up to a power of two, as a service would do it, and each of those is recorded when it first
    comes. Offline requests are long, and answered as they are.

    Args:
        scorer: whose `online` waits for nothing: what it launches must not depend on values on the GPU.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._recorded: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        count = pairs.shape[1]
        size = 1 << max(count - 1, 0).bit_length()
        if size not in self._recorded:
            self._recorded[size] = self._record(size, pairs)
        graph, asked, scores = self._recorded[size]
        asked[:, :count] = pairs
        graph.replay()
        return scores[:count].clone()  # the next request of this size is answered in the same memory

    def _record(self, size: int, like: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        """The graph, where it reads its request, int64 [2, size], and where it leaves the scores, float32 [size]."""
        asked = like.new_zeros(2, size)
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(current)
        with torch.cuda.stream(stream):  # libraries take memory at their first call, which cannot be recorded
            self._scorer.online(asked)
        current.wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            scores = self._scorer.online(asked)
        return graph, asked, scores

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        return self._scorer.offline(pairs)
