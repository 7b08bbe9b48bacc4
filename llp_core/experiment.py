"""One experiment: a teacher and students trained on a split and scored at once, in memory.

The pipeline's stages do the same step by step, with an artefact between any two; the tables take hundreds of these and
keep only the figures.
"""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llp_core.config import Params
from llp_core.evaluation import evaluate, score_test_pairs
from llp_core.machine import forget_peak_memory
from llp_core.models import LinkModel, NodeFeatures
from llp_core.names import TEACHER, Method, Setting, is_taught
from llp_core.splits import training_graph
from llp_core.training.loop import Fit
from llp_core.training.runs import best_of, resolve_device, teach, train_student, train_teachers
from llp_core.types import Evaluation, Graph, LinkSplit


@dataclass(frozen=True)
class Outcome:
    """What came of one model.

    Attributes:
        method: the teacher or a student's method.
        fit: how its training went.
        evaluations: setting -> figures of this method alone.
        cpu_seconds: of training it, all threads together.
    """

    method: str
    fit: Fit
    evaluations: Mapping[Setting, Evaluation]
    cpu_seconds: float


def run_experiment(
    graph: Graph,
    splits: Mapping[Setting, LinkSplit],
    params: Params,
    students: Collection[Method],
    seed: int,
    workspace: Path,
    *,
    with_teacher: bool,
) -> Iterator[Outcome]:
    """Trains a teacher and students and scores each as soon as it is trained, the teacher first.

    Args:
        graph: whole.
        splits: one, or production and cold start, which train on the same; each model is scored on all of them.
        params: settings of run, teacher, contexts and student, for these splits.
        students: their methods.
        seed: takes the place of `params.run.seed`.
        workspace: keeps the states of trainings, so that a killed experiment goes on where it was; remove it after.
        with_teacher: whether the teacher is asked for; one that a student learns from is trained and scored anyhow.
    """
    run = params.run.model_copy(update={"seed": seed})
    device = resolve_device(run)
    training = training_graph(next(iter(splits.values())), graph)
    features = NodeFeatures.of(graph.features, device)

    lessons = None
    any_taught = any(is_taught(method) for method in students)
    if with_teacher or any_taught:
        started = time.process_time()
        teacher = best_of(train_teachers(training, params.teacher, run, workspace))
        yield _outcome(TEACHER, teacher.model, teacher.fit, features, splits, time.process_time() - started)
    if any_taught:
        lessons = teach(teacher.model, training, params.contexts, seed)
        forget_peak_memory()  # that of the export is no student's
    for method in students:
        started = time.process_time()
        student = train_student(training, method, lessons, params.student, run, workspace)
        yield _outcome(method, student.model, student.fit, features, splits, time.process_time() - started)


def _outcome(
    method: str,
    model: LinkModel,
    fit: Fit,
    features: NodeFeatures,
    splits: Mapping[Setting, LinkSplit],
    cpu_seconds: float,
) -> Outcome:
    evaluations = {
        setting: evaluate(split, {method: score_test_pairs(model, features, split)})
        for setting, split in splits.items()
    }
    return Outcome(method, fit, evaluations, cpu_seconds)
