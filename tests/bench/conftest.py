"""A project folder with models that the pipeline could have trained, and a benchmark made by hand."""

import shutil
from pathlib import Path

import pytest
import torch

from llp_core import paths
from llp_core.bench.products import PRODUCTS
from llp_core.bench.result import Benchmark, BenchRow, Best, Entrant
from llp_core.datasets.shapes import shape_graph
from llp_core.latency import Interval
from llp_core.machine import Machine
from llp_core.models import LinkModel, ModelSpec, save_model
from llp_core.store import save
from llp_core.types import LinkSplit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def trained_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with graph, split, teacher and student of one setting: 60 nodes, a third of 90 edges test."""
    rng = torch.Generator().manual_seed(0)
    graph = shape_graph("tiny", 60, 90, 5, rng)
    train, test, valid = (graph.edges[:, first::3].contiguous() for first in range(3))
    negatives = torch.stack((torch.arange(25), torch.arange(30, 55)))
    old = torch.zeros(60, dtype=torch.bool)
    split = LinkSplit("transductive", old, train, valid, negatives.clone(), train.clone(), test, negatives)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for artefact, folder in ((graph, paths.GRAPH), (split, paths.split("transductive"))):
        (tmp_path / folder).mkdir(parents=True)
        save(artefact, tmp_path / folder)
    models = (("gcn", paths.teacher("transductive")), ("mlp", paths.student("transductive", "llp")))
    for encoder, folder in models:
        (tmp_path / folder).mkdir(parents=True)
        spec = ModelSpec(encoder=encoder, features=5, hidden=8, layers=2, dropout=0.5)
        save_model(LinkModel(spec, rng), tmp_path / folder, {})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def row(method: str, family: str, regime: str, seconds: float, workers: int = 1, **more: float | None) -> BenchRow:
    pairs = 1800 if regime == "offline" else 10
    values = {"first_seconds": None if regime == "closed loop" else 9 * seconds, **more}
    times = {"p50_seconds": seconds, "p95_seconds": 2 * seconds, "p99_seconds": 3 * seconds}
    return BenchRow(
        method, family, regime, pairs, workers, requests=1000, per_second=workers / seconds, **times, **values
    )


@pytest.fixture
def benchmark() -> Benchmark:
    """A GNN, a student a hundred times as fast, one that did not run, and the limit."""
    rows = [
        row(name, family, regime, seconds, **more)
        for regime in ("online", "offline")
        for name, family, seconds, more in (
            ("full GNN", "GNN", 0.02, {"hits_at_20": 0.5}),
            ("eager", "student", 0.0002, {"hits_at_20": 0.55, "limit_share": 0.25, "faster": 100.0}),
            (PRODUCTS, PRODUCTS, 0.00005, {"faster": 400.0}),
        )
    ]
    rows += [row("eager", "student", "closed loop", 0.0002 * count, count, hits_at_20=0.55) for count in (1, 4)]
    machine = Machine("Abacus", 4, 8.0, None, {"torch": "9.9"})
    best = [
        Best(regime, pairs, "eager", "full GNN", "GNN", Interval(100.0, 90.0, 110.0))
        for regime, pairs in (("online", 10), ("offline", 1800))
    ]
    return Benchmark(
        name="tiny, transductive",
        nodes=60,
        edges=90,
        features=5,
        encoder="sage",
        layers=2,
        hidden=8,
        student_layers=2,
        student_hidden=16,
        device="cpu Abacus",
        threads=2,
        seconds=0.5,
        seed=7,
        entrants=(
            Entrant("full GNN", "GNN", "all neighbours", True, True, 0.5),
            Entrant("eager", "student", "torch", True, True, 0.55),
            Entrant("int9", "student", "no kernel <here>", False, False, None),
        ),
        rows=tuple(rows),
        best=tuple(best),
        notes=(),
        machine=machine,
    )
