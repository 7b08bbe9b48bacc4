"""A project folder with the artefacts of a run, small and literal."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from llp_core import paths
from llp_core.names import METHODS, SETTINGS, TEACHER, Setting
from llp_core.report import ReportContext, load_context
from llp_core.store import save, write_json
from llp_core.types import Evaluation, Graph, LatencyRow, LatencyTable

PROJECT = Path(__file__).parents[2]

HITS_AT_20 = {
    "transductive": {"teacher": 0.404, "label": 0.400, "llp": 0.437},
    "production": {"teacher": 0.250, "label": 0.214, "llp": 0.250},
    "cold_start": {"teacher": 0.0, "label": 0.154, "llp": 0.185},
}
POSITIVES = {
    "transductive": {"all": 900, "degree 1-2": 700, "degree 3+": 1100},
    "production": {"all": 900, "old-old": 500, "old-new": 300, "new-new": 100, "degree 1-2": 700, "degree 3+": 1100},
    "cold_start": {"all": 400, "old-new": 300, "new-new": 100, "degree 0": 500, "degree 3+": 300},
}
P50 = {"teacher": 0.008, "label": 0.002, "llp": 0.002}


def evaluation(setting: Setting) -> Evaluation:
    figures = {
        method: {
            group: {
                "hits_at_10": 0.8 * hits,
                "hits_at_20": hits,
                "hits_at_30": min(1.0, 1.1 * hits),
                "hits_at_50": min(1.0, 1.2 * hits),
                "mrr": 0.2 * hits,
                "auc": 0.5 + hits / 2,
            }
            for group in POSITIVES[setting]
        }
        for method, hits in HITS_AT_20[setting].items()
    }
    return Evaluation(setting, 900, POSITIVES[setting], figures)


def latency(setting: Setting) -> LatencyTable:
    rows = [
        LatencyRow(method, "online", size, 200, 2 * p50 * size, p50 * size / 10, p50 * size / 2, p50 * size)
        for size in (1, 10, 100, 1000)
        for method, p50 in P50.items()
    ]
    rows += [LatencyRow(method, "offline", 1800, 40, 2 * p50, 3 * p50, 4 * p50, 4 * p50) for method, p50 in P50.items()]
    return LatencyTable(setting, "cpu Abacus", 1, tuple(rows))


def write_model(folder: Path, hits: float, candidates: int = 1) -> None:
    folder.mkdir(parents=True)
    history = [
        {
            "candidate": candidate,
            "epoch": epoch,
            "loss": 1.0 / (epoch + candidate),
            "label_loss": 0.5,
            "valid_score": hits * (1 - abs(epoch - 12) / 20) - 0.01 * candidate if epoch % 2 == 0 else None,
        }
        for candidate in range(candidates)
        for epoch in range(1, 21)
    ]
    write_json(folder / "history.json", history)
    about = {"encoder": "sage", "best_epoch": 12, "epochs": 20, "valid_score": hits, "seed": 7}
    about |= {"candidate": candidates - 1} if candidates > 1 else {}
    write_json(folder / "model.json", about)


def write_findings(folder: Path, table: str, passed: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    check = {
        "check": "values are unique",
        "table": table,
        "column": "id",
        "passed": passed,
        "unexpected": 0 if passed else 2,
        "offenders": [] if passed else ["numpy", "scipy"],
        "observed": None,
        "expected": "no id twice",
    }
    write_json(folder / "findings.json", {"passed": passed, "checks": [check]})


def write_setting(root: Path, setting: Setting) -> None:
    write_findings(root / paths.split(setting) / "checks", "split")
    write_findings(root / paths.teacher_scores(setting) / "checks", "scores")
    write_model(root / paths.teacher(setting), HITS_AT_20[setting][TEACHER] + 0.05, candidates=2)
    for method in set(METHODS) & set(HITS_AT_20[setting]):
        write_model(root / paths.student(setting, method), HITS_AT_20[setting][method] + 0.05)
    for folder, artifact in (
        (paths.evaluation(setting), evaluation(setting)),
        (paths.latency(setting), latency(setting)),
    ):
        (root / folder).mkdir(parents=True)
        save(artifact, root / folder)


def write_project(root: Path, name: str = "debian") -> None:
    shutil.copy(PROJECT / "params.yaml", root)
    graph = Graph(name, ("a", "b", "<c>"), torch.eye(3, 4).to_sparse_csr(), torch.tensor([[0, 1], [1, 2]]))
    (root / paths.GRAPH).mkdir(parents=True)
    save(graph, root / paths.GRAPH)
    write_json(root / paths.GRAPH / "dropped.json", {"self loops": 3, "duplicate edges": 5278})
    write_findings(root / paths.CHECKS, "nodes")
    for setting in SETTINGS:
        write_setting(root, setting)


@pytest.fixture(scope="session")
def make_project() -> Callable[..., None]:
    return write_project


@pytest.fixture
def failed_check(project: Path) -> None:
    write_findings(project / paths.CHECKS, "nodes", passed=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    write_project(root)
    return root


@pytest.fixture
def context(project: Path) -> ReportContext:
    return load_context(project, SETTINGS)
