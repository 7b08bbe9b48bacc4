"""The count of what a sampled teacher computes in an epoch."""

import math
from pathlib import Path

import pytest

from llp_core.config import load_params

ROOT = Path(__file__).parents[1]


def test_small_steps_compute_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from sampled_rows import BATCHES, rows_of_an_epoch

    nodes = 4_000
    found = rows_of_an_epoch(nodes)
    assert list(found) == list(BATCHES) == sorted(BATCHES, reverse=True)
    assert found[8192] < found[1024] < found[256]
    split = load_params(Path("params.yaml")).split.transductive
    edges = (1 - split.valid_share - split.test_share) * 4 * nodes
    for batch, rows in found.items():
        steps = math.ceil(edges / batch)
        assert batch < rows / steps <= nodes or batch > nodes
