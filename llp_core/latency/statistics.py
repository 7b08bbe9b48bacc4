"""Percentiles of times, and the interval of a ratio of medians."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from llp_core.sampling import generator

_DRAWS = 1000
"""Of the bootstrap."""
_VALUES_AT_ONCE = 1 << 22
"""Resampled times in memory at once."""


class Interval(NamedTuple):
    """A figure, and the 95 % interval about it."""

    value: float
    low: float
    high: float


def percentile(ascending: Tensor, share: float) -> float:
    """The smallest value of float64 [M] that at least `share` (0..1) of all do not exceed (the nearest rank)."""
    return float(ascending[_rank(ascending.numel(), share)])


def ratio(slower: Tensor, faster: Tensor) -> Interval:
    """How many times faster the median of `faster` is, with a 95 % bootstrap interval (percentiles of 1,000 draws).

    What is drawn anew are rounds: both answered the same requests in a round, one right after the other, so a drift
    of the machine moves both sides of a draw alike. All ratios of as many rounds have the same draws.

    Args:
        slower: seconds, float64 [R, n], of n requests in each of R rounds.
        faster: seconds, float64 [R, m], of the same rounds.
    """
    rounds, rng = slower.shape[0], generator(0, "bootstrap")
    at_once = max(1, _VALUES_AT_ONCE // max(slower.numel(), faster.numel()))
    drawn = []
    for chosen in torch.split(torch.randint(rounds, (_DRAWS, rounds), generator=rng), at_once):
        times = torch.zeros(chosen.shape, dtype=torch.int64).scatter_add_(1, chosen, torch.ones_like(chosen))
        drawn.append(_medians(slower, times) / _medians(faster, times))
    ascending = torch.cat(drawn).sort().values
    once = torch.ones(1, rounds, dtype=torch.int64)
    median = float(_medians(slower, once) / _medians(faster, once))
    return Interval(median, percentile(ascending, 0.025), percentile(ascending, 0.975))


def _medians(seconds: Tensor, times: Tensor) -> Tensor:
    """float64 [D]: medians, by nearest rank, of float64 [R, n] with each round taken int64 [D, R] times, R in all."""
    ascending, order = seconds.flatten().sort()
    up_to = times[:, order.div(seconds.shape[1], rounding_mode="floor")].cumsum(1)
    middle = torch.full((times.shape[0], 1), _rank(ascending.numel(), 0.5) + 1)
    return ascending[torch.searchsorted(up_to, middle).squeeze(1)]


def _rank(count: int, share: float) -> int:
    return max(math.ceil(share * count) - 1, 0)
