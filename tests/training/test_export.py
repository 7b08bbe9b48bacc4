"""What a teacher leaves: each pair's logit, and none of an edge that messages passed over."""

import dataclasses

import torch

from llp_core.config import ContextsParams
from llp_core.graph import pair_keys
from llp_core.models import Adjacency, LinkModel, ModelSpec, NodeFeatures
from llp_core.sampling import generator, sample_contexts
from llp_core.training.export import export_scores
from llp_core.types import Contexts, TrainingGraph


def test_pairs_are_scored_over_the_half_of_the_edges_that_they_are_not_in(
    training_graph: TrainingGraph, contexts: Contexts
) -> None:
    spec = ModelSpec(encoder="sage", features=22, hidden=16, layers=2, dropout=0.5)
    model = LinkModel(spec, generator(0, "weights"))
    one_round = Contexts(contexts.nodes[:1])
    scores = export_scores(model, training_graph, one_round, generator(3), "scores")

    edges, features = training_graph.edges, NodeFeatures.of(training_graph.features)
    first = torch.rand(edges.shape[1], generator=generator(3)) < 0.5  # the first draw
    assert 0 < first.sum() < first.numel()
    with torch.no_grad():
        over_first, over_second = (
            model.encode(features, Adjacency.from_edges(edges[:, half], training_graph.num_nodes))
            for half in (first, ~first)
        )
        whole = model.encode(features, Adjacency.from_edges(edges, training_graph.num_nodes))
    expected = torch.where(first, model.score(over_second, edges), model.score(over_first, edges))
    torch.testing.assert_close(scores.edge_logits, expected)
    torch.testing.assert_close(scores.representations, whole)
    torch.testing.assert_close(scores.negative_logits[0], model.score(over_first, scores.negatives[0].long()))

    nodes = one_round.nodes[0].long()
    pairs = torch.stack((torch.arange(60)[:, None].expand_as(nodes), nodes)).flatten(1)
    number = {key: i for i, key in enumerate(pair_keys(edges, 60).tolist())}
    own = [number.get(key, -1) for key in pair_keys(pairs.sort(0).values, 60).tolist()]
    in_first = torch.tensor([edge >= 0 and bool(first[edge]) for edge in own])
    assert in_first.any()
    assert not in_first.all()
    expected = torch.where(in_first, model.score(over_second, pairs), model.score(over_first, pairs))
    torch.testing.assert_close(scores.context_logits[0].flatten(), expected)


def test_scored_pairs_without_an_edge_join_types_that_edges_join(training_graph: TrainingGraph) -> None:
    communities = dataclasses.replace(training_graph, node_type=(training_graph.nodes < 30).long())  # edges are within
    model = LinkModel(ModelSpec(encoder="sage", features=22, hidden=16, layers=1, dropout=0.0), generator(0, "weights"))
    drawn = sample_contexts(communities, ContextsParams(walks=2, length=2, random_ratio=1, rounds=2), generator(0))
    scores = export_scores(model, communities, drawn, generator(0), "scores")
    assert ((scores.negatives[:, 0] < 30) == (scores.negatives[:, 1] < 30)).all()
    assert ((drawn.nodes < 30) == (torch.arange(60)[:, None] < 30)).all()
