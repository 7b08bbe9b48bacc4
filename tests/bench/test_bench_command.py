"""`llp bench latency`: what it refuses, and a whole run of it on trained models."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from llp_command import llp
from typer.testing import CliRunner

from llp_core import paths
from llp_core.bench.run import RIVALS
from llp_core.cli.app import app

ONE_OF_EACH_FAMILY = (
    "gnn",
    "gnn-pyg",
    "gnn-sampled-15-10-5",
    "gnn-cached",
    "student",
    "student-cached",
    "common-neighbors",
)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code."""
    return llp(monkeypatch, "bench", "latency", *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--pairs", "0"],
        ["--pairs", "100001"],
        ["--seconds", "0"],
        ["--seconds", "601"],
        ["--threads", "0"],
        ["--shape", "ball"],
        ["--shape", "collab", "--layers", "9"],
        ["--device", "tpu"],
    ],
    ids=" ".join,
)
def test_wrong_usage(trained_project: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    assert run(monkeypatch, *arguments) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--hidden", "8"], "--layers and --hidden go with --shape"),
        (["--shape", "collab", "--setting", "production"], "--setting goes with trained models"),
        (["--threads", "9999"], "--threads 9999: this process may use "),
        (["--output", "params.yaml/sub"], "params.yaml/sub: "),
        (["--output", "data/graph"], "data/graph: it exists and is no earlier output of `llp bench latency`."),
        (["--setting", "production"], "Train the models first, `llp run-flow full --setting production`"),
        (["--contestant", "studnt"], "--contestant 'studnt': there is none of that name. Did you mean "),
        pytest.param(
            ["--device", "cuda"],
            "--device cuda: torch finds no GPU here.",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_what_cannot_be_measured(
    trained_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    assert run(monkeypatch, *arguments) == 3
    assert told in capsys.readouterr().err
    assert not paths.BENCH.exists()
    assert (paths.GRAPH / "fields.json").is_file()


def test_a_folder_of_other_rows_stays(
    trained_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "rows.parquet").write_text("mine")
    assert run(monkeypatch, "--output", str(mine)) == 3
    assert "it exists and is no earlier output of `llp bench latency`" in capsys.readouterr().err
    assert (mine / "rows.parquet").read_text() == "mine"


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch) == 3
    assert capsys.readouterr().err.startswith("params.yaml: not found. Run llp in the project's folder")


@pytest.mark.parametrize(
    "names", [ONE_OF_EACH_FAMILY, pytest.param((), marks=pytest.mark.slow)], ids=["one of each", "all"]
)
def test_contestants_on_trained_models(trained_project: Path, names: tuple[str, ...]) -> None:
    arguments = ["bench", "latency", "--pairs", "1", "--pairs", "4", "--seconds", "0.01", "--threads", "1"]
    result = CliRunner().invoke(app, [*arguments, *(part for name in names for part in ("--contestant", name))])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "Latency: tiny, transductive"
    assert lines[-2] == f"The page: {(trained_project / paths.BENCH / 'index.html').resolve()}"
    read = json.loads(lines[-1])
    families = {entrant["family"] for entrant in read["entrants"] if entrant["ran"]}
    assert families == {"student", "student, cached", *RIVALS}
    rows = pd.read_parquet(trained_project / paths.BENCH / "rows.parquet")
    assert set(rows["regime"]) == {"online", "offline", "closed loop"}
    ran = {entrant["name"] for entrant in read["entrants"] if entrant["ran"]}
    assert ran == set(names) or not names
    assert set(rows["method"]) == ran | {"matrix products"}
    assert rows[rows["method"].isin(ran)]["hits_at_20"].between(0, 1).all()


def test_a_file_of_ones_own_is_left_alone(trained_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy("params.yaml", "thesis.txt")
    assert run(monkeypatch, "--output", "thesis.txt") == 3
    assert Path("thesis.txt").is_file()
