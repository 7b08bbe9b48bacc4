"""The training loop of teacher and student: steps, early stopping on a validation score, resume."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llp_core.config import ModelParams
from llp_core.errors import InputError
from llp_core.metrics import validation_score
from llp_core.models import Dropout, LinkModel, NodeFeatures, TrainingAdjacency, Workspace
from llp_core.models.standardizing import fold, standardize
from llp_core.progress import Progress
from llp_core.training.batching import StepEncoder
from llp_core.training.checkpoint import Checkpoint
from llp_core.training.objective import Objective, Step
from llp_core.training.optimizers import WeightSteps
from llp_core.types import TrainingGraph

GRADIENT_NORM = 1.0
"""Gradients of one step are scaled down to this norm, so that loss weights of 1000 cannot break a training."""

VALIDATE_EVERY = 5
"""Epochs between two validations, which are in float32 and cost as much as a tenth of a small epoch each."""

History = list[dict[str, float | None]]
Watch = Callable[[int, float], None]
"""Told of each validation: epochs done, and the score. What it raises ends the training."""


@dataclass(frozen=True)
class Fit:
    """What came of a training. The model holds the weights of the best epoch.

    Attributes:
        history: one record an epoch: epoch, loss, each loss, valid_score (None where the epoch was not validated).
        best_epoch: from 0, the first of the best validation score; of several members, the latest of theirs.
        valid_score: of the weights kept, 0..1 (`llp_core.metrics.validation_score`).
    """

    history: History
    best_epoch: int
    valid_score: float

    def about(self) -> dict[str, Any]:
        """What model.json says of the training."""
        return {"best_epoch": self.best_epoch, "epochs": len(self.history), "valid_score": self.valid_score}


class Trainer:
    """Trains one model.

    Args:
        model: on its device.
        graph: what training may see.
        objective: what to minimise.
        params: learning rate, epochs, patience, batch size and what else a model is trained with.
        predicted_share: of the training edges, predicted in one step; below 1 without messages over them.
        dropout_rng: generator of dropout, on the model's device.
        precision: of the products; float32 or bfloat16.
        checkpoint: where the state is kept.
        scale: whether the encoder's weights were drawn anew, and are to be scaled to the features.
        fanouts: most neighbours that a step draws of a node, one a layer; None for messages over the whole graph.
    """

    def __init__(
        self,
        model: LinkModel,
        graph: TrainingGraph,
        objective: Objective,
        params: ModelParams,
        predicted_share: float,
        dropout_rng: torch.Generator,
        precision: torch.dtype,
        checkpoint: Checkpoint,
        scale: bool,
        fanouts: tuple[int, ...] | None,
    ) -> None:
        self.model = model
        self.graph = graph
        self.objective = objective
        self.params = params
        self.checkpoint = checkpoint
        self.dropout_rng = dropout_rng
        device = next(model.parameters()).device
        model.set_training(dropout_rng, precision)
        features = NodeFeatures.of(graph.features, device)
        needs_graph = model.encoder.needs_graph
        adjacency = TrainingAdjacency(graph.edges, graph.num_nodes, device) if needs_graph else None
        feature_dropout = Dropout(params.feature_dropout, dropout_rng)
        self.encoder = StepEncoder(model, features, feature_dropout, adjacency, fanouts, objective.rng)
        self.predicted_share = predicted_share
        self.workspace = Workspace()
        if params.standardize:
            standardize(model.encoder.layers[0], features, keep=not scale)
        self.valid_edges = graph.valid_edges.to(device)
        self.valid_negatives = graph.valid_negatives.to(device)
        if scale:
            self.encoder.scale()
        self.weight_steps = WeightSteps(model.parameters(), params.optimizer, precision)
        self.history: History = []
        self.steps = 0
        self.averaged = _copy(dict(model.named_parameters()))
        self.best_epoch = -1
        self.best_value = -1.0
        self.best_weights: dict[str, Tensor] = {}

    def fit(self, progress: Progress, watch: Watch | None = None) -> Fit:
        """Trains until the patience or the epochs are used up, from the checkpoint on where there is one.

        Args:
            progress: counts epochs.
            watch: told of validations before the checkpoint too.

        Raises:
            InputError: the training diverges.
        """
        self._resume()
        progress.advance(len(self.history))
        for record in self.history:
            _tell(watch, record)
        while len(self.history) < self.params.max_epochs and not self._is_patience_used_up():
            epoch = len(self.history)
            losses = self._train_epoch(epoch, progress)
            if not math.isfinite(losses["loss"]):
                raise self._diverged(progress, epoch)
            due = (epoch + 1) % VALIDATE_EVERY == 0 or epoch + 1 == self.params.max_epochs
            value = self.validate() if due else None
            if value is not None and math.isnan(value):
                raise self._diverged(progress, epoch)
            self.history.append({"epoch": epoch, **losses, "valid_score": value})
            _tell(watch, self.history[-1])
            if value is not None and value > self.best_value:
                self.best_epoch, self.best_value = epoch, value
                self.best_weights = _copy(self.averaged)
            if self.checkpoint.due():
                self._save()
            progress.advance(0, loss=losses["loss"], best_valid_score=max(self.best_value, 0))
        self._save()
        self.model.load_state_dict(self.best_weights)
        fold(self.model.encoder.layers[0])
        return Fit(self.history, self.best_epoch, self.best_value)

    @torch.inference_mode()
    def validate(self) -> float:
        """The validation score of the averaged weights, without dropout; nan where a score of a pair is not finite."""
        trained = _copy(self.model.state_dict())
        self.model.load_state_dict(self.averaged)
        self.model.eval()
        representations = self.model.encode(self.encoder.features, *self.encoder.messages())
        positive = self.model.score(representations, self.valid_edges)
        negative = self.model.score(representations, self.valid_negatives)
        self.model.load_state_dict(trained)
        finite = torch.isfinite(positive).all() and torch.isfinite(negative).all()
        return validation_score(positive, negative) if finite else math.nan

    def _diverged(self, progress: Progress, epoch: int) -> InputError:
        features = self.graph.features
        values = features if features.layout == torch.strided else features.values()
        if not torch.isfinite(values).all():
            return InputError(f"{progress.description}: a feature is not finite. Replace it, or drop its node.")
        return InputError(
            f"{progress.description}: the training diverged in epoch {epoch}: its loss or scores are not finite. Lower "
            "learning_rate, or the weights of the losses."
        )

    def _is_patience_used_up(self) -> bool:
        """Whether the score has not risen for too long; only a validation can tell, and the first comes late."""
        validated = bool(self.history) and self.history[-1]["valid_score"] is not None
        return validated and len(self.history) - 1 - self.best_epoch >= self.params.patience

    def _train_epoch(self, epoch: int, progress: Progress) -> dict[str, float]:
        self.model.train()
        sums: dict[str, Tensor] = {}
        steps = list(self._steps(epoch))
        for number, step in enumerate(steps):
            rate = self._learning_rate(epoch + number / len(steps))
            for name, value in self._train_step(step, rate).items():
                sums[name] = sums[name] + value / len(steps) if name in sums else value / len(steps)
            progress.advance(1 / len(steps))
        totals = {name: value.item() for name, value in sums.items()}  # only now: to read one waits for a GPU
        weighted = sum(self.objective.weights[name] * value for name, value in totals.items())
        return {"loss": weighted, **{f"{name}_loss": value for name, value in totals.items()}}

    def _learning_rate(self, epochs: float) -> float:
        """Of the next step, after so many epochs."""
        left = 1 - epochs / self.params.max_epochs
        share = min(1.0, left / self.params.decay) if self.params.decay else 1.0
        return self.params.learning_rate * share

    def _steps(self, epoch: int) -> Iterator[Step]:
        """All training edges in random order, and all anchors spread over as many steps, at least one in each."""
        rng = self.objective.rng
        count = self.graph.edges.shape[1]
        size = min(self.params.batch_size, max(1, math.ceil(self.predicted_share * count)))
        edges = torch.split(torch.randperm(count, generator=rng), size)
        anchors = torch.randperm(self.graph.num_nodes, generator=rng)
        rounds = -(-len(edges) // anchors.numel())  # more than one where the batches are tiny
        for edge_part, anchor_part in zip(edges, anchors.repeat(rounds).tensor_split(len(edges)), strict=True):
            yield Step(epoch, edge_part, anchor_part)

    def _train_step(self, step: Step, learning_rate: float) -> Mapping[str, Tensor]:
        """One step; its losses, float64 []. Chunks are differentiated up to the representations, then the encoder."""
        self.model.zero_grad()
        pairs = self.objective.pairs(step)
        nodes = self.objective.nodes(step, pairs) if self.encoder.may_choose else None
        representations, row = self.encoder.encode(nodes, hidden=step.edges if self.predicted_share < 1 else None)
        decoder = self.model.training_decoder(representations.detach().requires_grad_(), row, self.workspace)
        losses: dict[str, Tensor] = {}
        for chunk in self.objective.chunks(decoder, step, pairs):
            weighted = torch.stack([self.objective.weights[name] * share for name, share in chunk.items()])
            torch.autograd.backward(weighted.sum())
            for name, share in chunk.items():
                losses[name] = losses[name] + share.detach().double() if name in losses else share.detach().double()
        torch.autograd.backward(representations, decoder.representations.grad)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_NORM)
        self.weight_steps.take(learning_rate)
        self._average()
        return losses

    def _average(self) -> None:
        """Moves the averaged weights towards the present ones; at first they are the plain mean of all steps."""
        self.steps += 1
        weights = [parameter.detach() for parameter in self.model.parameters()]
        share = max(1 - self.params.average, 1 / self.steps)
        torch._foreach_lerp_(list(self.averaged.values()), weights, share)

    def _save(self) -> None:
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"averaged.{name}": tensor for name, tensor in self.averaged.items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best_weights.items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in self.weight_steps.state().items()}
        tensors["rng.sampling"] = self.objective.rng.get_state()
        tensors["rng.dropout"] = self.dropout_rng.get_state()
        figures = {"history": self.history, "steps": self.steps}
        self.checkpoint.write(tensors, {**figures, "best_epoch": self.best_epoch, "best_value": self.best_value})

    def _resume(self) -> None:
        found = self.checkpoint.read()
        if found is None:
            return
        tensors, state = found
        self.history, self.steps = state["history"], state["steps"]
        self.best_epoch, self.best_value = state["best_epoch"], state["best_value"]
        self.best_weights = _under("best.", tensors)
        averaged = _under("averaged.", tensors)
        self.averaged = {name: averaged[name].to(present.device) for name, present in self.averaged.items()}
        self.model.load_state_dict(_under("model.", tensors))
        self.weight_steps.restore(_under("optimizer.", tensors))
        self.objective.rng.set_state(tensors["rng.sampling"])
        self.dropout_rng.set_state(tensors["rng.dropout"])


def _tell(watch: Watch | None, record: Mapping[str, float | None]) -> None:
    """Tells of an epoch that was validated."""
    epoch, score = record["epoch"], record["valid_score"]
    if watch is not None and epoch is not None and score is not None:
        watch(int(epoch) + 1, score)


def _copy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
