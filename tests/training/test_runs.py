"""Whole trainings: they learn, stop in time, repeat to the last bit, and go on where they were killed."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from trainings import killed, same, weights

from llp_core.contestants.pruning import prune
from llp_core.errors import InputError
from llp_core.models import LinkModel, TrainingAdjacency, Workspace
from llp_core.names import METHODS, Method
from llp_core.sampling import generator
from llp_core.training import runs
from llp_core.training.checkpoint import Checkpoint
from llp_core.training.optimizers import WeightSteps
from llp_core.training.runs import Lessons, fine_tune, resolve_device, resolve_precision, train_student, train_teachers


@pytest.fixture
def student(training_graph, lessons, student_params, run_params, tmp_path):
    def train(method: Method = "llp", workspace: Path = tmp_path, **changes):
        params = student_params.model_copy(update=changes)
        return train_student(training_graph, method, lessons, params, run_params, workspace)

    return train


def note_epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the epochs that are trained from now on."""
    epochs: list[int] = []
    train_epoch = runs.Trainer._train_epoch
    monkeypatch.setattr(
        runs.Trainer,
        "_train_epoch",
        lambda self, epoch, progress: epochs.append(epoch) or train_epoch(self, epoch, progress),
    )
    return epochs


@pytest.mark.parametrize("encoder", ["sage", "gcn"])
def test_teachers_learn_and_differ(encoder, training_graph, teacher_params, run_params, tmp_path) -> None:
    params = teacher_params.model_copy(update={"encoder": encoder, "max_epochs": 60, "patience": 60})
    first, second = train_teachers(training_graph, params, run_params, tmp_path)
    assert not same(first.model, second.model)
    assert first.fit.valid_score > 0.7
    history = first.fit.history
    assert [record["epoch"] for record in history] == list(range(60))
    assert history[-1]["label_loss"] < 0.8 * history[0]["label_loss"]
    validated = {record["epoch"]: record["valid_score"] for record in history if record["valid_score"] is not None}
    assert list(validated) == list(range(4, 60, 5))
    assert first.fit.valid_score == max(validated.values()) == validated[first.fit.best_epoch]


def test_who_watches_is_told_of_each_validation_and_may_end_the_training(
    training_graph, teacher_params, run_params, tmp_path, monkeypatch
) -> None:
    params = teacher_params.model_copy(update={"max_epochs": 30, "patience": 30})
    told: list[tuple[int, float]] = []

    def watch(epochs: int, score: float) -> None:
        told.append((epochs, score))
        if epochs == 20:
            raise InterruptedError

    with killed(monkeypatch, after=12):  # it goes on below, where those before are told of too
        next(train_teachers(training_graph, params, run_params, tmp_path))
    with pytest.raises(InterruptedError):
        next(train_teachers(training_graph, params, run_params, tmp_path, watch))
    first, _ = train_teachers(training_graph, params, run_params, tmp_path)
    records = [(record["epoch"] + 1, record["valid_score"]) for record in first.fit.history]
    assert told == [(epochs, score) for epochs, score in records if epochs in (5, 10, 15, 20)]


def test_of_several_members_the_first_is_watched(training_graph, student_params, run_params, tmp_path) -> None:
    params = student_params.model_copy(update={"members": 2, "max_epochs": 10})
    told: list[int] = []
    train_student(
        training_graph, "label", None, params, run_params, tmp_path, watch=lambda epochs, _: told.append(epochs)
    )
    assert told == [5, 10]


