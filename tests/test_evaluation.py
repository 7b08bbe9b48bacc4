"""Figures per group and per degree, of a split small enough to count by hand."""

import pytest
import torch

from llp_core.evaluation import evaluate, score_test_pairs
from llp_core.models import Adjacency, LinkModel, ModelSpec, NodeFeatures
from llp_core.sampling import generator
from llp_core.types import LinkSplit

NUM_NODES = 40
NEGATIVES = torch.stack((torch.zeros(30), torch.arange(10, 40))).long()
NEGATIVES = torch.cat((NEGATIVES, torch.stack((torch.ones(30), torch.arange(10, 40))).long()), dim=1)


def make(setting="production", new=(8, 9)) -> LinkSplit:
    is_new = torch.zeros(NUM_NODES, dtype=torch.bool)
    is_new[list(new)] = True
    none = torch.empty(2, 0, dtype=torch.int64)
    return LinkSplit(
        setting=setting,
        is_new=is_new,
        train_edges=none,
        valid_edges=none,
        valid_negatives=none,
        inference_edges=torch.tensor([[2, 3, 4], [5, 5, 5]]),  # degrees: 5 has 3; 2, 3 and 4 have 1; the rest 0
        test_edges=torch.tensor([[2, 5, 8, 0], [6, 8, 9, 1]]),  # old-old, old-new, new-new, old-old
        test_negatives=NEGATIVES,
    )


def test_figures_per_group_and_degree() -> None:
    positive = torch.tensor([100.0, 55.0, 45.0, -1.0])
    negative = torch.arange(60).float()  # 0..59: the 10th best is 50, the 20th 40, the 50th 10
    evaluation = evaluate(make(), {"teacher": (positive, negative)})
    figures = evaluation.figures["teacher"]
    assert evaluation.positives == {
        "all": 4, "old-old": 2, "old-new": 1, "new-new": 1, "degree 0": 6, "degree 1-2": 1, "degree 3-5": 1,
    }  # fmt: skip
    assert evaluation.negatives == 60
    assert {group: values["hits_at_10"] for group, values in figures.items()} == {
        "all": 0.5, "old-old": 0.5, "old-new": 1.0, "new-new": 0.0,
        "degree 0": pytest.approx(2 / 6), "degree 1-2": 1.0, "degree 3-5": 1.0,
    }  # fmt: skip
    assert figures["all"]["hits_at_20"] == 0.75
    assert figures["new-new"]["mrr"] == pytest.approx(1 / 16)  # 15 negatives are no lower, the tie among them
    assert figures["old-new"]["auc"] == pytest.approx(55.5 / 60)


def test_transductive_has_no_groups_of_new_nodes() -> None:
    evaluation = evaluate(make("transductive", ()), {"llp": (torch.zeros(4), torch.zeros(60))})
    assert set(evaluation.positives) == {"all", "degree 0", "degree 1-2", "degree 3-5"}
    assert evaluation.figures["llp"]["all"]["auc"] == 0.5
    assert evaluation.figures["llp"]["all"]["hits_at_50"] == 0  # every score ties: no hit


def test_fewer_than_fifty_negatives_are_refused() -> None:
    with pytest.raises(ValueError, match="Hits@50 needs at least 50 negatives, got 49"):
        evaluate(make(), {"llp": (torch.zeros(4), torch.zeros(49))})


@pytest.mark.parametrize("encoder", ["mlp", "sage", "gcn"])
def test_messages_pass_over_the_edges_of_inference(encoder: str) -> None:
    split = make()  # whose nodes 2 to 5 have edges at inference alone
    model = LinkModel(ModelSpec(encoder=encoder, features=6, hidden=8, layers=2, dropout=0.5), generator(0))
    features = NodeFeatures.of(torch.randn(NUM_NODES, 6, generator=generator(1)))
    positive, negative = score_test_pairs(model.train(), features, split)

    def expected(edges: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
        graph = [Adjacency.from_edges(edges, NUM_NODES)] if encoder != "mlp" else []
        with torch.inference_mode():
            return model.score(model.eval().encode(features, *graph), pairs)

    torch.testing.assert_close(positive, expected(split.inference_edges, split.test_edges))
    torch.testing.assert_close(negative, expected(split.inference_edges, split.test_negatives))
    known = expected(split.train_edges, split.test_edges)
    assert torch.allclose(positive, known) is (encoder == "mlp")
