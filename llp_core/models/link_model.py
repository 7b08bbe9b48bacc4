"""A model that scores node pairs: an encoder, then an MLP on the Hadamard product of two representations."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from llp_core.errors import InputError
from llp_core.models.adjacency import Adjacency
from llp_core.models.decoding import TrainingDecoder, Workspace
from llp_core.models.dropout import Dropout
from llp_core.models.features import NodeFeatures
from llp_core.models.layers import GCNLayer, Linear, SAGELayer
from llp_core.store import read_json, read_tensors, write_json, write_tensors

PAIRS_AT_ONCE = 1 << 16
"""Pairs that are decoded at once, which bounds memory; fewer of wide representations (`pairs_at_once`)."""
WIDE = 256

NODES_AT_ONCE = 1 << 16
"""Nodes that are encoded at once outside training, which bounds memory."""

HIDDEN_SCALE = 0.2
REPRESENTATION_SCALE = 0.5
"""Root mean square of a hidden layer's values, and of representations, before the first step of a training."""


def pairs_at_once(width: int) -> int:
    """`PAIRS_AT_ONCE`, or as many as take no more memory than those where representations are wider than `WIDE`."""
    return max(1, PAIRS_AT_ONCE * WIDE // max(width, WIDE))


class ModelSpec(BaseModel):
    """What rebuilds a model before its weights are read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    encoder: Literal["mlp", "sage", "gcn"]
    decoder: Literal["mlp", "linear"] = "mlp"
    features: Annotated[int, Field(ge=1)]
    """Width F of the node features."""
    hidden: Annotated[int, Field(ge=1)]
    """Width D of layers and representations."""
    layers: Annotated[int, Field(ge=1)]
    dropout: Annotated[float, Field(ge=0, lt=1)]


class Encoder(nn.Module):
    """Layers with ReLU and dropout between them, none after the last.

    Args:
        spec: kind and sizes. An MLP sees only features; SAGE and GCN pass messages in each layer.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        layer = {"mlp": Linear, "sage": SAGELayer, "gcn": GCNLayer}[spec.encoder]
        widths = [spec.features] + [spec.hidden] * spec.layers
        self.needs_graph = spec.encoder != "mlp"
        self.layers = nn.ModuleList(layer(a, b) for a, b in pairwise(widths))
        self.dropout = Dropout(spec.dropout)

    def forward(self, features: NodeFeatures, adjacencies: Sequence[Adjacency]) -> Tensor:
        """Representations, float32 [N, D].

        Args:
            features: of N nodes.
            adjacencies: one for each layer, or one for all of them; an MLP looks at none.
        """
        x = self._layer(0, features, adjacencies)
        for number in range(1, len(self.layers)):
            x = self._layer(number, self.dropout(x.relu()), adjacencies)
        return x

    def in_parts(self, features: NodeFeatures, adjacency: Adjacency | None, out: Tensor) -> Tensor:
        """The same without dropout into `out`, float32 [N, D], a bounded number of nodes at a time.

        Beside `out` it takes one [N, D] where messages pass, two with sparse features or GCN.

        Args:
            features: of N nodes.
            adjacency: the neighbours of all N, the same for each layer; an MLP needs none.
            out: filled and returned.
        """
        if adjacency is None or not self.needs_graph:
            for start in range(0, features.num_nodes, NODES_AT_ONCE):
                rows = out[start : start + NODES_AT_ONCE]
                rows.copy_(self(features.span(start, len(rows)), ()))
            return out
        x: Tensor | NodeFeatures = features
        target, other = out, torch.empty_like(out)
        if len(self.layers) % 2 == 0:
            target, other = other, target
        for number, layer in enumerate(self.layers):
            values: Tensor = layer.in_parts(x, adjacency, NODES_AT_ONCE, target)  # type: ignore[operator]
            x = values if number == len(self.layers) - 1 else values.relu_()
            target, other = other, target
        return out

    @torch.no_grad()
    def scale(self, features: NodeFeatures, adjacencies: Sequence[Adjacency]) -> None:
        """Scales the first weights, layer by layer, to the data that the encoder is to be trained on.

        The decoder multiplies two representations. Where they start near 0, as they do with weights drawn for dense
        features and sparse ones in their place, a training stands still for its first hundred steps and may be
        stopped before it begins; where they start large, it begins with logits far from 0. After "All you need is a
        good init" (arXiv 1511.06422), with values of `HIDDEN_SCALE` and `REPRESENTATION_SCALE`.

        Args:
            features: of the training nodes.
            adjacencies: as `forward` takes them.
        """
        x: Tensor | NodeFeatures = features
        for number, layer in enumerate(self.layers):
            values = self._layer(number, x, adjacencies)
            target = REPRESENTATION_SCALE if number == len(self.layers) - 1 else HIDDEN_SCALE
            found = values.square().mean().sqrt()
            factor = torch.where(found > 0, target / found, 1.0)
            for parameter in layer.parameters():
                parameter.mul_(factor)
            x = (values * factor).relu()

    def _layer(self, number: int, x: Tensor | NodeFeatures, adjacencies: Sequence[Adjacency]) -> Tensor:
        graph = (adjacencies[min(number, len(adjacencies) - 1)],) if self.needs_graph else ()
        out: Tensor = self.layers[number](x, *graph)
        return out


class Decoder(nn.Module):
    """The logit of a pair: an MLP with one hidden layer on h_i * h_j, or a linear map of it; hence symmetric.

    The linear map is the bilinear form of DistMult (arXiv 1412.6575): the inner product of w * h_i and h_j, and b.

    Args:
        spec: gives kind, width and dropout.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.hidden = Linear(spec.hidden, spec.hidden) if spec.decoder == "mlp" else None
        self.out = Linear(spec.hidden, 1)
        self.dropout = Dropout(spec.dropout)

    @property
    def layers(self) -> tuple[Linear, ...]:
        """One after the other."""
        return (self.out,) if self.hidden is None else (self.hidden, self.out)

    def forward(self, product: Tensor) -> Tensor:
        """Logits, float32 [...], of Hadamard products, float32 [..., D], without dropout."""
        logits: Tensor = self.out(product if self.hidden is None else self.hidden(product).relu())
        return logits.squeeze(-1)


class LinkModel(nn.Module):
    """Encoder and decoder.

    Args:
        spec: kind and sizes.
        rng: draws the first weights; without it they hold nothing of use until weights are loaded.
    """

    def __init__(self, spec: ModelSpec, rng: torch.Generator | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = Encoder(spec)
        self.decoder = Decoder(spec)
        self.training_precision = torch.float32
        if rng is not None:
            for module in self.modules():
                if isinstance(module, (Linear, GCNLayer)):
                    module.reset(rng)
        if self.decoder.hidden is None:  # at first a scaled inner product, whose size does not grow with the width
            for parameter, value in zip(self.decoder.out.parameters(), (spec.hidden**-0.5, 0.0), strict=True):
                nn.init.constant_(parameter, value)

    @property
    def layers(self) -> list[Any]:
        """Those of the encoder, then those of the decoder."""
        return [*self.encoder.layers, *self.decoder.layers]

    @torch.no_grad()
    def start_as(self, teacher: "LinkModel", encoder: bool) -> None:
        """Copies a teacher's decoder into this MLP, of the same width, and at will its encoder too.

        With its teacher's decoder a student has to learn representations that the teacher's judgement fits, after
        reused classifiers in distillation (arXiv 2203.14001), which keep the copy fixed; here it trains on. The
        encoder is the teacher's as it treats a node whose neighbours are all like it. A decoder of another kind
        than the teacher's keeps its own weights.
        """
        if self.spec.decoder == teacher.spec.decoder:
            self.decoder.load_state_dict(teacher.decoder.state_dict())
        if not encoder:
            return
        for own, other in zip(self.encoder.layers, teacher.encoder.layers, strict=True):
            like: tuple[Tensor, Tensor] = other.among_its_like()  # type: ignore[operator]
            for mine, its in zip(own.parameters(), like, strict=True):
                mine.copy_(its)

    def set_training(self, rng: torch.Generator, precision: torch.dtype) -> None:
        """How the model works in training mode.

        Args:
            rng: of dropout, on the model's device.
            precision: of products, float32 or bfloat16; weights and results stay float32.
        """
        self.training_precision = precision
        for module in self.modules():
            if isinstance(module, Dropout):
                module.rng = rng

    def encode(self, features: NodeFeatures, *adjacencies: Adjacency, out: Tensor | None = None) -> Tensor:
        """Node representations, float32 [N, D] (see `Encoder.forward`).

        Outside training, many nodes are encoded a bounded number at a time (see `Encoder.in_parts`).

        Args:
            features: of N nodes.
            adjacencies: one for each layer, or one for all of them; none for an MLP.
            out: float32 [N, D], where the representations go; without it, new memory.
        """
        many = features.num_nodes > NODES_AT_ONCE and not (self.training or torch.is_grad_enabled())
        whole = len(adjacencies) <= 1 and all(graph.num_rows == features.num_nodes for graph in adjacencies)
        if many and whole:
            if out is None:
                out = torch.empty(features.num_nodes, self.spec.hidden, device=features.matrix.device)
            return self.encoder.in_parts(features, adjacencies[0] if adjacencies else None, out)
        with self._precision(features.matrix.device):
            representations: Tensor = self.encoder(features, adjacencies)
        return representations.float() if out is None else out.copy_(representations)

    def decode(self, representations: Tensor, pairs: Tensor) -> Tensor:
        """Logits, float32 [P], of pairs, int64 [2, P], from representations, float32 [N, D], without dropout."""
        # index_select takes half the time of [], and with many pairs most of the time goes here.
        one, other = representations.index_select(0, pairs[0]), representations.index_select(0, pairs[1])
        logits: Tensor = self.decoder(one * other)
        return logits

    def training_decoder(
        self, representations: Tensor, row: Tensor | None = None, workspace: Workspace | None = None
    ) -> TrainingDecoder:
        """The decoder of one training step on a leaf of representations, float32 [M, D] (see `TrainingDecoder`)."""
        workspace = workspace or Workspace()
        hidden, out, dropout = self.decoder.hidden, self.decoder.out, self.decoder.dropout
        return TrainingDecoder(hidden, out, dropout, representations, row, self.training_precision, workspace)

    def _precision(self, device: torch.device) -> torch.autocast:
        reduced = self.training and self.training_precision != torch.float32
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=reduced)

    @torch.inference_mode()
    def score(self, representations: Tensor, pairs: Tensor) -> Tensor:
        """Logits, float32 [P], of any number of pairs, int64 [2, P], in bounded chunks and without dropout."""
        self.eval()
        chunks = torch.split(pairs, pairs_at_once(self.spec.hidden), dim=1)
        return torch.cat([self.decode(representations, chunk) for chunk in chunks])

    @torch.inference_mode()
    def score_with_all(self, own: Tensor, others: Tensor) -> Tensor:
        """Logits, float32 [N], of the pairs of one node, float32 [D], with each of others, float32 [N, D].

        As `score` within rounding, but no product of two representations is made: (h * h_j) W is h_j times the rows of
        W scaled by h.
        """
        self.eval()
        hidden, out = self.decoder.hidden, self.decoder.out
        if hidden is None:
            return nn.functional.linear(others, (own * out.weight[:, 0])[None], out.bias).squeeze(1)
        weight = own[:, None] * hidden.weight
        logits = [
            out(nn.functional.linear(chunk, weight.T, hidden.bias).relu_()).squeeze(1)
            for chunk in torch.split(others, pairs_at_once(self.spec.hidden))
        ]
        return torch.cat(logits)


def save_model(model: LinkModel, folder: Path, about: dict[str, Any]) -> None:
    """Writes model.safetensors and model.json (the spec, and `about`) into a folder that exists."""
    write_tensors(folder / "model.safetensors", model.state_dict())
    write_json(folder / "model.json", {**model.spec.model_dump(), **about})


def load_model(folder: Path, device: torch.device | str = "cpu") -> LinkModel:
    """Reads a model, ready for inference.

    Raises:
        InputError: a file is missing, or the weights do not fit the spec.
    """
    try:
        model = LinkModel(ModelSpec.model_validate(read_json(folder / "model.json")))
        model.load_state_dict(read_tensors(folder / "model.safetensors"))
    except (ValidationError, RuntimeError) as error:
        raise InputError(f"{folder}: the model cannot be rebuilt: {error}") from None
    return model.to(device).eval()
