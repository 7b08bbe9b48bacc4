"""Retraining through the command line: a small graph, few epochs, real stages, gate, registry, DVC and Prefect."""

import base64
import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from retrain_project import NEW_NODES, Ended, Nightly, started

from flows import full as full_module
from llp_core.live import current_version, versions
from llp_core.locks import locked
from llp_core.registry import numbers, read_version, version_folder
from llp_core.registry.smoke import smoke_test

pytestmark = [
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),
]

ANY = {"gate": {"tolerance": 1.0}}
SABOTAGE = {"student": {"max_epochs": 1, "start": "fresh", "learning_rate": 1e-9}}

# Dies at a point of the flow.
DIE = """
import os, signal, sys
import flows
from flows import full, retrain
from llp_core import progress
from llp_core.cli import main
from llp_core.registry import champion
from llp_core.training.checkpoint import Checkpoint

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_in_training(stage):
    run_stage, advance = full.run_stage, progress.Progress.advance
    def run(name, setting):
        if name == stage:
            Checkpoint.due = lambda self: True
            progress.Progress.advance = lambda self, *a, **k: (advance(self, *a, **k), self.done == 3 and die())[0]
        run_stage(name, setting)
    full.run_stage = run

point = sys.argv[1]
if point == "ingested":
    retrain.stage_status = die
elif point in ("teacher", "student"):
    die_in_training(point)
elif point == "trained":
    retrain.judge = die
elif point == "decided":
    retrain.show_verdict = die
elif point == "registered":
    retrain.promote = die
elif point == "switched":
    champion._test = die
sys.argv = ["llp", "run-flow", "retrain"]
main()
"""
POINTS = ("ingested", "teacher", "student", "trained", "decided", "registered", "switched")


@dataclass(frozen=True)
class Night:
    """A project after a retraining, and what is known of that. Not to be changed: tests work on copies."""

    project: Nightly
    ended: Ended
    run: UUID


@pytest.fixture(scope="module")
def first(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """After the first retraining, with no model in use before."""
    project = started(tmp_path_factory.mktemp("first") / "project")
    return Night(project, project.retrain(), last_run())


@pytest.fixture(scope="module")
def grown(first: Night, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """After a second one, with new data and one poisoned file, by a gate that lets anything pass."""
    project = first.project.copy(tmp_path_factory.mktemp("grown") / "project")
    project.change(ANY | {"gate": {"tolerance": 1.0, "max_psi": 1e-6}})
    project.drop_new_data()
    return Night(project, project.retrain(), last_run())


@pytest.fixture
def no_stage_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(name: str, setting: str | None) -> None:
        raise AssertionError(f"{name} of {setting} ran")

    monkeypatch.setattr(full_module, "run_stage", never)


def client() -> Any:
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True)


def last_run() -> UUID:
    """Of the retraining."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    with client() as prefect:
        flow = FlowFilter(name=FlowFilterName(any_=["retrain"]))
        (run,) = prefect.read_flow_runs(flow_filter=flow, sort=FlowRunSort.START_TIME_DESC, limit=1)
    return UUID(str(run.id))


def state_of(run: UUID) -> tuple[str, str]:
    with client() as prefect:
        state = prefect.read_flow_run(run).state
    return state.type.value, state.name


def artifacts(run: UUID) -> dict[str, Any]:
    """Key -> artifact."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    with client() as prefect:
        found = prefect.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run])))
    return {artifact.key: artifact for artifact in found}


def test_the_first_model_is_judged_by_floors(first: Night) -> None:
    assert first.ended.code == 0, first.ended.err
    assert first.ended.out.splitlines()[-1].startswith("Promoted. The candidate passes all ")
    assert state_of(first.run) == ("COMPLETED", "Promoted")
    verdict = first.project.decision("verdict.json")["verdict"]
    assert verdict["champion"] is None
    assert [rule["bound"] for rule in verdict["rules"] if "floor" in rule["name"]] == [0.01, 0.001] * 3
    state = first.project.champion()
    assert (state["version"], state["previous"], state["tested"]) == (1, None, True)
    assert read_version(first.project.root, 1).data.version == 1


@pytest.mark.usefixtures("no_stage_runs")
def test_where_nothing_changed_there_is_nothing_to_do(first: Night, tmp_path: Path) -> None:
    project = first.project.copy(tmp_path / "project")
    before = project.outcome()
    again = project.retrain()
    assert again.code == 0
    told = "Nothing to do. Nothing changed, and version 1 of the models is what they are, and in use."
    assert again.out.splitlines()[-1] == told
    assert state_of(last_run()) == ("COMPLETED", "Nothing to do")
    assert project.outcome() == before


