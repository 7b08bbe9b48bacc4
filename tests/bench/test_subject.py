"""Where graph and models of a benchmark come from."""

import shutil
from pathlib import Path

import pytest
import torch

from llp_core import paths
from llp_core.bench.subject import SHAPE_PAIRS, ShapeSource, TrainedSource, untrained
from llp_core.datasets.shapes import shape_graph
from llp_core.errors import InputError
from llp_core.store import save

CPU = torch.device("cpu")


def test_trained_models_come_from_the_pipeline(trained_project: Path) -> None:
    subject = TrainedSource("transductive").load(CPU)
    assert subject.name == "tiny, transductive"
    assert (subject.teacher.spec.encoder, subject.student.spec.encoder) == ("gcn", "mlp")
    assert (subject.teacher.training, subject.student.training) == (False, False)
    assert subject.test_edges == 30
    assert subject.offline_pairs.shape == (2, 55)
    assert subject.graph.neighbors.numel() == 60  # 30 edges at inference, in both directions


def test_the_pruned_teacher_is_trained_on_where_its_scores_count(trained_project: Path) -> None:
    subject = TrainedSource("transductive").load(CPU)

    def scores(timed_only: bool) -> torch.Tensor:
        (pruned,) = subject.contestants(1, ["gnn-pruned"], timed_only)
        assert pruned.scorer is not None
        with torch.inference_mode():
            return pruned.scorer.offline(subject.offline_pairs)

    as_cut = scores(timed_only=True)
    assert torch.equal(as_cut, scores(timed_only=True))
    assert not torch.allclose(as_cut, scores(timed_only=False))


@pytest.mark.parametrize("gone", [paths.GRAPH, paths.teacher("transductive"), paths.student("transductive", "llp")])
def test_models_that_are_not_trained_yet(trained_project: Path, gone: Path) -> None:
    shutil.rmtree(trained_project / gone)
    with pytest.raises(InputError, match=rf"not found: {gone}\. Train .* `llp run-flow full --setting transductive`"):
        TrainedSource("transductive").load(CPU)


@pytest.mark.parametrize(("nodes", "features"), [(60, 7), (80, 5), (60, 5)])
def test_a_graph_that_came_after_the_models(trained_project: Path, nodes: int, features: int) -> None:
    other = shape_graph("other", nodes, nodes + 30, features, torch.Generator().manual_seed(1))
    save(other, trained_project / paths.GRAPH)
    with pytest.raises(InputError, match="were made for another graph"):
        TrainedSource("transductive").load(CPU)


def test_models_with_first_weights() -> None:
    def subject(seed: int) -> torch.Tensor:
        rng = torch.Generator().manual_seed(seed)
        made = untrained(shape_graph("tiny", 60, 90, 5, rng), 2, 8, rng, CPU)
        assert made.test_edges is None
        assert (made.offline_pairs.shape, made.graph.neighbors.numel()) == ((2, SHAPE_PAIRS), 180)
        assert (made.teacher.spec.layers, made.student.spec.hidden) == (2, 8)
        return torch.cat([weights.flatten() for weights in made.student.parameters()])

    assert torch.equal(subject(0), subject(0))
    assert not torch.equal(subject(0), subject(1))


def test_a_shape_that_is_not_known() -> None:
    with pytest.raises(InputError, match="data set 'ball-shape' is not known"):
        ShapeSource("ball", 1, 8, 0).load(CPU)
