"""The model as a whole: seeds, symmetry, files, and answers when they are broken."""

from pathlib import Path

import pytest
import torch

from llp_core.errors import InputError
from llp_core.models import Adjacency, LinkModel, ModelSpec, NodeFeatures, link_model, load_model, save_model
from llp_core.sampling import generator
from llp_core.store import read_json, write_json
from llp_core.types import Graph

PAIRS = torch.tensor([[0, 2, 1, 0], [1, 3, 5, 4]])


def make(encoder: str, seed: int = 0, decoder: str = "mlp") -> LinkModel:
    spec = ModelSpec(encoder=encoder, decoder=decoder, features=8, hidden=4, layers=2, dropout=0.5)
    return LinkModel(spec, generator(seed, "weights")).eval()


def scores(model: LinkModel, graph: Graph, pairs: torch.Tensor = PAIRS) -> torch.Tensor:
    with torch.inference_mode():
        hidden = model.encode(NodeFeatures.of(graph.features), Adjacency.from_edges(graph.edges, graph.num_nodes))
    return model.score(hidden, pairs)


@pytest.mark.parametrize("encoder", ["mlp", "sage", "gcn"])
def test_a_seed_decides_the_weights_and_pairs_have_no_direction(encoder: str, graph: Graph) -> None:
    first = scores(make(encoder), graph)
    assert torch.equal(first, scores(make(encoder), graph))
    assert not torch.equal(first, scores(make(encoder, seed=1), graph))
    torch.testing.assert_close(first, scores(make(encoder), graph, PAIRS.flip(0)))


@pytest.mark.parametrize("decoder", ["mlp", "linear"])
def test_one_node_with_all_scores_as_pairs_do(decoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_model, "PAIRS_AT_ONCE", 2)
    model, hidden = make("mlp", decoder=decoder), torch.randn(5, 4, generator=generator(0, "hidden"))
    pairs = torch.stack((torch.full((5,), 3), torch.arange(5)))
    torch.testing.assert_close(model.score_with_all(hidden[3], hidden), model.score(hidden, pairs))


def test_fewer_pairs_at_once_of_wide_representations() -> None:
    assert [link_model.pairs_at_once(width) for width in (1, 256, 1024, 2**26)] == [2**16, 2**16, 2**14, 1]


def test_a_linear_decoder_is_an_inner_product(graph: Graph) -> None:
    """Of w * h_i and h_j, so an index for inner products finds its best pairs; at first w is 1 / sqrt(D)."""
    model = make("mlp", decoder="linear")
    with torch.inference_mode():
        hidden = model.encode(NodeFeatures.of(graph.features))
    torch.testing.assert_close(model.score(hidden, PAIRS), (hidden @ hidden.T)[PAIRS[0], PAIRS[1]] / 2)


def test_only_an_mlp_needs_no_graph(graph: Graph) -> None:
    model = make("mlp")
    with torch.inference_mode():
        hidden = model.encode(NodeFeatures.of(graph.features))
    assert torch.equal(model.score(hidden, PAIRS), scores(model, graph))
    assert [make(encoder).encoder.needs_graph for encoder in ("mlp", "sage", "gcn")] == [False, True, True]


@pytest.mark.parametrize("encoder", ["mlp", "sage", "gcn"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_scaled_weights_give_representations_of_one_size_for_any_features(
    encoder: str, size: float, graph: Graph
) -> None:
    model, adjacency = make(encoder), Adjacency.from_edges(graph.edges, graph.num_nodes)
    features = NodeFeatures.of(graph.features.to_dense() * size)
    model.encoder.scale(features, [adjacency])
    with torch.inference_mode():
        rms = model.encode(features, adjacency).square().mean().sqrt()
        hidden = model.encoder.layers[0](features, *([adjacency] if model.encoder.needs_graph else []))
    assert rms.item() == pytest.approx(link_model.REPRESENTATION_SCALE, rel=1e-3)
    assert hidden.square().mean().sqrt().item() == pytest.approx(link_model.HIDDEN_SCALE, rel=1e-3)


def test_features_of_zeros_leave_weights_that_are_numbers(graph: Graph) -> None:
    model = make("mlp")
    for layer in model.encoder.layers:
        torch.nn.init.zeros_(layer.bias)
    model.encoder.scale(NodeFeatures.of(torch.zeros(graph.num_nodes, 8)), [])
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_scores_do_not_depend_on_the_size_of_chunks(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scores(make("sage"), graph)
    monkeypatch.setattr(link_model, "PAIRS_AT_ONCE", 3)
    torch.testing.assert_close(whole, scores(make("sage"), graph))
    assert scores(make("sage"), graph, PAIRS[:, :0]).shape == (0,)


@pytest.mark.parametrize("encoder", ["mlp", "sage", "gcn"])
def test_a_saved_model_scores_the_same(encoder: str, graph: Graph, tmp_path: Path) -> None:
    model = make(encoder)
    save_model(model, tmp_path, {"best_epoch": 3})
    assert torch.equal(scores(load_model(tmp_path), graph), scores(model, graph))
    assert read_json(tmp_path / "model.json")["best_epoch"] == 3


def test_a_broken_model_is_refused_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.json: not found"):
        load_model(tmp_path)
    save_model(make("mlp"), tmp_path, {})
    spec = read_json(tmp_path / "model.json")
    write_json(tmp_path / "model.json", {**spec, "hidden": 5})
    with pytest.raises(InputError, match=r"(?s)the model cannot be rebuilt: .*size mismatch"):
        load_model(tmp_path)
    write_json(tmp_path / "model.json", {**spec, "encoder": "rnn"})
    with pytest.raises(InputError, match=r"(?s)the model cannot be rebuilt: .*encoder"):
        load_model(tmp_path)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("encoder", ["mlp", "sage", "gcn"])
def test_many_nodes_are_encoded_in_parts(
    encoder: str, dense: bool, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LinkModel(ModelSpec(encoder=encoder, features=8, hidden=4, layers=3, dropout=0.5), generator(0)).eval()
    features = NodeFeatures(graph.features.to_dense() if dense else graph.features)
    graphs = [Adjacency.from_edges(graph.edges, 6)]  # which an MLP leaves alone
    monkeypatch.setattr(link_model, "NODES_AT_ONCE", 4)
    at_once = model.encode(features, *graphs)  # with gradients, as a training does
    assert at_once.requires_grad
    out = torch.empty(6, 4)
    with torch.no_grad():
        assert model.encode(features, *graphs, out=out) is out
        torch.testing.assert_close(out, at_once)
        torch.testing.assert_close(model.encode(features, *graphs), at_once)
        monkeypatch.setattr(link_model, "NODES_AT_ONCE", 6)
        assert torch.equal(model.encode(features, *graphs, out=out), at_once)
