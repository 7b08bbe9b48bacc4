"""What a benchmark is about: a graph, a teacher and a student, made for it or trained by the pipeline."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from llp_core import paths
from llp_core.config import load_params
from llp_core.contestants import Contestant, contestants
from llp_core.errors import InputError
from llp_core.graph import CSR, csr, pair_keys
from llp_core.latency.measuring import random_requests
from llp_core.models import LinkModel, ModelSpec, NodeFeatures, load_model
from llp_core.names import METHODS, Setting
from llp_core.sampling import generator
from llp_core.splits import training_graph
from llp_core.store import load
from llp_core.training.runs import fine_tune
from llp_core.types import Graph, LinkSplit

SHAPE_PAIRS = 46_329 + 100_000
"""Scored offline where there are no test edges: as many as ogbl-collab has of them, and negatives."""

FINE_TUNING = 50
"""Most epochs that a pruned teacher is trained on for; the teacher's own settings and early stopping hold."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A graph and two models, on a device.

    Attributes:
        name: for readers.
        teacher, student: in evaluation mode.
        features: of every node.
        graph: that messages pass over.
        offline_pairs: int64 [2, P], scored offline.
        test_edges: how many of those, the first ones, are test edges, and the others negatives; None where the models
            are not trained, so that quality means nothing.
        tune: trains a changed teacher on, in place; does nothing where the models are not trained.
    """

    name: str
    teacher: LinkModel
    student: LinkModel
    features: NodeFeatures
    graph: CSR
    offline_pairs: Tensor
    test_edges: int | None
    tune: Callable[[LinkModel], object]

    def contestants(self, threads: int, names: Collection[str], timed_only: bool = False) -> Iterator[Contestant]:
        """The contestants of these names, made one by one, for so many threads.

        Where they are timed only, none is trained on: time does not depend on the weights.
        """
        device, tune = self.offline_pairs.device, _leave if timed_only else self.tune
        return contestants(self.teacher, self.student, self.features, self.graph, device, threads, tune, names)


@dataclass(frozen=True)
class ShapeSource:
    """A made-up graph, and models with their first weights: time does not depend on the weights.

    Attributes:
        shape: a data set ending in "-shape", without that.
        layers, hidden: of teacher and student.
        seed: of graph and weights; the data set itself is drawn with 0.
    """

    shape: str
    layers: int
    hidden: int
    seed: int

    def load(self, device: torch.device) -> Subject:
        """Draws the graph and the weights, the same each time on the CPU.

        Raises:
            InputError: there is no such shape.
        """
        from llp_core.datasets import get_dataset
        from llp_core.datasets.shapes import shape_graph

        dataset = get_dataset(f"{self.shape}-shape")
        if dataset.nodes is None or dataset.edges is None or dataset.features is None:
            raise InputError(f"{dataset.name}: its sizes are not known")
        rng = generator(self.seed, "shape", dataset.name)
        graph = shape_graph(dataset.name, dataset.nodes, dataset.edges, dataset.features, rng)
        return untrained(graph, self.layers, self.hidden, generator(self.seed, "bench"), device)


@dataclass(frozen=True)
class TrainedSource:
    """The models that the pipeline trained, and the student that the gate judges.

    Attributes:
        setting: transductive, production or cold_start.
    """

    setting: Setting

    def load(self, device: torch.device) -> Subject:
        """Reads the artefacts of the pipeline in the current folder.

        Raises:
            InputError: they are not there, or the graph is another one than split and models were made for.
        """
        params = load_params(paths.PARAMS)
        method = params.gate.method
        needed = [paths.GRAPH, paths.split(self.setting), paths.teacher(self.setting)]
        needed.append(paths.student(self.setting, method))
        missing = [str(folder) for folder in needed if not folder.is_dir()]
        if missing:
            raise InputError(
                f"not found: {', '.join(missing)}. Train the models first, `llp run-flow full --setting {self.setting}`"
                f" with {method} in student.methods (as gate.method says, one of {', '.join(METHODS)}), or time models "
                "that are not trained: `llp bench latency --shape collab`."
            )
        graph, split = load(Graph, paths.GRAPH), load(LinkSplit, paths.split(self.setting))
        teacher = load_model(paths.teacher(self.setting), device)
        student = load_model(paths.student(self.setting, method), device)
        sizes = {(split.num_nodes, model.spec.features) for model in (teacher, student)}
        if sizes != {(graph.num_nodes, graph.features.shape[1])} or not _holds(graph, split):
            raise InputError(
                f"{paths.GRAPH}: split and models of {self.setting} were made for another graph. Bring them up to date "
                f"first: `llp run-flow full --setting {self.setting}`."
            )

        def tune(changed: LinkModel) -> None:
            own, seen = params.of(self.setting), training_graph(split, graph)
            with TemporaryDirectory(prefix="llp-pruned-") as workspace:
                fine_tune(changed, seen, own.teacher, own.run, FINE_TUNING, Path(workspace) / "gnn-pruned")

        return Subject(
            name=f"{graph.name}, {self.setting}",
            teacher=teacher,
            student=student,
            features=NodeFeatures.of(graph.features, device),
            graph=csr(split.inference_edges, split.num_nodes).to(device),
            offline_pairs=torch.cat((split.test_edges, split.test_negatives), dim=1).to(device),
            test_edges=split.test_edges.shape[1],
            tune=tune,
        )


def _holds(graph: Graph, split: LinkSplit) -> bool:
    """Whether every edge of a split, of a graph with as many nodes, is one of this graph."""
    edges = torch.cat((split.inference_edges, split.test_edges), dim=1)
    return bool(torch.isin(pair_keys(edges, graph.num_nodes), pair_keys(graph.edges, graph.num_nodes)).all())


def untrained(graph: Graph, layers: int, hidden: int, rng: torch.Generator, device: torch.device) -> Subject:
    """A GraphSAGE teacher and an MLP student with first weights, on a graph.

    Args:
        graph: messages pass over all of its edges.
        layers: of both.
        hidden: width of both.
        rng: of weights and offline pairs, on the CPU.
        device: where everything goes.
    """
    features = NodeFeatures.of(graph.features, device)

    def model(encoder: str) -> LinkModel:
        spec = ModelSpec(encoder=encoder, features=features.width, hidden=hidden, layers=layers, dropout=0.0)  # type: ignore[arg-type]
        return LinkModel(spec, rng).to(device).eval()

    teacher, student = model("sage"), model("mlp")
    return Subject(
        name=f"{graph.name}, not trained",
        teacher=teacher,
        student=student,
        features=features,
        graph=csr(graph.edges, graph.num_nodes).to(device),
        offline_pairs=next(random_requests(graph.num_nodes, SHAPE_PAIRS, device, rng)),
        test_edges=None,
        tune=_leave,
    )


def _leave(changed: LinkModel) -> None:
    """Weights stay as they are."""