def test_a_pruned_teacher_recovers_by_fine_tuning(training_graph, teacher_params, run_params, tmp_path) -> None:
    params = teacher_params.model_copy(update={"max_epochs": 60, "patience": 60, "candidates": 1})
    (teacher,) = train_teachers(training_graph, params, run_params, tmp_path)
    pruned = prune(teacher.model)
    before = [weight.clone() for weight in weights(pruned)]
    tuned = fine_tune(pruned, training_graph, params, run_params, 10, tmp_path / "tuned")
    assert len(tuned.fit.history) == 10
    assert tuned.fit.valid_score > 0.7
    assert tuned.model is pruned
    assert not all(torch.equal(one, other) for one, other in zip(before, weights(pruned), strict=True))
    assert tuned.fit.history[0]["label_loss"] < 0.95 * teacher.fit.history[0]["label_loss"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns(method: Method, student) -> None:
    trained = student(method, max_epochs=40, patience=40)
    assert trained.fit.valid_score > 0.5
    assert trained.fit.history[-1]["loss"] < trained.fit.history[0]["loss"]
    assert not trained.model.encoder.needs_graph


@pytest.mark.parametrize(("patience", "epochs"), [(10, 10), (7, 10), (1, 5)])
def test_training_stops_at_the_validation_that_finds_patience_used_up(student, patience: int, epochs: int) -> None:
    trained = student(max_epochs=500, patience=patience)
    assert len(trained.fit.history) == trained.fit.best_epoch + 1 + epochs


def test_the_weights_of_the_best_epoch_are_kept(student, tmp_path) -> None:
    trained = student(max_epochs=30, patience=30)
    until_best = student(workspace=tmp_path / "other", max_epochs=trained.fit.best_epoch + 1, patience=30)
    assert same(trained.model, until_best.model)


def test_batches_may_outnumber_the_nodes(student) -> None:
    trained = student(max_epochs=1, batch_size=1)  # 140 steps, 60 anchors
    assert {"label_loss", "rank_loss", "distribution_loss"} < trained.fit.history[0].keys()
    assert all(value == value for value in trained.fit.history[0].values())


def test_the_same_seed_gives_the_same_weights(student, tmp_path) -> None:
    assert same(student().model, student(workspace=tmp_path / "again").model)


@pytest.mark.parametrize("changes", [{}, {"decay": 0.5, "standardize": True}, {"optimizer": "muon"}])
@pytest.mark.parametrize("killed_after", [1, 7, 12])
def test_a_killed_training_ends_with_the_very_same_weights(
    killed_after, changes, student, tmp_path, monkeypatch
) -> None:
    whole = student(workspace=tmp_path / "whole", **changes)
    with killed(monkeypatch, killed_after):
        student(**changes)
    epochs = note_epochs(monkeypatch)
    resumed = student(**changes)
    assert epochs == list(range(killed_after, 12))
    assert same(whole.model, resumed.model)
    assert whole.fit == resumed.fit


def test_a_finished_training_is_not_trained_again(student, monkeypatch) -> None:
    first = student()
    monkeypatch.setattr(runs.Trainer, "_train_epoch", lambda self, *_: pytest.fail("trained again"))
    assert same(first.model, student().model)


def test_a_checkpoint_of_other_settings_is_of_no_use(student, tmp_path) -> None:
    changed = student(workspace=tmp_path / "changed", margin=0.2)
    student()
    assert same(changed.model, student(margin=0.2).model)


def test_a_checkpoint_of_other_first_weights_is_of_no_use(
    training_graph, lessons, student_params, run_params, tmp_path
) -> None:
    params = student_params.model_copy(update={"start": "decoder", "max_epochs": 5})

    def trained(seed: int, folder: str) -> LinkModel:
        teacher = LinkModel(lessons.teacher.spec, generator(seed, "teacher"))
        taught = dataclasses.replace(lessons, teacher=teacher)
        return train_student(training_graph, "llp", taught, params, run_params, tmp_path / folder).model

    first = trained(0, "one")
    second = trained(1, "one")
    assert not same(first, second)
    assert same(second, trained(1, "other"))


@pytest.mark.parametrize("what", ["llp_core.machine.__version__", "torch.__version__"])
def test_a_checkpoint_of_another_version_is_of_no_use(what: str, student, monkeypatch) -> None:
    student(max_epochs=5)
    epochs = note_epochs(monkeypatch)
    monkeypatch.setattr(what, "0.0.1")
    student(max_epochs=5)
    assert epochs == list(range(5))


def test_a_trained_model_holds_its_weights_and_nothing_of_the_training(student) -> None:
    model = student().model
    assert not [value for value in vars(model).values() if isinstance(value, Workspace)]


def test_a_broken_checkpoint_is_of_no_use(student, tmp_path) -> None:
    first = student()
    (tmp_path / "student-llp" / "state.safetensors").write_bytes(b"cut")
    assert same(first.model, student().model)
    shutil.rmtree(tmp_path / "student-llp")
    assert same(first.model, student().model)


def test_bfloat16_learns_as_well(training_graph, lessons, student_params, run_params, tmp_path) -> None:
    params = student_params.model_copy(update={"max_epochs": 40, "patience": 40})
    found = {}
    for precision in ("float32", "bfloat16"):
        run = run_params.model_copy(update={"precision": precision})
        found[precision] = train_student(training_graph, "llp", lessons, params, run, tmp_path / precision)
    assert not same(found["float32"].model, found["bfloat16"].model)
    assert all(weight.dtype == torch.float32 for weight in weights(found["bfloat16"].model))
    assert found["bfloat16"].fit.valid_score == pytest.approx(found["float32"].fit.valid_score, abs=0.15)


@pytest.mark.parametrize(("method", "start"), [("representation", "fresh"), ("llp", "decoder"), ("logit", "teacher")])
def test_what_is_the_teachers_needs_equal_widths(method: Method, start: str, student) -> None:
    with pytest.raises(InputError, match=r"student\.hidden is 8 and the teacher's is 16"):
        student(method, hidden=8, start=start)


def test_the_teachers_encoder_needs_as_many_layers(student) -> None:
    with pytest.raises(InputError, match=r"student\.layers is 3 and the teacher's is 2"):
        student(layers=3, start="teacher")
    assert student(layers=3, start="decoder", max_epochs=1).model.spec.layers == 3


def test_a_student_starts_with_what_it_takes_from_its_teacher(lessons, student) -> None:
    still = {"learning_rate": 1e-12, "max_epochs": 1}
    models = {start: student(start=start, **still).model for start in ("fresh", "decoder", "teacher")}
    theirs = lessons.teacher.decoder.hidden.weight
    near = {start: torch.allclose(model.decoder.hidden.weight, theirs) for start, model in models.items()}
    assert near == {"fresh": False, "decoder": True, "teacher": True}
    first = lessons.teacher.encoder.layers[0]
    together = first.own.weight + first.neighbor.weight
    models["linear"] = student(start="teacher", decoder="linear", **still).model
    near = {start: torch.allclose(model.encoder.layers[0].weight, together) for start, model in models.items()}
    assert near == {"fresh": False, "decoder": False, "teacher": True, "linear": True}
    assert models["linear"].decoder.hidden is None


def test_a_linear_decoder_learns(student, tmp_path) -> None:
    short, long = (
        student("llp", workspace=tmp_path / str(epochs), start="fresh", decoder="linear", max_epochs=epochs)
        for epochs in (1, 30)
    )
    assert long.fit.valid_score > short.fit.valid_score
    assert long.fit.history[-1]["loss"] < short.fit.history[-1]["loss"]


def test_a_plain_mlp_takes_nothing_from_a_teacher(
    training_graph, lessons, student, student_params, run_params, tmp_path
) -> None:
    alone = train_student(training_graph, "label", None, student_params, run_params, tmp_path / "alone")
    assert same(alone.model, student("label", start="teacher").model)
    with pytest.raises(ValueError, match="method llp learns from a teacher"):
        train_student(training_graph, "llp", None, student_params, run_params, tmp_path)


def test_device_and_precision(run_params, monkeypatch) -> None:
    cpu = torch.device("cpu")
    assert resolve_device(run_params) == cpu
    assert resolve_precision(run_params, cpu) == torch.float32
    auto = run_params.model_copy(update={"precision": "auto", "device": "cuda"})
    for capable, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda capable=capable: {"avx512_bf16": capable})
        assert resolve_precision(auto, cpu) == expected
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="cuda is asked for"):
        resolve_device(auto)


