"""First layers that train on standardised columns: the same function in other coordinates."""

import pytest
import torch

from llp_core.models import Adjacency, LinkModel, ModelSpec, NodeFeatures
from llp_core.models.standardizing import RAREST, fold, standardize
from llp_core.sampling import generator

RING = torch.stack((torch.arange(40), (torch.arange(40) + 1) % 40))
"""Every node has two neighbours, so means of neighbours have the mean of the features."""


def drawn(density: float) -> torch.Tensor:
    rng = generator(0)
    return (3 + torch.rand(40, 30, generator=rng)) * (torch.rand(40, 30, generator=rng) < density)


def make(encoder: str) -> LinkModel:
    spec = ModelSpec(encoder=encoder, features=30, hidden=8, layers=2, dropout=0.0)
    return LinkModel(spec, generator(1)).eval()


def encode(model: LinkModel, features: NodeFeatures) -> torch.Tensor:
    with torch.inference_mode():
        return model.encode(features, Adjacency.from_edges(RING, 40))


@pytest.mark.parametrize("density", [0.1, 0.6])
def test_statistics_of_columns_are_those_of_the_dense_matrix(density: float) -> None:
    dense = drawn(density)
    mean, deviation = NodeFeatures.of(dense.to_sparse_csr()).column_statistics()
    torch.testing.assert_close(mean, dense.mean(0))
    torch.testing.assert_close(deviation, dense.std(0, correction=0))


@pytest.mark.parametrize("density", [0.3, 0.6])
@pytest.mark.parametrize("encoder", ["mlp", "sage"])
def test_a_standardised_layer_is_one_of_standardised_columns(encoder: str, density: float) -> None:
    dense = drawn(density)
    features = NodeFeatures.of(dense.to_sparse_csr())
    plain, model = make(encoder), make(encoder)
    standardize(model.encoder.layers[0], features, keep=False)
    columns = (dense - dense.mean(0)) / dense.std(0, correction=0)
    torch.testing.assert_close(encode(model, features), encode(plain, NodeFeatures.of(columns)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", ["mlp", "sage", "gcn"])
def test_a_layer_that_is_kept_goes_on_doing_what_it_does(encoder: str) -> None:
    features = NodeFeatures.of(drawn(0.3))
    plain, model = make(encoder), make(encoder)
    standardize(model.encoder.layers[0], features, keep=True)
    torch.testing.assert_close(encode(model, features), encode(plain, features), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", ["mlp", "sage", "gcn"])
def test_a_folded_layer_is_a_plain_one_that_does_the_same(encoder: str) -> None:
    features = NodeFeatures.of(drawn(0.3))
    plain, model = make(encoder), make(encoder)
    standardize(model.encoder.layers[0], features, keep=False)
    before = encode(model, features)
    fold(model.encoder.layers[0])
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in plain.named_parameters()]
    torch.testing.assert_close(encode(model, features), before, rtol=1e-4, atol=1e-5)
    fold(model.encoder.layers[0])
    torch.testing.assert_close(encode(model, features), before, rtol=1e-4, atol=1e-5)


def test_columns_that_never_change_leave_numbers() -> None:
    dense = drawn(0.6)
    dense[:, 0], dense[:, 1] = 0, 5
    model = make("mlp")
    standardize(model.encoder.layers[0], NodeFeatures.of(dense), keep=False)
    assert encode(model, NodeFeatures.of(dense)).isfinite().all()


def test_a_rare_column_counts_no_more_than_one_of_three_nodes() -> None:
    dense = torch.zeros(1000, 30)
    for column in range(30):
        dense[: column + 1, column] = 1
    model, plain = make("mlp"), make("mlp")
    standardize(model.encoder.layers[0], NodeFeatures.of(dense), keep=False)
    fold(model.encoder.layers[0])
    factor = (model.encoder.layers[0].weight / plain.encoder.layers[0].weight)[:, 0]
    share = RAREST / 1000
    torch.testing.assert_close(factor[:RAREST], torch.full((RAREST,), (share * (1 - share)) ** -0.5), rtol=1e-3, atol=0)
    assert (factor[RAREST - 1 :].diff() < 0).all()


def test_what_is_no_first_layer_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a first layer, got Dropout"):
        standardize(torch.nn.Dropout(), NodeFeatures.of(drawn(0.6)), keep=False)
