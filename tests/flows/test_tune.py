"""The tune flow through the command line, on a small graph with few epochs."""

from pathlib import Path

import pytest
import yaml
from candidate_project import change
from llp_command import llp
from tiny_project import Project

from llp_core import tuned

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def quick(real: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Trainings of a moment; what is found goes to a folder of the project, not to the package's."""
    change(real.root, {name: {"hidden": 8, "max_epochs": 2} for name in ("teacher", "student")})
    (real.root / "tuned").mkdir()
    (real.root / "tuned" / "default.yaml").write_text((tuned.FOLDER / "default.yaml").read_text())
    monkeypatch.setattr(tuned, "FOLDER", real.root / "tuned")
    return real


def tune(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code of `llp run-flow tune` with these arguments."""
    return llp(monkeypatch, "run-flow", "tune", *arguments)


def test_the_whole_search(quick: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--dataset", "files", "--setting", "transductive", "--trials", "2")
    assert tune(monkeypatch, *arguments) == 0
    first = capsys.readouterr()
    lines = first.out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["teacher", "model", "distillation", "logit", "representation"]
    written = yaml.safe_load((quick.root / "tuned" / "files.yaml").read_text())
    assert written.keys() == {"transductive"}
    found = written["transductive"]["found"]
    assert found["seeds"] == [0, 1, 2]
    assert found["distillation"]["trials"] == 2
    for result in ("found", "kept"):
        for line in lines:
            if f"  {result}: " in line:
                assert (float(line.split()[3]) > float(line.split()[1])) is (result == "found")

    scores = {path: path.read_bytes() for path in Path("data/tune/files-transductive/scores").iterdir()}
    before = (quick.root / "tuned" / "files.yaml").read_text()
    assert tune(monkeypatch, *arguments) == 0
    assert {path: path.read_bytes() for path in Path("data/tune/files-transductive/scores").iterdir()} == scores
    assert (quick.root / "tuned" / "files.yaml").read_text() == before

    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        tables = [str(artifact.data) for artifact in client.read_artifacts() if artifact.key == "trials"]
    assert len(tables) == 2
    assert "student.rank_weight" in tables[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--dataset", "coro", "--setting", "production"), 3, "data set 'coro' is not known. Did you mean cora"),
        (("--dataset", "files", "--setting", "productive"), 2, "productive"),
        (("--dataset", "files", "--setting", "production", "--trials", "0"), 2, "--trials"),
    ],
)
def test_what_is_refused(
    quick: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    monkeypatch.setattr("flows.tune.tune", None)  # Prefect is not started for it
    assert tune(monkeypatch, *arguments) == code
    assert told in capsys.readouterr().err
    assert not Path("data/tune").exists()
