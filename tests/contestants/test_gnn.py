"""A GNN on the neighbourhood of a request, all of it or a sample."""

import pytest
import torch
from contestant_models import MakeModel
from torch import Tensor

from llp_core.contestants.gnn import CachedScorer, GraphScorer
from llp_core.graph import CSR
from llp_core.models import Adjacency, NodeFeatures
from llp_core.sampling import generator


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("encoder", ["sage", "gcn"])
def test_a_sample_of_all_neighbours_gives_the_scores_of_all(
    encoder: str,
    make_model: MakeModel,
    node_features: NodeFeatures,
    heavy_graph: CSR,
    pairs: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, most = make_model(encoder), int(heavy_graph.degree.max())
    full = GraphScorer(model, node_features, heavy_graph)
    sampled = GraphScorer(model, node_features, heavy_graph, (most, most, most), generator(0))
    assert torch.allclose(full.online(pairs), sampled.online(pairs), atol=1e-5)
    assert torch.allclose(full.online(pairs), sampled.offline(pairs), atol=1e-5)
    expected = full.online(pairs)
    monkeypatch.setattr("llp_core.models.link_model.NODES_AT_ONCE", 64)
    monkeypatch.delattr("llp_core.models.link_model.Encoder.forward")  # which encodes all nodes in one block
    assert torch.allclose(expected, sampled.offline(pairs), atol=1e-5)


def test_a_smaller_sample_estimates(
    make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR, pairs: Tensor
) -> None:
    model = make_model("sage")
    full = GraphScorer(model, node_features, heavy_graph).online(pairs)
    one, again, other = (
        GraphScorer(model, node_features, heavy_graph, (3, 2, 2), generator(seed)).online(pairs) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    assert not torch.allclose(one, full)


def test_rows_of_the_first_layer_in_pieces(
    make_model: MakeModel, heavy_graph: CSR, pairs: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model("sage")
    features = NodeFeatures.of(torch.randn(200, 24, generator=generator(3)))
    monkeypatch.setattr("llp_core.contestants.gnn._ROWS_AT_ONCE", 7)
    expected = model.score(model.encode(features, Adjacency.from_csr(*heavy_graph, heavy_graph.degree)), pairs)
    assert torch.allclose(GraphScorer(model, features, heavy_graph).online(pairs), expected, atol=1e-5)


def test_cached_representations_are_stale_after_a_change(
    make_model: MakeModel, heavy_graph: CSR, pairs: Tensor
) -> None:
    model, values = make_model("sage"), torch.randn(200, 24, generator=generator(3))
    scorer = GraphScorer(model, NodeFeatures.of(values), heavy_graph)
    cached = CachedScorer(model, scorer.encode_all())
    assert torch.allclose(cached.online(pairs), scorer.online(pairs), atol=1e-5)
    changed = GraphScorer(model, NodeFeatures.of(values + 1), heavy_graph)
    assert not torch.allclose(cached.online(pairs), changed.online(pairs), atol=1e-2)
