"""The score of settings on one inner split: train, then rank the inner test edges."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llp_core.config import Params
from llp_core.evaluation import score_test_pairs
from llp_core.locks import locked
from llp_core.metrics import HITS_AT, hits_at_k
from llp_core.models import LinkModel, NodeFeatures, load_model, save_model
from llp_core.names import is_taught
from llp_core.search.problem import Problem
from llp_core.search.spaces import Scored
from llp_core.splits import training_graph
from llp_core.store import new_folder, read_json, write_json
from llp_core.training.checkpoint import fingerprint
from llp_core.training.loop import Watch
from llp_core.training.runs import Lessons, best_of, resolve_device, teach, train_student, train_teachers
from llp_core.types import LinkSplit, TrainingGraph


@dataclass(frozen=True)
class Job:
    """What to score.

    Attributes:
        params: settings of run, teacher, contexts and student.
        method: of the model whose score is asked.
        number: of the inner split, from 0.
        watched: whether the process that submits it is told of each validation, and may end it then.
    """

    params: Params
    method: Scored
    number: int
    watched: bool = False


def relevant_settings(params: Params, method: Scored) -> dict[str, Any]:
    """The sections that a score of this method depends on; which students to train is no part of that."""
    values = params.model_dump(mode="json", include={"run", "teacher", "contexts", "student"})
    del values["student"]["methods"]
    if method == "teacher":
        return {"run": values["run"], "teacher": values["teacher"]}
    if not is_taught(method):
        return {"run": values["run"], "student": values["student"]}
    return values


def score(problem: Problem, job: Job, folder: Path, workspace: Path, watch: Watch | None = None) -> float:
    """The mean of Hits@10, 20, 30 and 50 on the inner test edges, in percent (see `llp_core.search.problem.FINER`).

    Args:
        problem: what the trials are trained and scored on.
        job: what to score.
        folder: of the search: keeps scores and teachers, so that the same job is done once.
        workspace: for states of trainings under way; of this process alone.
        watch: told of the validations of the model that is scored, anew where its score is kept.
    """
    settings = {"method": job.method, **_about(problem, job.number)}
    settings["settings"] = relevant_settings(job.params, job.method)
    path = folder / "scores" / f"{fingerprint(settings, problem.tensors)}.json"
    if path.exists():
        kept = read_json(path)
        for epochs, reached in kept.get("validations", ()):
            if watch:
                watch(epochs, reached)
        return float(kept["score"])
    validations: list[tuple[int, float]] = []

    def note(epochs: int, reached: float) -> None:
        validations.append((epochs, reached))
        if watch:
            watch(epochs, reached)

    value = _score(problem, job, folder, workspace, note)
    write_json(path, {**settings, "score": value, "validations": validations})
    shutil.rmtree(workspace, ignore_errors=True)
    return value


def _about(problem: Problem, number: int) -> dict[str, Any]:
    """What a score on one inner split depends on; how many others there are is no part of that."""
    return {**problem.about, "seeds": problem.seeds[number]}


def _score(problem: Problem, job: Job, folder: Path, workspace: Path, watch: Watch) -> float:
    split = problem.splits[job.number]
    run = job.params.run.model_copy(update={"seed": problem.seeds[job.number]})
    training = training_graph(split, problem.graph)
    params = job.params.model_copy(update={"run": run})
    if job.method == "teacher":
        model = _train_teacher(training, params, workspace, watch)
    else:
        lessons = _lessons(problem, params, job.number, training, folder) if is_taught(job.method) else None
        model = train_student(training, job.method, lessons, params.student, run, workspace, watch).model
    return _hits(model, split, NodeFeatures.of(problem.graph.features, resolve_device(run)), problem.finer)


def _train_teacher(training: TrainingGraph, params: Params, workspace: Path, watch: Watch | None = None) -> LinkModel:
    return best_of(train_teachers(training, params.teacher, params.run, workspace, watch)).model


def _lessons(problem: Problem, params: Params, number: int, training: TrainingGraph, folder: Path) -> Lessons:
    """Contexts, and the scores of a teacher that is trained once for each inner split and its own settings."""
    settings = {**_about(problem, number), **relevant_settings(params, "teacher")}
    target = folder / "teachers" / fingerprint(settings, problem.tensors)
    with locked(target.with_suffix(".lock")):
        if not target.exists():
            workspace = target.with_suffix(".work")
            with new_folder(target, settings) as new:
                save_model(_train_teacher(training, params, workspace), new, {})
            shutil.rmtree(workspace, ignore_errors=True)
    return teach(load_model(target, resolve_device(params.run)), training, params.contexts, params.run.seed)


def _hits(model: LinkModel, split: LinkSplit, features: NodeFeatures, finer: int) -> float:
    positive, negative = score_test_pairs(model, features, split)
    return 100 * sum(hits_at_k(positive, negative, finer * k) for k in HITS_AT) / len(HITS_AT)