def test_new_data_is_trained_on_and_a_poisoned_file_is_not(grown: Night) -> None:
    project = grown.project
    assert grown.ended.code == 0, grown.ended.err
    assert state_of(grown.run) == ("COMPLETED", "Promoted")
    assert numbers(project.root) == [1, 2]
    assert project.champion()["version"] == 2
    used = read_version(project.root, 2).data
    assert (used.version, used.nodes) == (2, read_version(project.root, 1).data.nodes + NEW_NODES)
    (*_, taken) = versions(project.root)
    assert [source.name for source in taken.sources] == ["day-edges.csv", "day-nodes.csv"]
    assert not list((project.root / "data" / "incoming").iterdir())
    quarantine = project.root / "data" / "quarantine"
    assert sorted(path.name for path in quarantine.iterdir()) == ["poisoned.csv", "poisoned.csv.reason.txt"]
    assert "nobody-knows-it" in (quarantine / "poisoned.csv.reason.txt").read_text()
    assert "nobody-knows-it" in grown.ended.err


def test_drift_is_kept_beside_the_verdict(grown: Night) -> None:
    drift = grown.project.decision("drift.json")
    assert (drift["new_nodes"], drift["new_edges"], drift["among_new"]) == (NEW_NODES, 2 * NEW_NODES - 1, NEW_NODES - 1)
    verdict = grown.project.decision("verdict.json")["verdict"]
    assert (verdict["promoted"], verdict["champion"], verdict["against"]) == (True, 1, "version 1")


def test_prefect_shows_what_was_found_and_decided(grown: Night) -> None:
    shown = artifacts(grown.run)
    assert {"new-data", "drift", "verdict", "report"} <= shown.keys()
    files = {row["file"]: row for row in json.loads(shown["new-data"].data)}
    assert {name: row["what became of it"] for name, row in files.items()} == {
        "day-edges.csv": "taken",
        "day-nodes.csv": "taken",
        "poisoned.csv": "quarantined",
    }
    assert "nobody-knows-it" in files["poisoned.csv"]["why"]
    assert "new" in shown["drift"].data
    headline = grown.ended.out.splitlines()[-1].removeprefix("Promoted. ")
    assert f"**{headline}**" in shown["verdict"].data
    assert shown["verdict"].description == headline
    (picture,) = re.findall(r"\(data:image/png;base64,([^)]+)\)", shown["verdict"].data)
    assert base64.b64decode(picture, validate=True).startswith(b"\x89PNG")
    assert (grown.project.root / "data" / "report" / "index.html").as_uri() in shown["report"].data


@pytest.mark.usefixtures("no_stage_runs")
def test_a_model_that_was_taken_back_stays_back(grown: Night, tmp_path: Path) -> None:
    project = grown.project.copy(tmp_path / "project")
    assert project.llp("model", "rollback", "--why", "it was odd").code == 0
    assert project.champion()["version"] == 1
    again = project.retrain()
    assert again.code == 0
    assert again.out.splitlines()[-1].endswith("version 2 of the models is what they are; it was in use and gave way: it was odd.")
    assert project.champion()["version"] == 1
    assert numbers(project.root) == [1, 2]


def test_a_worse_model_is_refused(first: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = first.project.copy(tmp_path / "project")
    project.change(SABOTAGE)
    before = (project.root / "models" / "champion.json").read_bytes()
    refused = project.retrain()
    assert refused.code == 6, refused.err
    assert re.search(r"^- production, all, Hits@20: .* worse by more than chance$", refused.out, re.MULTILINE)
    assert refused.out.splitlines()[-1].endswith("and version 1 stays in use.")
    assert state_of(last_run()) == ("COMPLETED", "Refused")
    assert (project.root / "models" / "champion.json").read_bytes() == before
    assert numbers(project.root) == [1]
    smoke_test(version_folder(project.root, 1))

    with monkeypatch.context() as patch:
        patch.setattr(full_module, "run_stage", lambda name, setting: pytest.fail(f"{name} ran"))
        again = project.retrain()
    assert again.code == 0
    assert again.out.splitlines()[-1].startswith("Nothing to do. Nothing changed, and the gate refused them: data/retr")

    project.change(ANY)
    relaxed = project.retrain()
    assert relaxed.code == 0
    assert project.champion()["version"] == 2


@pytest.mark.usefixtures("no_stage_runs")
def test_retrainings_do_not_overlap(first: Night, tmp_path: Path) -> None:
    project = first.project.copy(tmp_path / "project")
    project.drop_new_data()
    before = project.files()
    with locked(project.root / "data" / ".retrain.lock"):
        second = project.retrain()
    assert second.code == 7
    assert second.out.splitlines()[-1].startswith("Another retraining is running. ")
    assert state_of(last_run()) == ("COMPLETED", "Another retraining is running")
    assert project.files() == before
    assert current_version(project.root) == 1


@pytest.mark.parametrize("point", ["decided", "switched"])
def test_kill_after_the_pipeline(point: str, first: Night, tmp_path: Path) -> None:
    """The first retraining again, up to the gate."""


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_kill_at_each_step(point: str, first: Night, grown: Night, tmp_path: Path) -> None:
    project = first.project.copy(tmp_path / "project")
    project.change({"gate": {"tolerance": 1.0, "max_psi": 1e-6}})
    project.drop_new_data()
    assert project.run(DIE, point) == -signal.SIGKILL
    assert project.champion()["version"] == (2 if point == "switched" else 1)
    assert project.retrain().code == 0
    assert project.outcome() == grown.project.outcome()
