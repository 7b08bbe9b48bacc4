"""Scales of bytes: what they cut off, what they are found on, and values without a spread."""

import numpy as np
import pytest
import torch

from llp_core.errors import InputError
from llp_core.graph import csr
from llp_core.models import LinkModel, ModelSpec, NodeFeatures
from llp_core.models.rounding import Scale, find_rounding
from llp_core.sampling import generator


@pytest.mark.parametrize(
    "values", [[-1.5, 0.2, 3.0], [0.5, 2.0], [-4.0, -1.0], [1e-30, 2e-30], [-3e38, 3e38], [7.0], [-7.0]]
)
def test_bytes_are_half_a_step_off_at_most(values: list[float]) -> None:
    given = torch.tensor(values)
    scale = Scale.over(given)
    found = scale.to_bytes(given[:, None].numpy())
    assert found.dtype == np.uint8
    meant = (found.astype(np.float64) - scale.zero_point) * scale.step
    assert np.abs(meant - given[:, None].double().numpy()).max() <= 0.501 * scale.step
    assert 0 <= scale.zero_point <= 255


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1e-45]])
def test_values_without_a_spread(values: list[float]) -> None:
    scale = Scale.over(torch.tensor(values))
    assert scale.step > 0
    assert scale.zero_point == 0
    assert (scale.to_bytes(np.zeros((2, 3), dtype=np.float32)) == 0).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="are not finite: they have no scale in int8"):
        Scale.over(torch.tensor([0.0, value]))


def test_what_lies_beyond_is_cut_off() -> None:
    scale = Scale.over(torch.tensor([-1.0, 1.0]))
    assert scale.to_bytes(np.array([[-9.0, 9.0]], dtype=np.float32)).tolist() == [[0, 255]]


@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("decoder", ["mlp", "linear"])
def test_scales_are_of_the_values_in_between(layout: str, decoder: str) -> None:
    """Two nodes: 0, of ones, and 1, of minus ones. All products of representations are known then."""
    matrix = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    features = NodeFeatures(matrix.to_sparse_csr() if layout == "sparse" else matrix)
    spec = ModelSpec(encoder="mlp", decoder=decoder, features=2, hidden=2, layers=2, dropout=0.0)
    model = LinkModel(spec, generator(0)).eval()
    found = find_rounding(model, features, csr(torch.tensor([[0], [1]]), 2))
    with torch.inference_mode():
        first = model.encoder.layers[0](features).relu()
        encoded = model.encode(features)
        pairs = torch.stack((encoded[0] * encoded[0], encoded[0] * encoded[1], encoded[1] * encoded[1]))
        assert found.features == Scale.over(matrix)
        assert found.layers == (Scale.over(first), Scale.over(encoded))
        assert found.product == Scale.over(pairs)
        assert found.hidden == (
            None if model.decoder.hidden is None else Scale.over(model.decoder.hidden(pairs).relu())
        )


def test_linked_pairs_are_looked_at() -> None:
    """Among 100,000 nodes, 4,096 of which are drawn, only the one edge has a large product."""
    matrix = torch.ones(100_000, 1)
    matrix[[7, 99_999]] = 100.0
    spec = ModelSpec(encoder="mlp", features=1, hidden=1, layers=1, dropout=0.0)
    model = LinkModel(spec, generator(0)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    linked = find_rounding(model, NodeFeatures(matrix), csr(torch.tensor([[7], [99_999]]), 100_000))
    alone = find_rounding(model, NodeFeatures(matrix), csr(torch.empty(2, 0, dtype=torch.int64), 100_000))
    assert linked.product.step == pytest.approx(101**2 / 255)
    assert alone.product.step == pytest.approx(2**2 / 255)
    assert alone.features == Scale.over(matrix)  # of every node
