"""What a report is made from, and what is missing."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llp_core import paths
from llp_core.errors import InputError
from llp_core.names import SETTINGS
from llp_core.report import ReportContext, load_context
from llp_core.report.context import content_hash, without_folders
from llp_core.store import read_json, write_json
from llp_core.types import Graph


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_context_holds_what_the_stages_wrote(context: ReportContext) -> None:
    assert (context.data.name, context.data.nodes, context.data.edges, context.data.features) == ("debian", 3, 2, 4)
    assert context.data.dropped == {"self loops": 3, "duplicate edges": 5278}
    assert [result.setting for result in context.settings] == list(SETTINGS)
    transductive = context.settings[0]
    assert transductive.methods == ("teacher", "label", "llp")
    assert transductive.evaluation.figures["llp"]["all"]["hits_at_20"] == 0.437
    assert transductive.latency.row("llp", "offline").pairs == 1800
    assert [len(epochs) for epochs in transductive.training["teacher"].candidates.values()] == [20, 20]
    assert transductive.training["llp"].chosen.best_epoch == 12
    assert list(transductive.findings) == ["split", "teacher scores"]


def test_missing_artefacts_are_all_named(project: Path) -> None:
    shutil.rmtree(project / paths.setting_folder("cold_start"))
    shutil.rmtree(project / paths.latency("production"))
    with pytest.raises(InputError) as raised:
        load_context(project, SETTINGS)
    message = str(raised.value)
    assert "data/production/latency, data/cold_start/split, data/cold_start/teacher" in message
    assert "data/transductive" not in message
    assert "llp run-flow full" in message


def test_settings_that_are_ready_can_be_reported_alone(project: Path) -> None:
    shutil.rmtree(project / paths.setting_folder("cold_start"))
    assert [result.setting for result in load_context(project, ["production"]).settings] == ["production"]


def test_a_report_needs_a_setting(project: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        load_context(project, [])


def test_an_artefact_that_lacks_a_field_is_named(project: Path) -> None:
    file = project / paths.teacher("production") / "history.json"
    history = read_json(file)
    del history[3]["loss"]
    write_json(file, history)
    with pytest.raises(InputError, match=r"production/teacher/history\.json: 3\.loss: Field required"):
        load_context(project, ["production"])


def test_commit_is_unknown_outside_a_repository(context: ReportContext) -> None:
    assert (context.commit, context.dirty) == ("unknown", None)


def test_commit_is_unknown_without_git(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(project, "init")
    monkeypatch.setenv("PATH", "")
    assert load_context(project, ["production"]).commit == "unknown"


def test_commit_and_changes(project: Path) -> None:
    git(project, "init")
    ignored = "/data/*\n!/data/live.dvc\n!/data/versions/\n"
    (project / ".gitignore").write_text(ignored, encoding="utf-8")
    git(project, "add", ".")
    git(project, "commit", "-m", "first")
    for name in ("dvc.lock", "models/champion.json", "data/live.dvc", "data/versions/0001.json"):
        written = project / name
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text("made by the run itself\n", encoding="utf-8")
    clean = load_context(project, ["production"])
    assert (clean.commit, clean.dirty) == (git(project, "rev-parse", "HEAD"), False)

    (project / "new.py").touch()
    assert load_context(project, ["production"]).dirty is True


def test_content_hash_sees_every_part() -> None:
    graph = Graph("g", ("a", "b"), torch.eye(2), torch.tensor([[0], [1]]))
    others = [
        replace(graph, node_ids=("a", "c")),
        replace(graph, features=torch.eye(2) + 1),
        replace(graph, features=torch.eye(2).to_sparse_csr()),
        replace(graph, edges=torch.zeros(2, 0, dtype=torch.int64)),
        replace(graph, edge_weight=torch.ones(1)),
        replace(graph, edge_time=torch.ones(1, dtype=torch.int64)),
        replace(graph, node_type=torch.zeros(2, dtype=torch.int64)),
        replace(graph, type_names=("user", "item")),
    ]
    assert content_hash(graph) == content_hash(replace(graph, name="other"))
    assert len({content_hash(each) for each in [graph, *others]}) == 9


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"mirror": "/home/ada/mirror"}, {"mirror": "…/mirror"}),
        (["C:\\Users\\ada\\nodes.csv", "data/nodes.csv", None, 3], ["…/nodes.csv", "data/nodes.csv", None, 3]),
    ],
)
def test_absolute_paths_are_cut(value: object, expected: object) -> None:
    assert without_folders(value) == expected
