"""The weighted losses of a step: which are computed, that chunks change nothing, which pairs they see."""

import pytest
import torch

from llp_core.losses import distribution_loss, rank_loss
from llp_core.models import LinkModel, ModelSpec
from llp_core.sampling import PairSpace, generator
from llp_core.training import objective as module
from llp_core.training.objective import Objective, Step, Teaching
from llp_core.types import Contexts, TeacherScores, TrainingGraph

EVERY = {"label": 0.5, "logit": 1.0, "representation": 1.0, "rank": 2.0, "distribution": 3.0}


@pytest.fixture
def model() -> LinkModel:
    spec = ModelSpec(encoder="mlp", features=22, hidden=16, layers=2, dropout=0.0)
    model = LinkModel(spec, generator(0, "weights"))
    model.set_training(generator(0, "dropout"), torch.float32)
    return model.train()


@pytest.fixture
def hidden() -> torch.Tensor:
    return torch.randn(60, 16, generator=generator(1))


def make(
    graph: TrainingGraph,
    contexts: Contexts,
    scores: TeacherScores,
    weights: dict[str, float],
    match="probabilities",
    negatives: int = 1,
) -> Objective:
    teaching = Teaching(contexts, scores, 0.1, 1.0, match)
    return Objective(graph.edges, PairSpace(60), weights, negatives, teaching, generator(0, "sampling"))


def totals(objective: Objective, model: LinkModel, hidden: torch.Tensor, step: Step) -> dict[str, float]:
    sums: dict[str, float] = {}
    for chunk in objective.chunks(model.training_decoder(hidden.requires_grad_()), step, objective.pairs(step)):
        for name, share in chunk.items():
            sums[name] = sums.get(name, 0.0) + share.item()
    return sums


STEP = Step(epoch=4, edges=torch.arange(10, 90), anchors=torch.tensor([0, 7, 31, 59, 12]))


def test_chunks_add_up_to_the_loss(training_graph, contexts, scores, model, hidden, monkeypatch) -> None:
    whole = totals(make(training_graph, contexts, scores, EVERY), model, hidden, STEP)
    assert set(whole) == set(EVERY)
    monkeypatch.setattr(module, "ELEMENTS_AT_ONCE", 300)  # 18 pairs, 2 anchors at once
    chunked = totals(make(training_graph, contexts, scores, EVERY), model, hidden, STEP)
    assert chunked == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("match", ["probabilities", "logits"])
def test_context_losses_use_the_round_of_the_epoch(match, training_graph, contexts, scores, model, hidden) -> None:
    weights = {"rank": 1.0, "distribution": 1.0}
    found = totals(make(training_graph, contexts, scores, weights, match), model, hidden, STEP)
    nodes = contexts.nodes[1, STEP.anchors].long()  # epoch 4 of 3 rounds
    pairs = torch.stack((STEP.anchors[:, None].expand_as(nodes), nodes)).flatten(1)
    own, teacher = model.decode(hidden, pairs).view_as(nodes), scores.context_logits[1, STEP.anchors]
    if match == "probabilities":
        own, teacher = own.sigmoid(), teacher.sigmoid()
    assert found["rank"] == pytest.approx(rank_loss(own, teacher, 0.1).item(), rel=1e-5)
    assert found["distribution"] == pytest.approx(distribution_loss(own, teacher, 1.0).item(), rel=1e-5)


def test_logit_matching_sees_scored_pairs_and_the_label_loss_new_ones(
    training_graph, contexts, scores, model, hidden
) -> None:
    objective = make(training_graph, contexts, scores, {"label": 1.0, "logit": 1.0}, negatives=2)
    found = totals(objective, model, hidden, STEP)
    edges = training_graph.edges[:, STEP.edges]
    logits = model.decode(hidden, torch.cat((edges, scores.negatives[1][:, STEP.edges].long()), dim=1))
    teacher = torch.cat((scores.edge_logits[STEP.edges], scores.negative_logits[1, STEP.edges]))  # epoch 4 of 3 rounds
    assert found["logit"] == pytest.approx((logits.sigmoid() - teacher.sigmoid()).square().mean().item(), rel=1e-5)
    alone = make(training_graph, contexts, scores, {"label": 1.0}, negatives=2)
    assert found["label"] == totals(alone, model, hidden, STEP)["label"]


def test_label_negatives_are_no_edges_whatever_the_order_of_edges() -> None:
    every = torch.combinations(torch.arange(12)).T
    edges = every[:, torch.randperm(66, generator=generator(0))[:50]]
    objective = Objective(edges, PairSpace(12), {"label": 1.0}, 1, None, generator(0))
    for epoch in range(20):
        drawn = objective._negatives(Step(epoch, torch.arange(10), torch.arange(12)))
        assert not set(map(tuple, drawn.T.tolist())) & set(map(tuple, edges.T.tolist()))


@pytest.mark.parametrize(("asked", "found"), [(1, 4), (3, 12), (5, 16)])  # 66 pairs, 50 of them edges
def test_each_edge_gets_its_share_of_negatives_while_there_are_some(asked: int, found: int) -> None:
    edges = torch.combinations(torch.arange(12)).T[:, :50]
    objective = Objective(edges, PairSpace(12), {"label": 1.0}, asked, None, generator(0))
    pairs = objective.pairs(Step(0, torch.arange(4), torch.arange(12)))
    assert pairs[:, :4].tolist() == edges[:, :4].tolist()
    assert pairs[:, 4:].unique(dim=1).shape[1] == pairs.shape[1] - 4 == found


def test_negatives_join_types_that_edges_join() -> None:
    every = torch.combinations(torch.arange(12)).T
    apart = every[:, every[0] % 2 != every[1] % 2]
    graph = TrainingGraph(
        torch.arange(12), torch.eye(12), apart[:, :20], every[:, :0], every[:, :0], torch.arange(12) % 2
    )
    objective = Objective(graph.edges, PairSpace.of(graph), {"label": 1.0}, 1, None, generator(0))
    for epoch in range(20):
        drawn = objective.pairs(Step(epoch, torch.arange(8), torch.arange(12)))[:, 8:]
        assert drawn.shape[1] == 8
        assert (drawn[0] % 2 != drawn[1] % 2).all()


def test_label_negatives_are_new_in_every_step(training_graph, contexts, scores, model, hidden) -> None:
    objective = make(training_graph, contexts, scores, {"label": 1.0})
    assert totals(objective, model, hidden, STEP) != totals(objective, model, hidden, STEP)


def test_a_loss_of_weight_0_is_not_computed(training_graph, contexts, scores, model, hidden) -> None:
    objective = make(training_graph, contexts, scores, {"label": 1.0, "rank": 0.0})
    assert set(totals(objective, model, hidden, STEP)) == {"label"}


def test_distillation_without_a_teacher_is_refused(training_graph, model, hidden) -> None:
    objective = Objective(training_graph.edges, PairSpace(60), {"rank": 1.0}, 1, None, generator(0))
    with pytest.raises(ValueError, match="losses rank need a teacher's scores"):
        totals(objective, model, hidden, STEP)
