"""Means with their 95 % confidence intervals, and differences of paired runs."""

import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Key = TypeVar("Key", bound=Hashable)
Verdict = Literal["win", "level", "loss", "too few runs"]

CONFIDENCE = 0.95
FEWEST_RUNS = 3
"""Below, an interval says next to nothing: none is shown and no verdict is given."""


@dataclass(frozen=True)
class Estimate:
    """A mean of independent runs.

    Attributes:
        mean: of the runs.
        half_width: of its 95 % confidence interval by Student's t; None of fewer than `FEWEST_RUNS`.
        runs: how many.
    """

    mean: float
    half_width: float | None
    runs: int

    @property
    def verdict(self) -> Verdict:
        """Of a mean difference: a win or a loss only where the interval excludes zero."""
        if self.half_width is None or self.runs < FEWEST_RUNS:
            return "too few runs"
        if abs(self.mean) <= self.half_width:
            return "level"
        return "win" if self.mean > 0 else "loss"


def estimate(values: Sequence[float]) -> Estimate | None:
    """The mean of some runs; None where there are none."""
    if not values:
        return None
    mean = statistics.fmean(values)
    if len(values) < FEWEST_RUNS:
        return Estimate(mean, None, len(values))
    from scipy.stats import t

    quantile = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return Estimate(mean, quantile * statistics.stdev(values) / math.sqrt(len(values)), len(values))


def paired_difference(one: Mapping[Key, float], other: Mapping[Key, float]) -> Estimate | None:
    """The mean of `one` minus `other` over the runs (seed and split) that both have; None where there are none."""
    return estimate([one[run] - other[run] for run in one if run in other])
