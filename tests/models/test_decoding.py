"""The decoder in training against autograd on the plain one."""

import pytest
import torch

from llp_core.models import LinkModel, ModelSpec
from llp_core.sampling import generator

ANCHORS = torch.tensor([0, 3, 3, 7])
NODES = torch.tensor([[1, 2, 3], [4, 4, 0], [9, 8, 7], [7, 1, 5]])


def make(dropout: float = 0.0, precision: torch.dtype = torch.float32, decoder: str = "mlp") -> LinkModel:
    spec = ModelSpec(encoder="mlp", decoder=decoder, features=5, hidden=32, layers=2, dropout=dropout)
    model = LinkModel(spec, generator(0, "weights"))
    model.set_training(generator(0, "dropout"), precision)
    return model.train()


def representations() -> torch.Tensor:
    return torch.randn(10, 32, generator=generator(1)).requires_grad_()


def gradients(model: LinkModel, hidden: torch.Tensor) -> list[torch.Tensor]:
    found = [hidden.grad, *(parameter.grad for parameter in model.decoder.parameters())]
    assert all(gradient is not None for gradient in found)
    return found  # type: ignore[return-value]


def plain(model: LinkModel, hidden: torch.Tensor) -> torch.Tensor:
    pairs = torch.stack((ANCHORS[:, None].expand_as(NODES), NODES)).flatten(1)
    return model.decode(hidden, pairs).view_as(NODES)


@pytest.mark.parametrize("decoder", ["mlp", "linear"])
@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
def test_logits_and_gradients_are_autograds(precision: torch.dtype, tolerance: float, decoder: str) -> None:
    upstream = torch.randn(NODES.shape, generator=generator(2))
    model, hidden = make(decoder=decoder), representations()
    expected = plain(model, hidden)
    expected.backward(upstream)
    expected_gradients = gradients(model, hidden)

    model, hidden = make(precision=precision, decoder=decoder), representations()
    found = model.training_decoder(hidden).contexts(ANCHORS, NODES)
    found.backward(upstream)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    for ours, theirs in zip(gradients(model, hidden), expected_gradients, strict=True):
        assert (ours - theirs).norm() <= tolerance * theirs.norm()


@pytest.mark.parametrize("kind", ["mlp", "linear"])
def test_chunks_add_up_and_share_memory(kind: str) -> None:
    model, hidden = make(decoder=kind), representations()
    model.training_decoder(hidden).contexts(ANCHORS, NODES).sum().backward()
    whole = gradients(model, hidden)
    model, hidden = make(decoder=kind), representations()
    decoder = model.training_decoder(hidden)
    for part in (slice(0, 1), slice(1, 4)):  # the second needs more memory than the first took
        decoder.contexts(ANCHORS[part], NODES[part]).sum().backward()
    for ours, theirs in zip(gradients(model, hidden), whole, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_pairs_are_contexts_of_one_node() -> None:
    model, hidden = make(), representations()
    pairs = torch.stack((ANCHORS, NODES[:, 0]))
    found = model.training_decoder(hidden).pairs(pairs)
    assert found.shape == (4,)
    torch.testing.assert_close(found, plain(model, hidden)[:, 0])


def test_dropout_keeps_the_mean_and_stops_the_gradient_of_what_it_drops() -> None:
    model, hidden = make(dropout=0.5), representations()
    model.eval()
    expected = plain(model, hidden).detach()
    model.train()
    with torch.no_grad():
        drawn = torch.stack([model.training_decoder(hidden).contexts(ANCHORS, NODES) for _ in range(4000)])
    assert drawn.std(0).min() > 0
    torch.testing.assert_close(drawn.mean(0), expected, rtol=0, atol=0.1 * float(expected.std()))

    linear = make(dropout=0.5, decoder="linear")
    drawn = linear.training_decoder(hidden).contexts(ANCHORS, NODES)
    torch.testing.assert_close(drawn, plain(linear, hidden))  # it has no hidden layer to drop from

    # Finite differences under one and the same draw of the dropout.
    def loss() -> torch.Tensor:
        model.set_training(generator(5), torch.float32)
        return model.training_decoder(hidden).contexts(ANCHORS, NODES).sum()

    weight = model.decoder.hidden.weight
    loss().backward()
    with torch.no_grad():
        step = 1e-2 * torch.randn(weight.shape, generator=generator(3))
        before = loss()
        weight += step
        found = loss() - before
    assert weight.grad is not None
    assert found.item() == pytest.approx((weight.grad * step).sum().item(), rel=0.1)
