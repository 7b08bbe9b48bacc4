"""Several MLPs as one: side by side, each apart from the others, their logits averaged."""

from collections.abc import Sequence

import torch

from llp_core.models.link_model import LinkModel


@torch.no_grad()
def merge(members: Sequence[LinkModel]) -> LinkModel:
    """A model whose logit is the mean of its members' (deep ensembles, arXiv 1612.01474), as wide as all together.

    It is a model as any other, to be saved, served and timed as such. What the representation of a node holds is what
    those of the members hold, one after the other; weights between two members are 0.

    Args:
        members: at least one; MLPs of the same spec on the same device.
    """
    spec = members[0].spec
    if spec.encoder != "mlp" or any(member.spec != spec for member in members):
        raise ValueError(f"members: expected MLPs of one spec, got {[member.spec for member in members]}")
    merged = LinkModel(spec.model_copy(update={"hidden": spec.hidden * len(members)}))
    first, *between, last = zip(*(model.layers for model in (merged, *members)), strict=True)
    for place, *own in (first, *between):
        weights = [layer.weight for layer in own]
        place.weight.copy_(torch.cat(weights, dim=1) if place is first[0] else torch.block_diag(*weights))  # type: ignore[no-untyped-call]
        place.bias.copy_(torch.cat([layer.bias for layer in own]))
    place, *own = last
    place.weight.copy_(torch.cat([layer.weight for layer in own]) / len(own))
    place.bias.copy_(torch.stack([layer.bias for layer in own]).mean(0))
    return merged.to(next(members[0].parameters()).device).eval()
