"""Half of the channels go: those that matter least."""

import pytest
import torch
from contestant_models import MakeModel

from llp_core.contestants.pruning import prune
from llp_core.graph import CSR
from llp_core.models import Adjacency, LinkModel, NodeFeatures


def scores(model: LinkModel, features: NodeFeatures, graph: CSR, pairs: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model.score(model.encode(features, Adjacency.from_csr(*graph, graph.degree)), pairs)


def silence(model: LinkModel, channels: torch.Tensor) -> None:
    """What these channels hold reaches nothing, in any layer."""
    with torch.no_grad():
        for layer in (*list(model.encoder.layers)[1:], model.decoder.hidden, model.decoder.out):
            for parameter in layer.parameters():
                if parameter.dim() == 2:
                    parameter[channels] = 0


@pytest.mark.parametrize("encoder", ["sage", "gcn", "mlp"])
def test_channels_that_reach_nothing_go(
    encoder: str, make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR, pairs: torch.Tensor
) -> None:
    model = make_model(encoder)
    silence(model, torch.arange(1, 32, 2))
    pruned = prune(model)
    assert torch.allclose(
        scores(pruned, node_features, heavy_graph, pairs), scores(model, node_features, heavy_graph, pairs), atol=1e-5
    )


@pytest.mark.parametrize(("hidden", "half"), [(32, 16), (5, 2)])
def test_half_the_width_and_the_model_stays_as_it_is(make_model: MakeModel, hidden: int, half: int) -> None:
    model = make_model("sage", hidden=hidden)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pruned = prune(model)
    assert pruned.spec == model.spec.model_copy(update={"hidden": half})
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    shapes = [tuple(parameter.shape) for parameter in pruned.encoder.layers[1].parameters()]
    assert shapes == [(half, half), (half, half), (half,)]
