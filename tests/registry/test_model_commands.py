"""`llp model ...`: what it prints, what it changes, and how it ends."""

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from candidate_project import ROOT, change, nudge, sabotage
from typer.testing import CliRunner

from llp_core import paths
from llp_core.cli.app import app
from llp_core.errors import InputError, Refused
from llp_core.models import NodeFeatures, load_model
from llp_core.registry import champion, promote, register
from llp_core.registry.versions import read_state
from llp_core.store import load
from llp_core.types import Graph


def llp(*arguments: str) -> str:
    """What a command prints; its error is raised."""
    result = CliRunner().invoke(app, ["model", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def failing(kind: type[Exception], message: str, *arguments: str) -> str:
    """What a command prints that ends in an error."""
    result = CliRunner().invoke(app, ["model", *arguments])
    assert type(result.exception) is kind
    assert message in str(result.exception)
    return result.output


@pytest.fixture
def two(project: Path) -> Path:
    """A project with versions 1 and 2, the second one in use."""
    promote(project, register(project), "the first")
    nudge(project)
    change(project, {"student": {"max_epochs": 41}})
    promote(project, register(project), "a little better")
    return project


def test_list_and_history(two: Path) -> None:
    header, first, second = llp("list").splitlines()
    assert header.split() == ["version", "made", "data", "transductive", "production", "cold_start"]
    assert first.split()[:1] == ["1"]
    assert second.split()[:3] == ["in", "use", "2"]
    assert "files" in second
    lines = [line.split(maxsplit=1)[1] for line in llp("history").splitlines()]
    assert lines == ["- -> 1      promoted      the first", "1 -> 2      promoted      a little better"]


def test_versions_of_another_release_are_listed(two: Path) -> None:
    """A setting that came later is missing there, and one that went is too many; what was served is known."""
    path = two / "models/v0001/params.yaml"
    path.write_text(path.read_text().replace("decoder: mlp", "gone: 1"))
    before, _ = (line.split() for line in llp("list").splitlines()[1:])
    assert before[0] == "1"
    assert float(before[-1]) > 0
    path.write_text("gate: {}")
    _, before, after = failing(
        InputError, "models/v0001/params.yaml: it does not say which method is served", "list"
    ).splitlines()
    assert before.split() == ["damaged", "1"]
    assert after.split()[:3] == ["in", "use", "2"]


def test_versions_are_listed_beside_one_that_lacks_its_figures(two: Path) -> None:
    (two / "models/v0002/production/metrics.json").unlink()
    _, before, after = failing(InputError, "models/v0002/production/metrics.json", "list").splitlines()
    assert before.split()[0] == "1"
    assert after.split() == ["damaged", "2"]
    (two / "models/v0001/params.yaml").write_text("gate: {}")
    for fault in ("models/v0001/params.yaml: ", "models/v0002/production/metrics.json"):
        told = failing(InputError, fault, "list").splitlines()[1:]
        assert [line.split() for line in told] == [["damaged", "1"], ["damaged", "2"]]


@pytest.mark.parametrize("command", ["list", "show", "history", "diff 1 2", "judge", "promote 1", "rollback", "pull"])
def test_outside_of_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert failing(InputError, "params.yaml: not found. Run llp in the project's folder", *command.split()) == ""
    assert list(tmp_path.iterdir()) == []


def test_show(two: Path) -> None:
    assert llp("show").startswith("# Model v0002\n")
    assert llp("show", "1").startswith("# Model v0001\n")
    (two / "models/v0001/CARD.md").write_text("")
    failing(InputError, "CARD.md was changed", "show", "1")


def test_diff(two: Path) -> None:
    lines = [line.split() for line in llp("diff", "1", "2").splitlines()]
    assert lines[0] == ["version", "1", "version", "2"]
    assert ["student.max_epochs", "40", "41"] in lines
    assert all(line[0] in ("version", "made", "student.max_epochs") for line in lines)
    failing(InputError, "version 7 of the models: not found in models; there are 1, 2", "diff", "1", "7")


def test_rollback_and_promotion_by_hand(two: Path) -> None:
    assert llp("rollback", "--why", "complaints") == "Version 1 is in use.\n"
    assert llp("promote", "2") == "Version 2 is in use.\n"
    state = read_state(two)
    assert state is not None
    assert [event.why for event in state.history] == ["the first", "a little better", "complaints", "by hand"]
    failing(InputError, "version 9 of the models: not found", "promote", "9")


def test_export(two: Path) -> None:
    told = llp("export", "one.onnx", "--version", "1", "--setting", "cold_start")
    assert told == f"Version 1, cold_start, llp, float32: {two / 'one.onnx'}\n"
    llp("export", "two.onnx")
    features = load(Graph, two / paths.GRAPH).features.to_dense()
    pairs = torch.tensor([[0, 1, 2], [5, 5, 9]])
    scores = {}
    for name, folder in (("one.onnx", "v0001/cold_start/llp"), ("two.onnx", "v0002/production/llp")):
        model = load_model(two / "models" / folder)
        session = onnxruntime.InferenceSession(two / name)
        (scores[name],) = session.run(["scores"], {"features": features[pairs.flatten()].numpy()})
        with torch.inference_mode():
            expected = model.score(model.encode(NodeFeatures.of(features)), pairs)
        torch.testing.assert_close(torch.from_numpy(scores[name]), expected, rtol=1e-4, atol=1e-5)
    assert not (scores["one.onnx"] == scores["two.onnx"]).all()
    failing(InputError, "no/where.onnx: not a file in a folder that exists.", "export", "no/where.onnx")
    failing(InputError, "version 7 of the models: not found", "export", "seven.onnx", "--version", "7")
    assert not (two / "seven.onnx").exists()


def test_export_in_int8(two: Path) -> None:
    told = llp("export", "bytes.onnx", "--precision", "int8")
    assert told == f"Version 2, production, llp, int8: {two / 'bytes.onnx'}\n"
    features = load(Graph, two / paths.GRAPH).features.to_dense()
    pairs = torch.randint(len(features), (2, 200), generator=torch.Generator().manual_seed(0))
    model = load_model(two / "models/v0002/production/llp")
    (scores,) = onnxruntime.InferenceSession(two / "bytes.onnx").run(
        ["scores"], {"features": features[pairs.flatten()].numpy()}
    )
    with torch.inference_mode():
        expected = model.score(model.encode(NodeFeatures.of(features)), pairs)
    assert np.corrcoef(scores, expected)[0, 1] > 0.99


def test_with_nothing_in_use_it_says_what_to_do(project: Path) -> None:
    assert llp("list").splitlines()[-1] == "No model is in use. `llp model promote` judges what the last run left."
    assert llp("history") == ""
    failing(InputError, "No model is in use. `llp model promote`", "show")
    failing(InputError, "nothing to roll back to", "rollback")


@pytest.fixture
def recorded(project: Path) -> Path:
    """A project whose run DVC has recorded, but for the report."""
    from dvc.repo import Repo

    shutil.copy(ROOT / "dvc.yaml", project)
    Repo.init(str(project), no_scm=True).close()
    record(project)
    return project


def record(root: Path) -> None:
    """Has DVC take what is there for what the stages made."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        for stage in [
            stage for stage in repo.index.stages if stage.addressing != "report" and not stage.is_data_source
        ]:
            repo.commit(force=True, target=stage.addressing)


def test_what_the_last_run_left_goes_through_the_gate(recorded: Path) -> None:
    assert "**The candidate passes all " in llp("judge")
    assert champion(recorded) is None
    assert llp("promote").endswith("Version 1 is in use.\n")

    sabotage(recorded)
    failing(InputError, "student@transductive", "judge")
    record(recorded)
    printed = failing(Refused, "rules, and version 1 stays in use.", "promote")
    assert "- transductive, all, Hits@20: " in printed
    assert Refused.exit_code == 6
    assert llp("list").count("\n") == 2

    change(recorded, {"contexts": {"rounds": 3}})
    failing(InputError, "Run `llp run-flow full` first", "promote")
