"""Dropout's statistics, and when it rests."""

import pytest
import torch

from llp_core.models import Dropout
from llp_core.sampling import generator


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_its_share(rate: float) -> None:
    dropout = Dropout(rate, generator(0, "dropout"))
    out = dropout(torch.ones(999, 1001))
    assert (out == 0).double().mean() == pytest.approx(rate, abs=0.005)
    assert out.mean() == pytest.approx(1, abs=0.01)
    dropped = (out == 0).double().mean(0)  # no column (= no byte of a drawn number) is favoured
    assert dropped.min() > rate - 0.1
    assert dropped.max() < rate + 0.1


def test_dropout_rests_outside_training_and_needs_a_generator_in_it() -> None:
    dropout = Dropout(0.5)
    with pytest.raises(RuntimeError, match="set_training"):
        dropout(torch.ones(3))
    assert torch.equal(dropout.eval()(torch.ones(3)), torch.ones(3))
    assert torch.equal(Dropout(0.0)(torch.ones(3)), torch.ones(3))


def test_noise_goes_where_it_is_told() -> None:
    memory = torch.empty(4, 5, dtype=torch.bfloat16)
    noise = Dropout(0.5, generator(0)).noise(memory, memory)
    assert noise is memory
    assert noise.min() >= -128
    assert noise.max() <= 127
    assert torch.equal(noise, Dropout(0.5, generator(0)).noise(memory))
