"""`llp ingest` and `llp data`: what they print and how they end."""

from pathlib import Path

import pytest
import yaml
from live_project import Project
from llp_command import llp
from typer.testing import CliRunner

from llp_core.cli.app import app
from llp_core.errors import InputError
from llp_core.live import current_version


def told(*arguments: str) -> str:
    """What `llp` prints."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize(
    "command", [["ingest"], ["data"], ["data", "start"], ["data", "log"], ["data", "checkout"], ["data", "push"]]
)
def test_every_command_has_help(command: list[str]) -> None:
    assert "Usage: " in told(*command, "--help")


def test_start_points_params_at_the_live_data(new_project: Project) -> None:
    new_project.configure(data__name="debian", tuned__production__student={"margin": 0.1})
    assert "The data is version 1.\n" in told("data", "start")
    values = yaml.safe_load((new_project.root / "params.yaml").read_text())
    assert values["data"]["name"] == "files"
    assert values["data"]["files"]["nodes"] == "data/live/nodes.parquet"
    assert values["data"]["files"]["edges"] == "data/live/edges.parquet"
    assert values["data"]["files"]["columns"] == {"size": "number", "colour": "category"}
    assert values["tuned"]["production"]["student"].get("margin") != 0.1
    assert told("data", "start") == "The data is version 1.\n"


def test_start_keeps_what_was_tuned_for_the_same_files(new_project: Project) -> None:
    new_project.configure(tuned__production__student={"margin": 0.1})
    told("data", "start")
    values = yaml.safe_load((new_project.root / "params.yaml").read_text())
    assert values["tuned"]["production"]["student"] == {"margin": 0.1}


def test_ingest_tells_of_each_file(project: Project) -> None:
    project.drop("bad.csv", "source,target\nn0,nobody\n")
    project.drop("good.csv", "source,target\nn0,n4\n")
    lines = told("ingest").splitlines()
    assert lines[0].startswith("bad.csv: quarantined: data/incoming/bad.csv, column 'target', line 2: expected an id")
    assert lines[1:] == ["good.csv: taken: 1 edge added", "The data is version 2; it was version 1."]
    assert told("ingest") == "Nothing changed. The data is version 2.\n"


def test_log_and_checkout(project: Project) -> None:
    told("ingest", str(project.write("a.csv", "source,target\nn0,n4\n")))
    assert told("data", "checkout", "1") == "The data is version 1.\n"
    told("ingest", str(project.write("b.csv", "id,change\nn0,remove\n")))
    told("data", "checkout", "2")
    lines = [line.split() for line in told("data", "log").splitlines()]
    assert lines[0][:1] == ["version"]
    assert [line[:2] if line[0] == "*" else line[:1] for line in lines[1:]] == [["3"], ["*", "2"], ["1"]]
    assert " ".join(lines[1][2:]) == "7 6 1 node removed, 2 edges removed b.csv after 1"


def test_push_tells_what_was_sent(project: Project, tmp_path: Path) -> None:
    with (project.root / ".dvc/config").open("a") as config:
        config.write(f"    remote = here\n['remote \"here\"']\n    url = {tmp_path / 'remote'}\n")
    assert told("data", "push") == "Sent version 1.\n"
    assert told("data", "push") == "Sent no version.\n"


def test_log_before_there_is_any(new_project: Project) -> None:
    assert told("data", "log") == "There is no version yet. `llp data start` makes the first.\n"


@pytest.mark.parametrize("command", [["ingest"], ["data", "start"], ["data", "log"], ["data", "checkout", "1"]])
def test_outside_of_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^params\.yaml: not found\. Run llp in the project's folder"):
        told(*command)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", [True, False])
def test_ingest_says_what_prefect_was_told(project: Project, monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    announced: list[tuple[int, str]] = []

    def announce(version: int, told: str) -> bool:
        announced.append((version, told))
        return taken

    monkeypatch.setattr("flows.events.announce_ingest", announce)
    output = told("ingest", str(project.write("a.csv", "source,target\nn0,n4\n")))
    assert ("Prefect's server was told" in output) is taken
    assert announced == [(2, "1 edge added")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ingest", "none.csv"], "none.csv: expected a file, found none.\n"),
        (["data", "checkout", "7"], "version 7: no such version of the data; there are 1 to 1.\n"),
    ],
)
def test_what_does_not_work(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert (llp(monkeypatch, *arguments), capsys.readouterr().err) == (3, message)
    assert current_version(project.root) == 1
