"""Features as the first layer takes them: dense or sparse by memory, thinned alike in product and gradient."""

import pytest
import torch

from llp_core.models import Dropout, NodeFeatures
from llp_core.sampling import generator


def random_features(density: float) -> torch.Tensor:
    rng = generator(0)
    return torch.rand(40, 30, generator=rng) * (torch.rand(40, 30, generator=rng) < density)


@pytest.mark.parametrize(("density", "layout"), [(0.1, torch.sparse_csr), (0.6, torch.strided)])
def test_features_are_kept_in_the_smaller_layout(density: float, layout: torch.layout) -> None:
    dense = random_features(density)
    found = NodeFeatures.of(dense.to_sparse_csr())
    assert found.matrix.layout == layout
    assert (found.num_nodes, found.width) == (40, 30)
    torch.testing.assert_close(found.times(torch.eye(30)), dense)


@pytest.mark.parametrize("density", [0.1, 0.6])
def test_thinned_features_lose_their_share_and_keep_the_rest_scaled(density: float) -> None:
    features = NodeFeatures.of(random_features(density).to_sparse_csr())
    assert features.thinned(Dropout(0.0)) is features
    thinned = features.thinned(Dropout(0.5, generator(1)))
    before, after = features.times(torch.eye(30)), thinned.times(torch.eye(30))
    kept = after != 0
    assert 0.3 < kept.sum() / (before != 0).sum() < 0.7
    torch.testing.assert_close(after[kept], 2 * before[kept])


def test_the_gradient_sees_the_thinned_features() -> None:
    features = NodeFeatures.of(random_features(0.1).to_sparse_csr()).thinned(Dropout(0.5, generator(1)))
    dense = features.matrix.to_dense()
    upstream = torch.randn(40, 4, generator=generator(2))
    weight = torch.randn(30, 4, generator=generator(3)).requires_grad_()
    features.times(weight).backward(upstream)
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, dense.T @ upstream)


def test_dense_features_are_thinned_in_the_precision_of_the_products() -> None:
    features = NodeFeatures.of(random_features(0.6))
    exact = features.thinned(Dropout(0.5, generator(1))).matrix
    reduced = features.thinned(Dropout(0.5, generator(1)), torch.bfloat16).matrix
    assert (exact.dtype, reduced.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(reduced.float(), exact, rtol=2**-7, atol=0)
