"""The training loop of teacher and student: Adam, early stopping on validation Hits@20, resume."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llp_core.config import ModelParams
from llp_core.metrics import VALIDATION_K, hits_at_k
from llp_core.models import Adjacency, LinkModel, NodeFeatures
from llp_core.progress import Progress
from llp_core.training.checkpoint import Checkpoint
from llp_core.training.objective import Objective, Step
from llp_core.types import TrainingGraph

GRADIENT_NORM = 1.0
"""Gradients of one step are scaled down to this norm, so that loss weights of 1000 cannot break a training."""

History = list[dict[str, float]]


@dataclass(frozen=True)
class Fit:
    """What came of a training. The model holds the weights of the best epoch.

    Attributes:
        history: one record an epoch: epoch, loss, each loss, valid_hits_at_20.
        best_epoch: from 0, the first of the best validation Hits@20.
        valid_hits_at_20: of that epoch, a share.
    """

    history: History
    best_epoch: int
    valid_hits_at_20: float

    def about(self) -> dict[str, Any]:
        """What model.json says of the training."""
        return {
            "best_epoch": self.best_epoch,
            "epochs": len(self.history),
            "valid_hits_at_20": self.valid_hits_at_20,
        }


class Trainer:
    """Trains one model.

    Args:
        model: on its device.
        graph: what training may see.
        objective: what to minimise.
        params: learning rate, epochs, patience, batch size.
        dropout_rng: generator of dropout, on the model's device.
        precision: of the dense products; float32 or bfloat16.
        checkpoint: where the state is kept.
    """

    def __init__(
        self,
        model: LinkModel,
        graph: TrainingGraph,
        objective: Objective,
        params: ModelParams,
        dropout_rng: torch.Generator,
        precision: torch.dtype,
        checkpoint: Checkpoint,
    ) -> None:
        self.model = model
        self.graph = graph
        self.objective = objective
        self.params = params
        self.checkpoint = checkpoint
        self.dropout_rng = dropout_rng
        device = next(model.parameters()).device
        model.set_training(dropout_rng, precision)
        self.features = NodeFeatures.of(graph.features, device)
        needs_graph = model.encoder.needs_graph
        self.adjacencies = [Adjacency.from_edges(graph.edges, graph.num_nodes, device)] if needs_graph else []
        self.valid_edges = graph.valid_edges.to(device)
        self.valid_negatives = graph.valid_negatives.to(device)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=params.learning_rate, fused=True)
        self.history: History = []
        self.best_epoch = -1
        self.best_value = -1.0
        self.best_weights: dict[str, Tensor] = {}

    def fit(self, progress: Progress) -> Fit:
        """Trains until the patience or the epochs are used up, from the checkpoint on where there is one."""
        self._resume()
        progress.advance(len(self.history))
        while len(self.history) < self.params.max_epochs and not self._patience_used_up():
            losses = self._train_epoch(len(self.history))
            value = self.validate()
            self.history.append({"epoch": len(self.history), **losses, "valid_hits_at_20": value})
            if value > self.best_value:
                self.best_epoch, self.best_value = len(self.history) - 1, value
                self.best_weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
            if self.checkpoint.due():
                self._save()
            progress.advance(1, loss=losses["loss"], valid_hits_at_20=value, best=self.best_value)
        self._save()
        self.model.load_state_dict(self.best_weights)
        return Fit(self.history, self.best_epoch, self.best_value)

    @torch.inference_mode()
    def validate(self) -> float:
        """Hits@20 on the validation edges, without dropout."""
        self.model.eval()
        representations = self.model.encode(self.features, *self.adjacencies)
        positive = self.model.score(representations, self.valid_edges)
        return hits_at_k(positive, self.model.score(representations, self.valid_negatives), VALIDATION_K)

    def _patience_used_up(self) -> bool:
        return len(self.history) - 1 - self.best_epoch >= self.params.patience

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        self.model.train()
        totals: dict[str, float] = {}
        steps = list(self._steps(epoch))
        for step in steps:
            for name, value in self._train_step(step).items():
                totals[name] = totals.get(name, 0.0) + value / len(steps)
        weighted = sum(self.objective.weights[name] * value for name, value in totals.items())
        return {"loss": weighted, **{f"{name}_loss": value for name, value in totals.items()}}

    def _steps(self, epoch: int) -> Iterator[Step]:
        """All training edges in random order, and all anchors spread over as many steps, at least one in each."""
        rng = self.objective.rng
        edges = torch.split(torch.randperm(self.graph.edges.shape[1], generator=rng), self.params.batch_size)
        anchors = torch.randperm(self.graph.num_nodes, generator=rng)
        rounds = -(-len(edges) // anchors.numel())  # more than one where the batches are tiny
        for edge_part, anchor_part in zip(edges, anchors.repeat(rounds).tensor_split(len(edges)), strict=True):
            yield Step(epoch, edge_part, anchor_part)

    def _train_step(self, step: Step) -> Mapping[str, float]:
        """One step. Chunks are differentiated one by one up to the representations, then the encoder once."""
        self.optimizer.zero_grad()
        representations = self.model.encode(self.features, *self.adjacencies)
        leaf = representations.detach().requires_grad_()
        losses: dict[str, float] = {}
        for chunk in self.objective.chunks(self.model, leaf, step):
            weighted = torch.stack([self.objective.weights[name] * share for name, share in chunk.items()])
            torch.autograd.backward(weighted.sum())
            for name, share in chunk.items():
                losses[name] = losses.get(name, 0.0) + share.item()
        torch.autograd.backward(representations, leaf.grad)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        return losses

    def _save(self) -> None:
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best_weights.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
        tensors["rng.sampling"] = self.objective.rng.get_state()
        tensors["rng.dropout"] = self.dropout_rng.get_state()
        state = {"history": self.history, "best_epoch": self.best_epoch, "best_value": self.best_value}
        self.checkpoint.write(tensors, state)

    def _resume(self) -> None:
        found = self.checkpoint.read()
        if found is None:
            return
        tensors, state = found
        self.history = state["history"]
        self.best_epoch, self.best_value = state["best_epoch"], state["best_value"]
        self.best_weights = _under("best.", tensors)
        self.model.load_state_dict(_under("model.", tensors))
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimizer.", tensors).items():
            number, _, slot = name.partition(".")
            slots.setdefault(int(number), {})[slot] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        self.objective.rng.set_state(tensors["rng.sampling"])
        self.dropout_rng.set_state(tensors["rng.dropout"])


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
