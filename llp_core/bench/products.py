"""The limit: how fast this machine does the float32 matrix products that a student cannot do without."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from llp_core.models import LinkModel, NodeFeatures

PRODUCTS = "matrix products"
"""What the limit is called among the methods."""
_ROWS = 8192
"""Of one product where there are many: those of one that stays in the processor's caches are the fastest."""


class Products:
    """Matrix products of the sizes of a request, in float32, with nothing between them; results go to fixed memory.

    Args:
        student: an MLP; its layers give the sizes.
        features: of every node; the first product is with some of their rows, sparse where they are.
        regime: online, two nodes a pair go through the encoder; offline, every node of the graph.
        pairs: in a request.
    """

    def __init__(
        self, student: LinkModel, features: NodeFeatures, regime: Literal["online", "offline"], pairs: int
    ) -> None:
        device = features.matrix.device
        spec = student.spec
        self._pairs, self._layers, self._decoder_layers = pairs, spec.layers, len(student.decoder.layers)
        if regime == "online":
            self._features = features.rows(torch.arange(2 * pairs, device=device) % features.num_nodes)
        else:
            self._features = features
        rows = min(max(self._features.num_nodes, pairs), _ROWS)
        self._first = torch.full((spec.features, spec.hidden), 1e-2, device=device)
        self._middle = torch.full((spec.hidden, spec.hidden), 1e-2, device=device)
        self._last = torch.full((spec.hidden, 1), 1e-2, device=device)
        self._from, self._to = (
            torch.ones(rows, spec.hidden, device=device),
            torch.ones(rows, spec.hidden, device=device),
        )
        self._logits = torch.empty(rows, 1, device=device)

    def __call__(self, _pairs: Tensor) -> None:
        """Does them."""
        for start, rows in _chunks(self._features.num_nodes):
            torch.mm(self._features.span(start, rows).matrix, self._first, out=self._from[:rows])
            for _ in range(self._layers - 1):
                torch.mm(self._from[:rows], self._middle, out=self._to[:rows])
        for _, rows in _chunks(self._pairs):
            for _ in range(self._decoder_layers - 1):
                torch.mm(self._from[:rows], self._middle, out=self._to[:rows])
            torch.mm(self._to[:rows], self._last, out=self._logits[:rows])


def _chunks(count: int) -> Iterator[tuple[int, int]]:
    return ((start, min(_ROWS, count - start)) for start in range(0, count, _ROWS))
