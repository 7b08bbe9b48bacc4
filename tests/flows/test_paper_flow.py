"""The paper flow through the command line."""

import shutil
from pathlib import Path

import pytest
import yaml
from llp_command import llp
from tiny_project import ROOT

from llp_core.config import load_params
from llp_core.names import METHODS, TEACHER
from llp_core.paper.cells import RESULTS, SCHEMA, write_rows
from llp_core.paper.plan import plan_jobs, settings_text

PART = ("--dataset", "cora", "--setting", "transductive", "--seeds", "1", "--splits", "1")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with params.yaml and an empty mirror."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"]["mirror"] = str(tmp_path / "mirror")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("prefect_server")
class TestFlow:
    def test_what_is_finished(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (job,) = plan_jobs(load_params(Path("params.yaml")), ["cora"], ["transductive"], seeds=1, splits=1)
        blank = dict.fromkeys(SCHEMA.names) | {"all.hits_at_20": 0.5, "all.positives": 100, "commit": "abc"}
        blank |= {"cpu_seconds": 1.0, "peak_memory_mb": 1.0, "resumed": False}
        write_rows(RESULTS, [blank | cell._asdict() | {"settings": settings_text(job, cell)} for cell in job.cells])
        assert llp(monkeypatch, "run-flow", "paper", *PART) == 0
        assert "7 of 7 cells are finished." in capsys.readouterr().out
        assert "| cora" in (folder / "docs/results.md").read_text()

        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            shown = [str(artifact.data) for artifact in client.read_artifacts() if artifact.key == "paper"]
        assert "cora" in shown[-1]

        shutil.rmtree(folder / "docs")
        assert llp(monkeypatch, "results") == 0
        assert "| cora" in (folder / "docs/results.md").read_text()

    def test_what_fails_is_named(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert llp(monkeypatch, "run-flow", "paper", *PART) == 5
        assert "graph of cora failed: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("run-flow", "paper", "--dataset", "coro"), 3, "Did you mean cora"),
        (("run-flow", "paper", "--setting", "new"), 2, "'new' is not one of transductive"),
        (("run-flow", "paper", "--method", "mlp"), 2, f"'mlp' is not one of {TEACHER}, {METHODS[0]}"),
        (("run-flow", "paper", "--seeds", "0"), 2, "--seeds"),
        (("results",), 3, "paper.parquet: not found"),
    ],
)
def test_what_is_refused(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    assert llp(monkeypatch, *arguments) == code
    assert told in capsys.readouterr().err


def test_help() -> None:
    from typer.testing import CliRunner

    from llp_core.cli.app import app

    for command in (["run-flow", "paper"], ["results"]):
        assert "Usage: " in CliRunner().invoke(app, [*command, "--help"]).output
