"""What is timed: something that answers requests, ready with its weights, features and graph in memory."""

from typing import Protocol

from torch import Tensor


class Scorer(Protocol):
    """A model that is ready to answer: in evaluation mode, its weights, features and graph on the device."""

    def online(self, pairs: Tensor) -> Tensor:
        """float32 [B]: the scores of int64 [2, B], computed from what these pairs need and nothing kept."""

    def offline(self, pairs: Tensor) -> Tensor:
        """float32 [B]: the same scores, after encoding every node of the graph."""