@pytest.mark.parametrize(("share", "steps"), [(0.5, 2), (0.25, 4), (1.0, 1)])
def test_a_teacher_gets_no_message_over_the_edges_that_it_predicts(
    share, steps, training_graph, teacher_params, run_params, tmp_path, monkeypatch
) -> None:
    left_out = []
    without = TrainingAdjacency.without
    monkeypatch.setattr(
        TrainingAdjacency, "without", lambda self, edges: left_out.append(edges) or without(self, edges)
    )
    params = teacher_params.model_copy(update={"predicted_share": share, "max_epochs": 1, "candidates": 1})
    next(iter(train_teachers(training_graph, params, run_params, tmp_path)))
    if share == 1:
        assert left_out == []
    else:
        assert len(left_out) == steps
        assert torch.cat(left_out).sort().values.tolist() == list(range(140))


@pytest.mark.parametrize(
    ("decay", "shares"), [(0.0, [1] * 12), (0.5, [1] * 7 + [5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]), (1.0, None)]
)
def test_the_learning_rate_falls_in_the_last_epochs(decay, shares, student, monkeypatch) -> None:
    rates = []
    monkeypatch.setattr(WeightSteps, "take", lambda _, learning_rate: rates.append(learning_rate))
    student(decay=decay, learning_rate=0.01, batch_size=140)  # 12 epochs of one step
    shares = [(12 - epoch) / 12 for epoch in range(12)] if shares is None else shares
    assert rates == pytest.approx([0.01 * share for share in shares])


def test_muon_moves_students_that_have_a_teacher_alone(student, tmp_path) -> None:
    def trained(method: Method, optimizer: str) -> LinkModel:
        return student(method, workspace=tmp_path / optimizer, optimizer=optimizer).model

    assert same(trained("label", "adam"), trained("label", "muon"))
    assert not same(trained("logit", "adam"), trained("logit", "muon"))


