"""Several MLPs as one model."""

import pytest
import torch

from llp_core.models import LinkModel, ModelSpec, NodeFeatures, load_model, merge, save_model
from llp_core.sampling import generator

PAIRS = torch.tensor([[0, 2, 1, 0], [1, 3, 5, 4]])


def member(seed: int, encoder: str = "mlp", decoder: str = "mlp", layers: int = 2) -> LinkModel:
    spec = ModelSpec(encoder=encoder, decoder=decoder, features=8, hidden=4, layers=layers, dropout=0.5)
    return LinkModel(spec, generator(seed, "weights")).eval()


def scores(model: LinkModel, features: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.score(model.encode(NodeFeatures.of(features)), PAIRS)


@pytest.mark.parametrize("decoder", ["mlp", "linear"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_its_logit_is_the_mean_of_its_members(decoder: str, layers: int, tmp_path) -> None:
    features = 20 * torch.rand(6, 8, generator=generator(0, "features"))
    members = [member(seed, decoder=decoder, layers=layers) for seed in range(3)]
    merged = merge(members)
    assert merged.spec == members[0].spec.model_copy(update={"hidden": 12})
    expected = torch.stack([scores(model, features) for model in members]).mean(0)
    assert expected.std() > 1e-3
    torch.testing.assert_close(scores(merged, features), expected)
    save_model(merged, tmp_path, {})
    torch.testing.assert_close(scores(load_model(tmp_path), features), expected)


def test_one_alone_stays_what_it_is() -> None:
    alone = member(0)
    for own, other in zip(merge([alone]).parameters(), alone.parameters(), strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("other", [member(1, encoder="sage"), member(1, layers=1)])
def test_only_mlps_of_one_spec_are_merged(other: LinkModel) -> None:
    with pytest.raises(ValueError, match="expected MLPs of one spec"):
        merge([member(0), other])
