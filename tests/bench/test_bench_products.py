"""The limit multiplies matrices of the request's sizes."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from llp_core.bench import products as module
from llp_core.bench.products import Products
from llp_core.models import LinkModel, ModelSpec, NodeFeatures

STUDENT = LinkModel(ModelSpec(encoder="mlp", features=5, hidden=8, layers=3, dropout=0.0))
DECODER = 8 * 8 + 8
ENCODER = 5 * 8 + 2 * 8 * 8


def operations(products: Products) -> int:
    """Multiplications and additions."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        products(torch.empty(2, 0))
    return counter.get_total_flops()


@pytest.mark.parametrize("at_once", [8192, 7])
@pytest.mark.parametrize(("regime", "nodes"), [("online", 20), ("offline", 30)])
def test_operations_are_those_of_the_student(
    monkeypatch: pytest.MonkeyPatch, regime: str, nodes: int, at_once: int
) -> None:
    monkeypatch.setattr(module, "_ROWS", at_once)
    products = Products(STUDENT, NodeFeatures.of(torch.randn(30, 5)), regime, pairs=10)
    assert operations(products) == 2 * (nodes * ENCODER + 10 * DECODER)


def test_more_pairs_than_nodes() -> None:
    products = Products(STUDENT, NodeFeatures.of(torch.randn(3, 5)), "offline", pairs=10)
    assert operations(products) == 2 * (3 * ENCODER + 10 * DECODER)


@pytest.mark.parametrize("regime", ["online", "offline"])
def test_sparse_features_stay_sparse(regime: str) -> None:
    features = NodeFeatures.of(torch.eye(30, 40).to_sparse_csr())
    spec = ModelSpec(encoder="mlp", features=40, hidden=8, layers=1, dropout=0.0)
    products = Products(LinkModel(spec), features, regime, pairs=4)
    assert products._features.matrix.layout == torch.sparse_csr
    with torch.inference_mode():
        products(torch.empty(2, 0))
    assert torch.isfinite(products._logits[:4]).all()
