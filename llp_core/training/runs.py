"""A teacher and its candidates, and a student of each method, trained from what a split lets them see."""

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from statistics import fmean
from typing import Literal

import torch
from torch import Tensor

from llp_core.config import ContextsParams, ModelParams, RunParams, StudentParams, TeacherParams
from llp_core.errors import InputError
from llp_core.machine import code_versions
from llp_core.metrics import validation_score
from llp_core.models import LinkModel, ModelSpec, NodeFeatures, merge
from llp_core.names import Method, is_taught
from llp_core.processes import reuse_memory, usable_cores
from llp_core.progress import Progress
from llp_core.sampling import PairSpace, generator, sample_contexts
from llp_core.training.batching import full_batch_bytes, resolve_batching
from llp_core.training.checkpoint import Checkpoint, fingerprint
from llp_core.training.export import export_scores
from llp_core.training.loop import Fit, Trainer, Watch
from llp_core.training.objective import Objective, Teaching
from llp_core.types import Contexts, TeacherScores, TrainingGraph

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Trained:
    """A model with the weights of its best epoch, and how its training went."""

    model: LinkModel
    fit: Fit


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a teacher leaves to its students.

    Attributes:
        contexts: of the graph's nodes.
        scores: the teacher's, on those contexts.
        teacher: whose weights a student may start with.
    """

    contexts: Contexts
    scores: TeacherScores
    teacher: LinkModel


def resolve_device(run: RunParams) -> torch.device:
    """The device that params.yaml asks for.

    Raises:
        InputError: cuda is asked for and there is none.
    """
    if run.device == "cuda" and not torch.cuda.is_available():
        raise InputError("run.device: cuda is asked for, but PyTorch finds no GPU here. Set it to auto or cpu.")
    return torch.device("cuda" if run.device != "cpu" and torch.cuda.is_available() else "cpu")


def trainings_at_once(run: RunParams) -> int:
    """As many as find cores for their threads, and one on a GPU."""
    return 1 if resolve_device(run).type == "cuda" else max(1, usable_cores() // run.threads)


def resolve_precision(run: RunParams, device: torch.device) -> torch.dtype:
    """The precision of products in training that params.yaml asks for."""
    if run.precision != "auto":
        return torch.bfloat16 if run.precision == "bfloat16" else torch.float32
    processor = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    native = (
        torch.cuda.is_bf16_supported(including_emulation=False)
        if device.type == "cuda"
        else (processor.get("avx512_bf16") or processor.get("amx_bf16"))
    )
    return torch.bfloat16 if native else torch.float32


def train_teachers(
    graph: TrainingGraph, params: TeacherParams, run: RunParams, workspace: Path, watch: Watch | None = None
) -> Iterator[Trained]:
    """Trains `params.candidates` teachers, each from its own seed, one after the other.

    Args:
        graph: what training may see.
        params: settings of the model.
        run: seed, device and precision.
        workspace: a folder for the states of trainings under way; its name stands in progress lines.
        watch: told of the validations of the first one.
    """
    if resolve_batching(params, graph.num_nodes) == "sampled":
        logger.info(
            "%s: sampled neighbourhoods: training on all %s nodes at once would take about %.1f GB (teacher.batching)",
            workspace.name,
            f"{graph.num_nodes:,}",
            full_batch_bytes(params, graph.num_nodes) / 2**30,
        )
    for number in range(params.candidates):
        told = watch if number == 0 else None
        yield _train(graph, params.encoder, params, {"label": 1.0}, None, run, workspace, f"teacher-{number}", told)


def best_of(candidates: Iterable[Trained]) -> Trained:
    """The candidate of the best validation score, the first where several have it."""
    return max(candidates, key=lambda one: one.fit.valid_score)


def teach(teacher: LinkModel, graph: TrainingGraph, params: ContextsParams, seed: int) -> Lessons:
    """Draws contexts and scores them, as the stages `contexts` and `teacher_scores` do.

    Args:
        teacher: trained, on its device.
        graph: what training may see.
        params: settings of the contexts.
        seed: of the run.
    """
    contexts = draw_contexts(graph, params, seed)
    return Lessons(contexts, ask_teacher(teacher, graph, contexts, seed, "teacher scores"), teacher)


def draw_contexts(graph: TrainingGraph, params: ContextsParams, seed: int) -> Contexts:
    """The context nodes of every training node, by the seed of the run."""
    return sample_contexts(graph, params, generator(seed, "contexts"))


def ask_teacher(teacher: LinkModel, graph: TrainingGraph, contexts: Contexts, seed: int, name: str) -> TeacherScores:
    """The teacher's scores of contexts and training pairs, by the seed of the run; `name` is that of the progress."""
    return export_scores(teacher, graph, contexts, generator(seed, "teacher scores"), name)


def fine_tune(
    model: LinkModel, graph: TrainingGraph, params: TeacherParams, run: RunParams, epochs: int, workspace: Path
) -> Trained:
    """Trains a GNN on from the weights that it has, such as one of which parts were taken.

    Args:
        model: on its device; changed in place.
        graph: what training may see.
        params: as the teacher was trained with.
        run: seed and precision.
        epochs: at most so many.
        workspace: a folder for the state of the training.
    """
    params = params.model_copy(update={"max_epochs": epochs})
    return _fit(model, graph, params, {"label": 1.0}, None, run, workspace, "fine-tuned", scale=False)


