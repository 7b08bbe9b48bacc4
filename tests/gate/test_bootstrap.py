"""Figures and intervals with answers that are known."""

import math

import pytest
import torch

from llp_core.gate.bootstrap import Ranked, figures, paired_differences
from llp_core.metrics import hits_at_k, mean_reciprocal_rank


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def scores(count: int, negatives: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole numbers, so that there are ties."""
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randint(0, 40, (count,), generator=generator).float(),
        torch.randint(0, 35, (negatives,), generator=generator).float(),
    )


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_the_metrics(seed: int) -> None:
    positive, negative = scores(50, 60, seed)
    found = figures(Ranked.of(positive, negative).above)
    assert float(found["hits_at_20"].mean()) == hits_at_k(positive, negative, 20)
    assert float(found["mrr"].mean()) == mean_reciprocal_rank(positive, negative)


def test_negatives_drawn_again_count_as_often_as_they_are_drawn() -> None:
    positive, negative = scores(30, 25, 1)
    counts = torch.randint(0, 4, (3, 25), generator=rng())
    found = Ranked.of(positive, negative).above_of(counts)
    for row, each in zip(found, counts, strict=True):
        repeated = negative.repeat_interleave(each)
        assert row.tolist() == [(repeated >= score).sum().item() for score in positive]


def test_two_models_alike_do_not_differ() -> None:
    same = scores(40, 50, 2)
    for found in paired_differences(same, (2 * same[0] + 1, 2 * same[1] + 1), rng()).values():
        assert (found.first - found.second, found.low, found.high) == (0, 0, 0)


def test_always_right_against_always_wrong() -> None:
    negative = torch.zeros(30)
    found = paired_differences((torch.ones(25), negative), (-torch.ones(25), negative), rng())
    hits, mrr = found["hits_at_20"], found["mrr"]
    assert (hits.first, hits.second, hits.low, hits.high) == (1, 0, 1, 1)
    assert mrr.first - mrr.second == pytest.approx(1 - 1 / 31)
    assert mrr.low == mrr.high == pytest.approx(mrr.first - mrr.second)


def test_the_interval_is_as_wide_as_theory_has_it() -> None:
    # All pairs without an edge score 0, so chance lies in the edges alone: 60 of 100 hits against 100.
    negative = torch.zeros(30)
    some = torch.cat((torch.ones(60), -torch.ones(40)))
    hits = paired_differences((some, negative), (torch.ones(100), negative), rng())["hits_at_20"]
    assert hits.first - hits.second == pytest.approx(-0.4)
    deviation = math.sqrt(0.4 * 0.6 / 100)
    assert hits.low == pytest.approx(-0.4 - 1.96 * deviation, abs=0.02)
    assert hits.high == pytest.approx(-0.4 + 1.96 * deviation, abs=0.02)


def test_pairs_without_an_edge_are_drawn_too() -> None:
    # 20 of the 40 negatives are above all edges, so that the 20th best decides, and chance lies in those alone.
    negative = torch.cat((torch.full((20,), 2.0), torch.zeros(20)))
    hits = paired_differences((torch.ones(50), negative), (torch.full((50,), 3.0), negative), rng())["hits_at_20"]
    assert (hits.first, hits.second) == (0, 1)
    assert (hits.low, hits.high) == (-1, 0)


def test_many_draws_are_made_in_parts_that_fit_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = scores(60, 70, 3), scores(60, 70, 4)
    whole = paired_differences(one, other, rng())
    assert whole == paired_differences(one, other, rng())
    monkeypatch.setattr("llp_core.gate.bootstrap._NUMBERS_AT_ONCE", 130 * 64)
    parts = paired_differences(one, other, rng())
    assert parts["mrr"].low == pytest.approx(whole["mrr"].low, abs=0.02)


@pytest.mark.parametrize(("positives", "negatives"), [(0, 30), (30, 19)])
def test_too_few_to_rank_are_refused(positives: int, negatives: int) -> None:
    made = (torch.ones(positives), torch.zeros(negatives))
    with pytest.raises(ValueError, match=f"got {positives} and {negatives}"):
        paired_differences(made, made, rng())
