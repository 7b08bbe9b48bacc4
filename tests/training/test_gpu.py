"""Trainings on a GPU: the same as on the CPU but for rounding, where nothing is drawn on the device."""

import dataclasses

import pytest
import torch
from trainings import killed

from llp_core.models import LinkModel, ModelSpec
from llp_core.names import METHODS, Method
from llp_core.sampling import generator
from llp_core.training.export import export_scores
from llp_core.training.runs import Trained, train_student, train_teachers
from llp_core.types import Contexts, TeacherScores, TrainingGraph

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


STILL = {"dropout": 0.0, "feature_dropout": 0.0, "max_epochs": 5, "patience": 5}
"""Dropout is drawn on the device, by another generator."""


def history(trained: Trained) -> list[float]:
    return [record["loss"] for record in trained.fit.history]


@pytest.fixture(params=["sparse", "dense"])
def graph(request, training_graph) -> TrainingGraph:
    if request.param == "sparse":
        return training_graph
    return dataclasses.replace(training_graph, features=training_graph.features.to_dense())


@pytest.mark.parametrize("encoder", ["sage", "gcn"])
@pytest.mark.parametrize(
    "changes", [{}, {"batching": "sampled", "fanouts": (3,)}, {"standardize": True, "layers": 3}, {"decoder": "linear"}]
)
def test_a_teacher_trains_as_on_the_cpu(encoder, changes, graph, teacher_params, run_params, tmp_path) -> None:
    params = teacher_params.model_copy(update={**STILL, "encoder": encoder, "candidates": 1, **changes})
    losses = {}
    for device in ("cpu", "cuda"):
        run = run_params.model_copy(update={"device": device})
        (trained,) = train_teachers(graph, params, run, tmp_path / device)
        assert next(trained.model.parameters()).device.type == device
        losses[device] = history(trained)
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "changes", [{}, {"start": "fresh", "standardize": True, "negatives": 2}, {"decoder": "linear"}]
)
def test_a_student_trains_as_on_the_cpu(
    method: Method, changes, graph, lessons, student_params, run_params, tmp_path
) -> None:
    params = student_params.model_copy(update={**STILL, **changes})
    losses = {}
    for device in ("cpu", "cuda"):
        run = run_params.model_copy(update={"device": device})
        trained = train_student(graph, method, lessons, params, run, tmp_path / device)
        assert next(trained.model.parameters()).device.type == device
        losses[device] = history(trained)
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_with_dropout_they_learn(
    precision, graph, lessons, student_params, teacher_params, run_params, tmp_path
) -> None:
    run = run_params.model_copy(update={"device": "cuda", "precision": precision})
    long = {"max_epochs": 60, "patience": 60, "feature_dropout": 0.2}
    teacher = next(train_teachers(graph, teacher_params.model_copy(update=long), run, tmp_path))
    student = train_student(graph, "llp", lessons, student_params.model_copy(update=long), run, tmp_path)
    assert teacher.fit.valid_score > 0.7
    assert student.fit.valid_score > 0.7


def test_a_killed_training_goes_on(lessons, training_graph, student_params, run_params, tmp_path, monkeypatch) -> None:
    run = run_params.model_copy(update={"device": "cuda"})
    whole = train_student(training_graph, "llp", lessons, student_params, run, tmp_path / "whole")
    with killed(monkeypatch, after=7):
        train_student(training_graph, "llp", lessons, student_params, run, tmp_path / "killed")
    resumed = train_student(training_graph, "llp", lessons, student_params, run, tmp_path / "killed")
    # sums on a GPU are added up in any order, so the last bits may differ
    assert history(resumed) == pytest.approx(history(whole), rel=1e-3)


def test_scores_are_those_of_the_cpu(training_graph, contexts: Contexts) -> None:
    spec = ModelSpec(encoder="sage", features=22, hidden=16, layers=2, dropout=0.5)
    found: list[TeacherScores] = []
    for device in ("cpu", "cuda"):
        model = LinkModel(spec, generator(0, "weights")).to(device)
        found.append(export_scores(model, training_graph, contexts, generator(3), "scores"))
    for field in dataclasses.fields(TeacherScores):
        one, other = (getattr(scores, field.name) for scores in found)
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
