"""Metrics against answers worked out by hand, against OGB and against scikit-learn."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ogb.linkproppred import Evaluator
from sklearn.metrics import roc_auc_score

from llp_core.metrics import HITS_AT, area_under_curve, hits_at_k, mean_reciprocal_rank, validation_score

# Few distinct values, so that ties are common.
SCORES = st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 0.5, 3.0]), min_size=1, max_size=40).map(torch.tensor)
POSITIVE = torch.tensor([4.0, 3.0, 2.0, 1.0])
NEGATIVE = torch.tensor([3.5, 2.0, 0.0])


def test_hits_count_a_tie_against_the_positive() -> None:
    # The 2nd best negative is 2.0: 4 and 3 are above it, the tie at 2 is not.
    assert hits_at_k(POSITIVE, NEGATIVE, 2) == 0.5
    assert hits_at_k(POSITIVE, NEGATIVE, 1) == 0.25


def test_hits_refuse_fewer_than_k_negatives() -> None:
    with pytest.raises(ValueError, match="Hits@4 needs at least 4 negatives, got 3"):
        hits_at_k(POSITIVE, NEGATIVE, 4)


@given(positive=SCORES, negative=SCORES)
def test_hits_agree_with_ogb(positive: torch.Tensor, negative: torch.Tensor) -> None:
    evaluator = Evaluator(name="ogbl-collab")
    evaluator.K = k = negative.numel()
    theirs = evaluator.eval({"y_pred_pos": positive, "y_pred_neg": negative})[f"hits@{k}"]
    assert hits_at_k(positive, negative, k) == pytest.approx(theirs)


def test_reciprocal_rank_by_hand() -> None:
    # Ranks among the negatives 3.5, 2, 0: of 4 it is 1, of 3 it is 2, of 2 (a tie) it is 3, of 1 it is 3.
    assert mean_reciprocal_rank(POSITIVE, NEGATIVE) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 3) / 4)


def test_area_under_curve_by_hand() -> None:
    # Won against the three negatives: 3, 2, 1.5 (a tie is half), 1.
    assert area_under_curve(POSITIVE, NEGATIVE) == pytest.approx(7.5 / 12)


@given(positive=SCORES, negative=SCORES)
def test_area_under_curve_agrees_with_sklearn(positive: torch.Tensor, negative: torch.Tensor) -> None:
    labels = [1] * positive.numel() + [0] * negative.numel()
    theirs = roc_auc_score(labels, torch.cat((positive, negative)).numpy())
    assert area_under_curve(positive, negative) == pytest.approx(theirs)


@pytest.mark.parametrize("metric", [lambda p, n: hits_at_k(p, n, 1), mean_reciprocal_rank, area_under_curve])
def test_scores_must_be_there_and_finite(metric) -> None:
    with pytest.raises(ValueError, match="no positive pair"):
        metric(torch.empty(0), NEGATIVE)
    with pytest.raises(ValueError, match="no negative pair"):
        metric(POSITIVE, torch.empty(0))
    with pytest.raises(ValueError, match="1 of 3 negative scores are not finite"):
        metric(POSITIVE, torch.tensor([1.0, torch.nan, 0.0]))


def test_validation_score_is_the_mean_of_hits_however_many_negatives() -> None:
    positive, negative = torch.randn(200) + 1, torch.randn(200)
    expected = sum(hits_at_k(positive, negative, k) for k in HITS_AT) / 4
    assert validation_score(positive, negative) == pytest.approx(expected)
    assert validation_score(positive, negative.repeat(7)) == pytest.approx(expected)


def test_validation_score_leaves_out_a_k_beyond_the_negatives() -> None:
    positive, negative = torch.arange(25.0), torch.arange(25.0) - 5
    assert (
        validation_score(positive, negative)
        == (hits_at_k(positive, negative, 10) + hits_at_k(positive, negative, 20)) / 2
    )
    few = torch.tensor([1.0, 3.0])
    assert validation_score(few, torch.tensor([2.0, 0.0])) == hits_at_k(few, torch.tensor([2.0, 0.0]), 2)
