"""What a step encodes: neighbours drawn for a teacher, the rows it needs for a student; and who trains how."""

import pytest
import torch
from trainings import killed, same

from llp_core.config import TeacherParams
from llp_core.models import Dropout, LinkModel, ModelSpec, NodeFeatures, TrainingAdjacency
from llp_core.sampling import PairSpace, generator
from llp_core.training import batching
from llp_core.training.batching import StepEncoder, full_batch_bytes, resolve_batching
from llp_core.training.objective import Objective, Step, Teaching
from llp_core.training.runs import train_student, train_teachers
from llp_core.types import TrainingGraph

STEP = Step(epoch=4, edges=torch.arange(3), anchors=torch.tensor([0, 31]))


@pytest.fixture
def sampled(teacher_params: TeacherParams) -> TeacherParams:
    return teacher_params.model_copy(update={"batching": "sampled", "fanouts": (3,), "candidates": 1})


@pytest.mark.parametrize(
    ("nodes", "changes", "expected"),
    [
        (40_000, {}, "full"),
        (43_690, {}, "full"),
        (43_691, {}, "sampled"),
        (43_691, {"hidden": 64}, "full"),
        (40_000, {"layers": 3}, "sampled"),
        (10, {"batching": "sampled"}, "sampled"),
        (10**7, {"batching": "full"}, "full"),
    ],
)
def test_auto_chooses_by_memory(nodes: int, changes: dict[str, object], expected: str, params) -> None:
    assert resolve_batching(params.teacher.model_copy(update=changes), nodes) == expected


def test_memory_of_full_batches_grows_with_the_graph(params) -> None:
    assert full_batch_bytes(params.teacher, 2000) == 2 * full_batch_bytes(params.teacher, 1000) == 2000 * 256 * 4 * 12


def test_the_last_fanout_holds_for_further_layers(params) -> None:
    settings = params.teacher.model_copy(update={"fanouts": (15, 10), "layers": 4})
    assert settings.fanout_of_layers == (15, 10, 10, 10)
    assert settings.model_copy(update={"layers": 1}).fanout_of_layers == (15,)


@pytest.mark.parametrize("encoder", ["sage", "gcn"])
def test_a_teacher_learns_from_samples(encoder: str, sampled, training_graph, run_params, tmp_path, caplog) -> None:
    params = sampled.model_copy(update={"encoder": encoder, "max_epochs": 60, "patience": 60})
    with caplog.at_level("INFO"):
        (trained,) = train_teachers(training_graph, params, run_params, tmp_path)
    assert trained.fit.valid_score > 0.7
    assert "sampled neighbourhoods" in caplog.text


def test_a_killed_training_on_samples_ends_with_the_very_same_weights(
    sampled, training_graph, run_params, tmp_path, monkeypatch
) -> None:
    (whole,) = train_teachers(training_graph, sampled, run_params, tmp_path / "whole")
    with killed(monkeypatch, after=7):
        list(train_teachers(training_graph, sampled, run_params, tmp_path / "killed"))
    (resumed,) = train_teachers(training_graph, sampled, run_params, tmp_path / "killed")
    assert same(whole.model, resumed.model)
    assert whole.fit == resumed.fit


def test_samples_hide_the_predicted_edges(sampled, training_graph: TrainingGraph, run_params, tmp_path, monkeypatch):
    seen = []
    draw = TrainingAdjacency.sampled

    def watched(self, seeds, hidden, fanouts, rng):
        nodes, adjacencies = draw(self, seeds, hidden, fanouts, rng)
        for adjacency in adjacencies if hidden is not None else ():
            matrix = adjacency.matrix.to_sparse_coo().coalesce()
            passed = nodes[matrix.indices()]
            predicted = set(map(tuple, training_graph.edges[:, hidden].T.tolist()))
            assert not predicted & {(min(pair), max(pair)) for pair in passed.T.tolist()}
            seen.append(passed.shape[1])
        return nodes, adjacencies

    monkeypatch.setattr(TrainingAdjacency, "sampled", watched)
    monkeypatch.setattr(
        TrainingAdjacency, "without", lambda self, edges: pytest.fail("the whole graph was gone through")
    )
    list(train_teachers(training_graph, sampled.model_copy(update={"max_epochs": 1}), run_params, tmp_path))
    assert len(seen) == 4  # two steps of two layers
    assert min(seen) > 0


@pytest.mark.parametrize(
    "weights", [{"label": 1.0}, {"logit": 1.0}, {"rank": 1.0, "distribution": 1.0}, {"representation": 1.0}]
)
def test_a_student_that_encodes_what_a_step_needs_gets_the_same_gradients(
    weights, training_graph, contexts, scores, monkeypatch
) -> None:
    monkeypatch.setattr(batching, "ROWS_MULTIPLE", 8)
    gradients, encoded = [], []
    for chooses in (False, True):
        model = LinkModel(ModelSpec(encoder="mlp", features=22, hidden=16, layers=2, dropout=0.0), generator(0))
        model.set_training(generator(1), torch.float32)
        teaching = Teaching(contexts, scores, 0.1, 1.0, "logits")
        objective = Objective(training_graph.edges, PairSpace(60), weights, 1, teaching, generator(2))
        features = NodeFeatures.of(training_graph.features)
        encoder = StepEncoder(model.train(), features, Dropout(0.0), None, None, objective.rng)
        assert encoder.may_choose
        pairs = objective.pairs(STEP)
        nodes = objective.nodes(STEP, pairs) if chooses else None
        representations, row = encoder.encode(nodes, None)
        encoded.append(representations.shape[0])
        decoder = model.training_decoder(representations.detach().requires_grad_(), row)
        for chunk in objective.chunks(decoder, STEP, pairs):
            sum(chunk.values()).backward(retain_graph=True)
        representations.backward(decoder.representations.grad)
        gradients.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
    assert encoded[0] == 60
    assert encoded[1] < 30
    assert encoded[1] % 8 == 0
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
    assert any(bool(gradient.any()) for gradient in gradients[0])


def test_a_student_that_needs_more_than_half_encodes_every_node(training_graph, monkeypatch) -> None:
    monkeypatch.setattr(batching, "ROWS_MULTIPLE", 1)
    model = LinkModel(ModelSpec(encoder="mlp", features=22, hidden=16, layers=2, dropout=0.0), generator(0))
    encoder = StepEncoder(model, NodeFeatures.of(training_graph.features), Dropout(0.0), None, None, generator(1))
    for count, rows in ((30, 30), (31, 60)):
        representations, row = encoder.encode(torch.arange(count) + 20, None)
        assert representations.shape[0] == rows
        assert (row is None) is (rows == 60)


def test_a_student_of_a_large_graph_learns(training_graph, student_params, run_params, tmp_path, monkeypatch) -> None:
    params = student_params.model_copy(update={"max_epochs": 10, "batch_size": 4})
    whole = train_student(training_graph, "label", None, params, run_params, tmp_path / "whole")  # padded, it is small
    monkeypatch.setattr(batching, "ROWS_MULTIPLE", 8)
    chosen = train_student(training_graph, "label", None, params, run_params, tmp_path / "chosen")
    assert not same(whole.model, chosen.model)  # dropout draws for other rows
    assert chosen.fit.history[-1]["loss"] < 0.9 * chosen.fit.history[0]["loss"]