def train_student(
    graph: TrainingGraph,
    method: Method,
    lessons: Lessons | None,
    params: StudentParams,
    run: RunParams,
    workspace: Path,
    watch: Watch | None = None,
) -> Trained:
    """Trains a student of one method: `params.members` of them, merged into one model (`llp_core.models.merge`).

    Args:
        graph: what training may see.
        method: names the losses (`llp_core.names.METHOD_LOSSES`).
        lessons: what the teacher left; the plain MLP (label) learns from no teacher and looks at none.
        params: settings of the model.
        run: seed, device and precision.
        workspace: a folder for the states of trainings under way; its name stands in progress lines.
        watch: told of the validations of the first member.

    Raises:
        InputError: teacher and student differ in width or layers, and the student is to match its teacher's
            representations or to start with its weights.
    """
    weights = params.loss_weights(method)
    if not is_taught(method):
        lessons, params = None, params.model_copy(update={"optimizer": "adam"})
    elif lessons is None:
        raise ValueError(f"method {method} learns from a teacher: lessons must be given")
    else:
        params.require_sizes_of(lessons.teacher.spec, method)
    apart = params.model_copy(update={"start": "fresh"})  # those that start alike end much alike
    name = f"student-{method}"
    first = _train(graph, "mlp", params, weights, lessons, run, workspace, name, watch)
    others = [
        _train(graph, "mlp", apart, weights, lessons, run, workspace, f"{name}-{number}")
        for number in range(1, params.members)
    ]
    return _merged([first, *others], graph) if others else first


@torch.no_grad()
def _merged(members: Sequence[Trained], graph: TrainingGraph) -> Trained:
    """One student of several. Its history is the mean of theirs, epoch by epoch, of those that got there."""
    model = merge([member.model for member in members])
    device = next(model.parameters()).device
    representations = model.encode(NodeFeatures.of(graph.features, device))
    positive, negative = (
        model.score(representations, pairs.to(device)) for pairs in (graph.valid_edges, graph.valid_negatives)
    )
    history = [_mean(records) for records in zip_longest(*(member.fit.history for member in members))]
    best_epoch = max(member.fit.best_epoch for member in members)
    return Trained(model, Fit(history, best_epoch, validation_score(positive, negative)))


def _mean(records: Iterable[Mapping[str, float | None] | None]) -> dict[str, float | None]:
    """One record of an epoch from those of several trainings; None where none has a figure."""
    there = [record for record in records if record is not None]
    known = {name: [value for record in there if (value := record[name]) is not None] for name in there[0]}
    return {name: fmean(values) if values else None for name, values in known.items()}


def _train(
    graph: TrainingGraph,
    encoder: Literal["mlp", "sage", "gcn"],
    params: ModelParams,
    weights: Mapping[str, float],
    lessons: Lessons | None,
    run: RunParams,
    workspace: Path,
    name: str,
    watch: Watch | None = None,
) -> Trained:
    reuse_memory()
    spec = ModelSpec(
        encoder=encoder,
        decoder=params.decoder,
        features=graph.features.shape[1],
        hidden=params.hidden,
        layers=params.layers,
        dropout=params.dropout,
    )
    # The setting is no part of a seed: cold start trains the very models of production, so that the two settings
    # differ by the edges at new nodes alone.
    model = LinkModel(spec, generator(run.seed, name, "weights")).to(resolve_device(run))
    start, teaching = "fresh", None
    if lessons is not None and isinstance(params, StudentParams):
        start = params.start
        if start != "fresh":
            model.start_as(lessons.teacher, encoder=start == "teacher")
        teaching = Teaching(lessons.contexts, lessons.scores, params.margin, params.temperature, params.match)
    return _fit(model, graph, params, weights, teaching, run, workspace, name, scale=start != "teacher", watch=watch)


def _fit(
    model: LinkModel,
    graph: TrainingGraph,
    params: ModelParams,
    weights: Mapping[str, float],
    teaching: Teaching | None,
    run: RunParams,
    workspace: Path,
    name: str,
    scale: bool,
    watch: Watch | None = None,
) -> Trained:
    """Trains a model with its first weights, on its device."""
    device = next(model.parameters()).device
    precision = resolve_precision(run, device)
    sampling = generator(run.seed, name, "sampling")
    objective = Objective(graph.edges, PairSpace.of(graph), weights, params.negatives, teaching, sampling)
    share, fanouts = 1.0, None
    if isinstance(params, TeacherParams):
        share = params.predicted_share
        fanouts = params.fanout_of_layers if resolve_batching(params, graph.num_nodes) == "sampled" else None
    settings = {
        "name": name,
        "spec": model.spec.model_dump(),
        "run": run.model_dump(),
        "device": str(device),
        "precision": str(precision),
        "params": params.model_dump(mode="json"),
        "weights": dict(weights),
        "fanouts": fanouts,
        "versions": code_versions(),
    }
    first = {f"first weights.{name}": weight.detach().cpu() for name, weight in model.state_dict().items()}
    checkpoint = Checkpoint(workspace / name, fingerprint(settings, _tensors(graph, teaching) | first))
    dropout = generator(run.seed, name, "dropout", device=device)
    trainer = Trainer(model, graph, objective, params, share, dropout, precision, checkpoint, scale, fanouts)
    with Progress(params.max_epochs, f"{workspace.name}: {name}") as progress:
        fit = trainer.fit(progress, watch)
    return Trained(model.eval(), fit)


def _tensors(*sources: object) -> dict[str, Tensor]:
    """Every tensor in some dataclasses and those within them, by name."""
    tensors: dict[str, Tensor] = {}
    for source in sources:
        if dataclasses.is_dataclass(source):
            values = {field.name: getattr(source, field.name) for field in dataclasses.fields(source)}
            tensors |= {name: value for name, value in values.items() if isinstance(value, Tensor)}
            nested = _tensors(*values.values())
            tensors |= {f"{type(source).__name__}.{name}": value for name, value in nested.items()}
    return tensors
