"""How sure a difference between two models is: both on the same pairs, which are drawn again and again.

Test edges and pairs without an edge are drawn with replacement, the same ones for both models: Hits@K depends on the
few best of the pairs without an edge, so an interval that took those as given would be too narrow.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

REPEATS = 1000
CONFIDENCE = 0.95
HITS = 20
_NUMBERS_AT_ONCE = 1 << 22
"""Bounds memory."""


@dataclass(frozen=True)
class Difference:
    """One model's figure beside another's on the same pairs, as shares.

    Attributes:
        first, second: the figures.
        low, high: the 95 % interval of first - second.
    """

    first: float
    second: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Ranked:
    """One model's scores, ready to be drawn from.

    Attributes:
        order: int64 [M], the negatives from the best to the worst.
        above: int64 [P], how many negatives score at least as much as each positive.
    """

    order: Tensor
    above: Tensor

    @classmethod
    def of(cls, positive: Tensor, negative: Tensor) -> "Ranked":
        """From scores of positives (float [P]) and of negatives (float [M])."""
        ascending, order = negative.sort()
        return cls(order.flip(0), negative.numel() - torch.searchsorted(ascending, positive))

    def above_of(self, counts: Tensor) -> Tensor:
        """int64 [R, P]: `above` where each negative counts as often as int64 [R, M] says."""
        cumulative = torch.nn.functional.pad(counts[:, self.order].cumsum(1), (1, 0))
        return cumulative[:, self.above]


def figures(above: Tensor) -> dict[str, Tensor]:
    """Hits@20 and reciprocal rank of each positive, float64 [..., P], from how many negatives are not below it.

    The means are those of `llp_core.metrics`: ties count against the positive.
    """
    return {"hits_at_20": (above < HITS).double(), "mrr": (1 + above).double().reciprocal()}


def paired_differences(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], rng: torch.Generator
) -> dict[str, Difference]:
    """Two models on the same pairs: metric -> figures and their difference.

    Args:
        first: scores of the positives (float [P]) and of the negatives (float [M]) by one model.
        second: by the other, of the same pairs in the same order.
        rng: of the draws, on the CPU.

    Raises:
        ValueError: there is no positive, or there are fewer than 20 negatives.
    """
    positives, negatives = first[0].numel(), first[1].numel()
    if positives == 0 or negatives < HITS:
        raise ValueError(f"Hits@{HITS} needs a positive and {HITS} negatives, got {positives} and {negatives}")
    models = [Ranked.of(*scores) for scores in (first, second)]
    drawn: dict[str, list[Tensor]] = {"hits_at_20": [], "mrr": []}
    at_once = max(_NUMBERS_AT_ONCE // (positives + negatives), 1)
    for begin in range(0, REPEATS, at_once):
        repeats = min(at_once, REPEATS - begin)
        counts = _counts(repeats, negatives, rng)
        chosen = torch.randint(positives, (repeats, positives), generator=rng)
        one, other = (figures(model.above_of(counts).gather(1, chosen)) for model in models)
        for metric, values in drawn.items():
            values.append((one[metric] - other[metric]).mean(1))
    one, other = (figures(model.above) for model in models)
    ends = torch.tensor([1 - CONFIDENCE, 1 + CONFIDENCE], dtype=torch.float64) / 2
    found = {}
    for metric, values in drawn.items():
        low, high = torch.cat(values).quantile(ends).tolist()
        found[metric] = Difference(float(one[metric].mean()), float(other[metric].mean()), low, high)
    return found


def _counts(repeats: int, size: int, rng: torch.Generator) -> Tensor:
    """int64 [repeats, size]: how often each of `size` things is drawn in as many draws."""
    drawn = torch.randint(size, (repeats, size), generator=rng)
    return torch.zeros(repeats, size, dtype=torch.int64).scatter_add_(1, drawn, torch.ones_like(drawn))
