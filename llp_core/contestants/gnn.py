"""The GNN as it answers: from all neighbours, from a sample of them, or from representations computed beforehand."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from llp_core.graph import CSR, select_rows
from llp_core.models import Adjacency, LinkModel, NodeFeatures, block_adjacencies
from llp_core.models.layers import SAGELayer, Sent
from llp_core.neighborhood import neighborhood

_ROWS_AT_ONCE = 8192
"""Of the first layer on a CPU: what it makes on the way then stays in the processor's cache."""


class GraphScorer:
    """A GNN that gathers the neighbourhood of a request and computes on it; a `Scorer`.

    Args:
        model: in evaluation mode.
        features: of every node.
        graph: neighbours of every node at inference.
        fanouts: most neighbours drawn of each node, from the request's nodes outwards, one a layer; None for all.
            Offline every node draws as many as the first says.
        rng: of the draws; needed with `fanouts`.
    """

    def __init__(
        self,
        model: LinkModel,
        features: NodeFeatures,
        graph: CSR,
        fanouts: Sequence[int] | None = None,
        rng: torch.Generator | None = None,
    ) -> None:
        self.model = model
        self.features = features
        self.graph = graph
        self._fanouts = fanouts
        self._rng = rng
        layers = model.encoder.layers
        dense = features.matrix.layout == torch.strided
        self._reads_in_place = fanouts is None and dense and isinstance(layers[0], SAGELayer) and len(layers) > 1

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        nodes, local = torch.unique(pairs, return_inverse=True)
        encode = self._encode_in_place if self._reads_in_place else self._encode
        return self.model.decode(encode(nodes), local)

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        return self.model.score(self.encode_all(), pairs)

    def encode_all(self) -> Tensor:
        """float32 [N, D]: the representation of every node."""
        if self._fanouts is None:
            return self.model.encode(self.features, self._whole)
        device = self.graph.offsets.device
        every = torch.arange(self.features.num_nodes, device=device)
        sample = block_adjacencies(neighborhood(every, 1, self.graph, self._fanouts[:1], self._rng), device)
        return self.model.encode(self.features, *sample)

    def _encode(self, nodes: Tensor) -> Tensor:
        part = neighborhood(nodes, self.model.spec.layers, self.graph, self._fanouts, self._rng)
        return self.model.encode(self.features.rows(part.nodes), *block_adjacencies(part, part.nodes.device))

    def _encode_in_place(self, nodes: Tensor) -> Tensor:
        """The same without a list of the outermost nodes, by far the most, nor a copy of their features.

        The first layer sums up rows of all features where they lie.
        """
        part = neighborhood(nodes, self.model.spec.layers - 1, self.graph)
        outermost = select_rows(self._whole.matrix, part.nodes)
        adjacency = Adjacency(outermost, part.degree.float(), symmetric=False)
        first, *others = self.model.encoder.layers
        own = self.features.rows(part.nodes)
        sent = Sent(own, self.features.matrix, mapped=False)
        x = own.matrix.new_empty(own.num_nodes, self.model.spec.hidden)
        for rows in adjacency.parts(_ROWS_AT_ONCE if x.device.type == "cpu" else own.num_nodes):
            values: Tensor = first.receive(sent, rows)  # type: ignore[operator]
            torch.clamp(values, min=0, out=x[rows.start : rows.start + rows.num_rows])
        for number, (layer, block) in enumerate(zip(others, block_adjacencies(part, nodes.device), strict=True)):
            x = layer(x.relu_() if number else x, block)
        return x

    @cached_property
    def _whole(self) -> Adjacency:
        return Adjacency.from_csr(*self.graph, self.graph.degree, self.graph.offsets.device)


class CachedScorer:
    """A GNN whose representations were computed beforehand: only the pairs are decoded; a `Scorer`.

    Args:
        model: in evaluation mode.
        representations: float32 [N, D], of every node.
    """

    def __init__(self, model: LinkModel, representations: Tensor) -> None:
        self.model = model
        self.representations = representations

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        return self.model.decode(self.representations, pairs)

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`; nothing is encoded, as that was done before."""
        return self.model.score(self.representations, pairs)
