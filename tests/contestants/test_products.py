"""Dense products by other kernels: the same in float32, nearly the same in int8, and really int8."""

import pytest
import torch
from contestant_models import MakeModel
from torch.profiler import ProfilerActivity, profile

from llp_core.contestants.products import Float32Linear, Int8Linear, with_products
from llp_core.models import NodeFeatures
from llp_core.models.layers import Linear
from llp_core.sampling import generator

ROWS = 9000


@pytest.fixture
def linear() -> Linear:
    linear = Linear(24, 16)
    linear.reset(generator(0))
    return linear.requires_grad_(False)


@pytest.fixture
def values() -> torch.Tensor:
    return torch.randn(ROWS, 24, generator=generator(1))


def test_float32_is_the_same(linear: Linear, values: torch.Tensor) -> None:
    assert torch.allclose(Float32Linear(linear)(values), linear(values), atol=1e-5)
    assert torch.allclose(Float32Linear(linear)(NodeFeatures(values)), linear(values), atol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 5.0, -5.0])
def test_int8_errs_by_its_rounding(linear: Linear, values: torch.Tensor, shift: float) -> None:
    """A value is off by half a step of range / 255, a weight by half a step of its column's largest / 127."""
    values = values + shift
    step = (values.max().clamp(min=0) - values.min().clamp(max=0)) / 255
    largest = linear.weight.abs().amax(0)
    bound = step / 2 * linear.weight.abs().sum(0) + (values.abs().amax() + step) * largest / 254 * 24
    off = (Int8Linear(linear)(values) - linear(values)).abs()
    assert (off <= bound).all()
    assert 0 < off.mean() < 0.05


def test_values_that_are_all_0_give_the_bias(linear: Linear) -> None:
    assert torch.allclose(Int8Linear(linear)(torch.zeros(3, 24)), linear.bias.expand(3, 16))
    assert Int8Linear(linear)(torch.empty(0, 24)).shape == (0, 16)


def test_a_column_of_zeros_stays_0(linear: Linear, values: torch.Tensor) -> None:
    linear.weight[:, 3] = 0
    assert torch.allclose(Int8Linear(linear)(values)[:, 3], linear.bias[3].expand(ROWS))


def test_the_kernel_is_given_bytes(linear: Linear, values: torch.Tensor) -> None:
    quantized = Int8Linear(linear)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiled:
        quantized(values)
    names = {event.key for event in profiled.key_averages()}
    assert "onednn::qlinear_pointwise" in names
    assert not names & {"aten::mm", "aten::addmm", "aten::matmul"}


@pytest.mark.parametrize("sparse", [False, True])
def test_sparse_features_keep_the_first_layer(make_model: MakeModel, sparse: bool) -> None:
    model = make_model("sage")
    changed = with_products(model, Int8Linear, sparse)
    kinds = [type(layer.own).__name__ for layer in changed.encoder.layers]
    assert kinds == ["Linear" if sparse else "Int8Linear", "Int8Linear", "Int8Linear"]
    assert type(changed.decoder.hidden) is Int8Linear
    assert type(model.encoder.layers[1].own) is Linear
