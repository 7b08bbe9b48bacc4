"""The real pipeline through the command line: a small graph, few epochs, all three settings."""

from pathlib import Path

import pytest
from llp_command import llp
from tiny_project import Project

from flows import full as module

pytestmark = pytest.mark.usefixtures("prefect_server")

QUICK = ["teacher.max_epochs=2", "teacher.candidates=1", "teacher.hidden=8", "student.max_epochs=2", "student.hidden=8"]


def test_the_whole_flow(real: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    quick = [part for setting in [*QUICK, "contexts.rounds=2", "latency.seconds=0.01"] for part in ("--set", setting)]
    assert llp(monkeypatch, "run-flow", "full", "--dataset", "files", *quick) == 0
    first = capsys.readouterr()
    assert "params.yaml: data.name: debian -> files" in first.err
    table = first.out[: first.out.index("The page: ")]
    assert table.count("| Cold start ") == 3  # the teacher and two students
    assert f"The page: {real.root / 'data' / 'report' / 'index.html'}" in first.out
    assert real.dvc_status() == {}

    def never(name: str, setting: str | None) -> None:
        raise AssertionError(f"{name} of {setting} ran again")

    monkeypatch.setattr(module, "run_stage", never)
    assert llp(monkeypatch, "run-flow", "full") == 0
    assert capsys.readouterr().out == first.out

    assert llp(monkeypatch, "report") == 0
    assert "The page: " in capsys.readouterr().out
    for _ in range(2):  # the second takes the place of the first
        assert llp(monkeypatch, "report", "--setting", "production", "--output", "page") == 0
    assert (Path("page") / "index.html").is_file()
    capsys.readouterr()
    assert llp(monkeypatch, "status") == 0
    assert {line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()} == {"up to date"}


def test_a_missing_file_is_told_in_a_paragraph(
    real: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--dataset", "files", "--set", "data.files.nodes=nowhere.csv"]
    assert llp(monkeypatch, "run-flow", "full", *arguments) == 3
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("download failed: nowhere.csv: not found. Stage download reads it, as dvc.yaml says.")
    assert not (real.root / "data" / "raw").exists()