@pytest.mark.parametrize("method", ["label", "llp", "representation"])
def test_members_are_trained_apart_and_answer_as_one(method: Method, student, tmp_path) -> None:
    alone = student(method, workspace=tmp_path / "alone")
    both = student(method, members=2)
    width = alone.model.spec.hidden
    assert both.model.spec.hidden == 2 * width
    first, second = both.model.encoder.layers[0].weight.split(width, dim=1)
    assert torch.equal(first, alone.model.encoder.layers[0].weight)
    assert not torch.allclose(first, second)
    assert both.fit.valid_score > 0.9 * alone.fit.valid_score
    assert len(both.fit.history) >= len(alone.fit.history)
    assert both.fit.history[0].keys() == alone.fit.history[0].keys()


def test_only_the_first_member_starts_as_its_teacher(student, lessons, monkeypatch) -> None:
    started = []
    monkeypatch.setattr(LinkModel, "start_as", lambda self, teacher, encoder: started.append((teacher, encoder)))
    student("llp", members=3, start="teacher")
    assert started == [(lessons.teacher, True)]


def test_the_history_of_members_is_their_mean(student, monkeypatch) -> None:
    apart = []
    merged = runs._merged
    monkeypatch.setattr(runs, "_merged", lambda members, graph: apart.extend(members) or merged(members, graph))
    both = student("label", members=2)
    shorter, longer = sorted((one.fit.history for one in apart), key=len)
    assert len(both.fit.history) == len(longer)
    assert both.fit.history[0]["loss"] == pytest.approx((shorter[0]["loss"] + longer[0]["loss"]) / 2)
    assert (both.fit.history[0]["valid_score"], both.fit.history[0]["epoch"]) == (None, 0)
    assert both.fit.best_epoch == max(one.fit.best_epoch for one in apart)


def test_members_that_are_trained_are_not_trained_again(student, monkeypatch, tmp_path) -> None:
    whole = student("label", members=2, workspace=tmp_path / "whole")
    student("label", members=2)  # its workspace stays, as after a kill
    epochs = note_epochs(monkeypatch)
    again = student("label", members=2)
    assert not epochs
    assert same(again.model, whole.model)
    assert again.fit == whole.fit


@pytest.mark.parametrize("start", ["fresh", "decoder", "teacher"])
def test_a_standardised_student_is_kept_as_a_plain_one(start: str, student, tmp_path) -> None:
    plain = student(workspace=tmp_path / "plain", start=start)
    standardised = student(workspace=tmp_path / "standardised", start=start, standardize=True)
    assert standardised.model.state_dict().keys() == plain.model.state_dict().keys()
    assert not same(standardised.model, plain.model)
    assert standardised.fit.history[-1]["loss"] < standardised.fit.history[0]["loss"]


def test_a_student_starts_as_a_standardised_teacher_that_was_just_trained(
    training_graph, contexts, scores, teacher_params, student_params, run_params, tmp_path
) -> None:
    params = teacher_params.model_copy(update={"standardize": True, "candidates": 1})
    (teacher,) = train_teachers(training_graph, params, run_params, tmp_path)
    lessons = Lessons(contexts, scores, teacher.model)
    settings = student_params.model_copy(update={"start": "teacher", "hidden": params.hidden, "layers": params.layers})
    student = train_student(training_graph, "llp", lessons, settings, run_params, tmp_path)
    assert student.fit.valid_score > 0.5


@pytest.mark.parametrize("due", [False, True])
def test_a_training_that_diverges_names_itself(due: bool, student, monkeypatch) -> None:
    monkeypatch.setattr(Checkpoint, "due", lambda self: due)
    with pytest.raises(InputError, match=r"student-label: the training diverged in epoch \d+: .* Lower learning_rate"):
        student("label", learning_rate=1e30, label_weight=1e39)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_feature_that_is_not_finite_is_told(
    sparse: bool, training_graph, student_params, run_params, tmp_path
) -> None:
    features = training_graph.features.to_dense()
    features[3, 1] = torch.nan
    graph = dataclasses.replace(training_graph, features=features.to_sparse_csr() if sparse else features)
    with pytest.raises(InputError, match=r"student-label: a feature is not finite\. Replace it"):
        train_student(graph, "label", None, student_params, run_params, tmp_path)


def test_weights_that_break_in_the_last_step_are_told(student) -> None:
    with pytest.raises(InputError, match=r"student-label: the training diverged in epoch 0"):
        student("label", learning_rate=1e30, batch_size=10**6, max_epochs=1)


def test_averaged_weights_are_what_is_kept(student, tmp_path) -> None:
    last = student(workspace=tmp_path / "last", average=0.0, max_epochs=5)
    mean = student(workspace=tmp_path / "mean", average=0.9, max_epochs=5)
    assert [r["loss"] for r in last.fit.history] == [r["loss"] for r in mean.fit.history]  # trained alike
    assert not same(last.model, mean.model)
