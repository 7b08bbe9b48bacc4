"""The ablation: every option that it offers trains, and any other settings can be asked for."""

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from llp_core.config import Params
from llp_core.graph import canonical_edges
from llp_core.sampling import generator
from llp_core.search.problem import Problem
from llp_core.search.scoring import Job, score
from llp_core.search.spaces import Scored, with_values
from llp_core.splits import make_split
from llp_core.types import Graph

ROOT = Path(__file__).parents[1]
NODES = 120


@pytest.fixture
def ablation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/ablation.py, which keeps its scores in a folder of the test."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import ablation

    monkeypatch.setattr(ablation, "FOLDER", tmp_path)
    return ablation


@pytest.fixture(scope="module")
def problem(params: Params) -> Problem:
    """Two inner splits of a small random graph, in production."""
    shares = params.split.with_shares_of(0.3, 0.3)
    drawn = torch.randint(0, NODES, (2, 900), generator=generator(0, "edges"))
    features = (torch.rand(NODES, 20, generator=generator(0, "features")) < 0.3).float().to_sparse_csr()
    names = tuple(str(node) for node in range(NODES))
    graph = Graph("random", names, features, canonical_edges(drawn, NODES).edges)
    return Problem.of(graph, make_split(graph, "production", shares), shares, range(2))


@pytest.mark.parametrize("method", ["teacher", "label", "llp", "representation", "logit"])
def test_every_option_trains(
    method: Scored, ablation: ModuleType, problem: Problem, params: Params, tmp_path: Path
) -> None:
    small = {"run.device": "cpu", "run.precision": "float32", "contexts.rounds": 2}
    short = {
        f"{part}.{key}": value for part in ("teacher", "student") for key, value in (("hidden", 16), ("layers", 2))
    }
    cut = {"teacher.max_epochs": 1, "student.max_epochs": 1}
    for name, values in ablation.OPTIONS[method].items():
        job = Job(with_values(params, {**small, **short, **values, **cut}), method, 0)
        assert 0 <= score(problem, job, tmp_path, tmp_path / "workspace") <= 100, name


def test_settings_in_place_of_a_name(
    ablation: ModuleType, problem: Problem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []
    monkeypatch.setattr(ablation, "inner_problem", lambda params, setting, splits: asked.append(splits) or problem)
    option = "student.max_epochs=1 student.learning_rate=0.01"
    words = ["ablation.py", "--method", "label", "--splits", "2", "--first", "4", "--option", option]
    monkeypatch.setattr("sys.argv", words)
    ablation.main()
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(record["method"], record["option"]) for record in printed["records"]] == [
        ("label", "as used"),
        ("label", option),
    ]
    assert printed["records"][0]["scores"] != printed["records"][1]["scores"]
    assert asked == [range(4, 6)]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("two membres", "'two membres' is not known"),
        ("student.rank_wieght=1", "rank_wieght"),
        ("students.rank_weight=1", "students"),
        ("student.rank_weight=-1", "rank_weight"),
    ],
)
def test_what_is_no_option(
    option: str,
    message: str,
    ablation: ModuleType,
    problem: Problem,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(ablation, "inner_problem", lambda params, setting, splits: problem)
    monkeypatch.setattr("sys.argv", ["ablation.py", "--method", "label", "--option", option])
    with pytest.raises(SystemExit):
        ablation.main()
    assert message in capsys.readouterr().err
