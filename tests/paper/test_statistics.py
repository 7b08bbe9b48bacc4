"""Means, intervals and verdicts, against figures worked out by hand."""

import pytest

from llp_core.paper.statistics import Estimate, estimate, paired_difference


def test_the_interval_of_three_runs() -> None:
    """1, 2, 3: deviation 1, t of two degrees of freedom 4.3027."""
    found = estimate([1.0, 2.0, 3.0])
    assert found is not None
    assert (found.mean, found.runs) == (2.0, 3)
    assert found.half_width == pytest.approx(4.302653 / 3**0.5)


def test_of_few_runs_and_of_none() -> None:
    assert estimate([4.0]) == Estimate(4.0, None, 1)
    assert estimate([4.0, 6.0]) == Estimate(5.0, None, 2)
    assert estimate([]) is None


def test_only_runs_of_both_are_paired() -> None:
    one = {(234, 0): 5.0, (234, 1): 7.0, (235, 0): 100.0}
    other = {(234, 1): 4.0, (234, 0): 3.0, (234, 2): 0.0}
    found = paired_difference(one, other)
    assert found is not None
    assert (found.mean, found.runs) == (2.5, 2)
    assert paired_difference(one, {}) is None


def test_pairing_removes_what_both_share() -> None:
    """Runs differ by far more than the methods do within each."""
    one = {seed: 10.0 * seed + 1 for seed in range(5)}
    other = {seed: 10.0 * seed + 0.1 * (seed % 2) for seed in range(5)}
    found = paired_difference(one, other)
    assert found is not None
    assert found.verdict == "win"


@pytest.mark.parametrize(
    ("mean", "half_width", "runs", "verdict"),
    [
        (1.0, 0.9, 3, "win"),
        (1.0, 1.0, 3, "level"),
        (-1.0, 1.1, 3, "level"),
        (-1.0, 0.9, 3, "loss"),
        (0.0, 0.0, 3, "level"),
        (9.0, 0.1, 2, "too few runs"),
        (9.0, None, 1, "too few runs"),
    ],
)
def test_a_win_needs_an_interval_without_zero(mean: float, half_width: float, runs: int, verdict: str) -> None:
    assert Estimate(mean, half_width, runs).verdict == verdict
