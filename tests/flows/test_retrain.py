"""Retraining through the command line: a small graph, few epochs, real stages, gate, registry, DVC and Prefect."""

import base64
import errno
import json
import re
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from retrain_project import (
    DIE,
    NEW_NODES,
    POINTS,
    Ended,
    Nightly,
    artifacts,
    drift_events,
    last_run,
    started,
    state_of,
)
from tiny_project import ROOT

from flows import full as full_module
from flows import retrain as retrain_module
from flows.daemons import wait_until
from llp_core.config import load_params
from llp_core.errors import InputError
from llp_core.gate import judge
from llp_core.live import current_version, versions
from llp_core.locks import locked
from llp_core.registry import numbers, read_version, version_folder
from llp_core.registry.smoke import smoke_test
from llp_core.retraining import drift_since_champion

pytestmark = pytest.mark.usefixtures("prefect_server")

LENIENT = {"gate": {"tolerance": 0.99}}
"""Lets all but anything pass."""
SABOTAGE = {"student": {"max_epochs": 1, "start": "fresh", "learning_rate": 1e-9}}
ANY_DRIFT = {"gate": {"max_psi": 1e-6}}
"""Any change of the data is one."""


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
def refused(first: Night, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """After a night with new data, one poisoned file, and a training that was sabotaged."""
    project = first.project.copy(tmp_path_factory.mktemp("refused") / "project")
    project.drop_new_data()
    project.change(SABOTAGE | ANY_DRIFT)
    return Night(project, project.retrain(), last_run())


@pytest.fixture(scope="module")
def promoted(refused: Night, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """After the next one, by a gate that lets the same models pass."""
    project = refused.project.copy(tmp_path_factory.mktemp("promoted") / "project")
    project.change(LENIENT)
    return Night(project, project.retrain(), last_run())


@pytest.fixture
def no_stage_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(name: str, setting: str | None) -> None:
        raise AssertionError(f"{name} of {setting} ran")

    monkeypatch.setattr(full_module, "run_stage", never)


def test_the_first_model_is_judged_by_floors(first: Night) -> None:
    assert first.ended.code == 0, first.ended.err
    assert first.ended.out.splitlines()[-1].startswith("Promoted. The candidate passes all ")
    assert state_of(first.run) == ("COMPLETED", "Promoted")
    verdict = json.loads(first.project.decision("verdict.json"))["verdict"]
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


@pytest.mark.usefixtures("no_stage_runs")
def test_a_gate_that_could_not_judge_is_told_before_the_training(first: Night, tmp_path: Path) -> None:
    project = first.project.copy(tmp_path / "project")
    project.drop_new_data()
    project.change({"gate": {"method": "rank"}})
    ended = project.retrain()
    assert ended.code == 3
    assert "gate.method is rank, which student.methods does not train. Add it there, or choose one of llp." in ended.err
    assert current_version(project.root) == 1


def test_new_data_that_no_training_sees_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data" / "incoming").mkdir(parents=True)
    params = load_params(ROOT / "params.yaml")  # of a data set that does not change
    retrain_module._warn_of_idle_data(tmp_path, params, None)
    assert caplog.text == ""
    (tmp_path / "data" / "incoming" / "nodes.csv").touch()
    retrain_module._warn_of_idle_data(tmp_path, params, None)
    assert "data/incoming holds files, but there is no live data" in caplog.text
    retrain_module._warn_of_idle_data(tmp_path, params, 1)
    assert "params.yaml names other data than data/live" in caplog.text


def test_new_data_is_taken_and_a_poisoned_file_is_not(refused: Night) -> None:
    root = refused.project.root
    before, after = versions(root)
    assert after.nodes == before.nodes + NEW_NODES
    assert [source.name for source in after.sources] == ["day-nodes.csv", "day-edges.csv"]
    assert not list((root / "data" / "incoming").iterdir())
    assert sorted(path.name for path in (root / "data" / "quarantine").iterdir()) == [
        "poisoned.csv",
        "poisoned.csv.reason.txt",
    ]
    assert "nobody-knows-it" in (root / "data" / "quarantine" / "poisoned.csv.reason.txt").read_text()
    assert "nobody-knows-it" in refused.ended.err


def test_a_worse_model_is_refused(first: Night, refused: Night) -> None:
    assert refused.ended.code == 6, refused.ended.err
    assert re.search(r"^- production, all, Hits@20: .* worse by more than chance$", refused.ended.out, re.MULTILINE)
    assert refused.ended.out.splitlines()[-1].endswith("and version 1 stays in use.")
    assert state_of(refused.run) == ("COMPLETED", "Refused")
    assert refused.project.champion() == first.project.champion()
    assert numbers(refused.project.root) == [1]
    smoke_test(version_folder(refused.project.root, 1))


@pytest.mark.usefixtures("no_stage_runs")
def test_what_was_refused_is_not_judged_again(refused: Night, tmp_path: Path) -> None:
    project = refused.project.copy(tmp_path / "project")
    again = project.retrain()
    assert again.code == 0
    assert re.search(r"^Nothing to do\. Nothing changed, and the gate refused them: data/retraining/", again.out)
    assert project.champion()["version"] == 1


def test_another_rule_has_it_judged_again(promoted: Night) -> None:
    assert promoted.ended.code == 0, promoted.ended.err
    assert state_of(promoted.run) == ("COMPLETED", "Promoted")
    assert promoted.project.champion()["version"] == 2
    assert numbers(promoted.project.root) == [1, 2]
    used = read_version(promoted.project.root, 2).data
    assert (used.version, used.nodes) == (2, read_version(promoted.project.root, 1).data.nodes + NEW_NODES)


def test_drift_is_kept_beside_the_verdict(refused: Night) -> None:
    drift = json.loads(refused.project.decision("drift.json"))
    assert (drift["new_nodes"], drift["new_edges"], drift["among_new"]) == (NEW_NODES, 2 * NEW_NODES - 1, NEW_NODES - 1)
    verdict = json.loads(refused.project.decision("verdict.json"))["verdict"]
    assert (verdict["promoted"], verdict["champion"], verdict["against"]) == (False, 1, "version 1")


def test_prefect_shows_what_was_found_and_decided(refused: Night) -> None:
    shown = artifacts(refused.run)
    assert {"new-data", "drift", "verdict", "report"} <= shown.keys()
    files = {row["file"]: row for row in json.loads(shown["new-data"].data)}
    assert {name: row["what became of it"] for name, row in files.items()} == {
        "day-edges.csv": "taken",
        "day-nodes.csv": "taken",
        "poisoned.csv": "quarantined",
    }
    assert "nobody-knows-it" in files["poisoned.csv"]["why"]
    assert shown["drift"].data == refused.project.decision("drift.md")
    headline = refused.ended.out.splitlines()[-1].removeprefix("Refused. ")
    assert f"**{headline}**" in shown["verdict"].data
    assert shown["verdict"].description == headline
    (picture,) = re.findall(r"\(data:image/png;base64,([^)]+)\)", shown["verdict"].data)
    assert base64.b64decode(picture, validate=True).startswith(b"\x89PNG")
    assert (refused.project.root / "data" / "report" / "index.html").as_uri() in shown["report"].data


def test_drift_is_an_event_once_it_was_dealt_with(
    refused: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wait_until(lambda: bool(drift_events(refused.run)), 30)
    (event,) = drift_events(refused.run)
    assert event["payload"]["shares"]["new nodes"] == pytest.approx(NEW_NODES / (400 + NEW_NODES))

    def fails(name: str, setting: str | None) -> None:
        raise RuntimeError("told to fail")

    told: list[str] = []
    monkeypatch.setattr(retrain_module, "emit_event", lambda name, **_: told.append(name))
    monkeypatch.setattr(full_module, "run_stage", fails)
    project = refused.project.copy(tmp_path / "project")
    project.change({"student": {"margin": 0.2}})
    assert project.retrain().code == 5
    assert "drift" in artifacts(last_run())
    assert told == []  # the event starts a retraining, which would fail too, and so on


@pytest.mark.usefixtures("no_stage_runs")
def test_drift_that_cannot_be_known_keeps_nothing_else_back(
    refused: Night, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = refused.project.copy(tmp_path / "project")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site_cache"))
    params = load_params(project.root / "params.yaml")
    assert drift_since_champion(project.root, params) is not None
    shutil.rmtree(project.root / ".dvc" / "cache")
    assert retrain_module.find_drift.fn(project.root, params) is None
    assert "What has drifted is not known: " in caplog.text


@pytest.mark.usefixtures("no_stage_runs")
def test_drift_from_data_that_no_version_holds_is_not_known(
    refused: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = refused.project.copy(tmp_path / "project")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site_cache"))
    params = load_params(project.root / "params.yaml")
    shutil.rmtree(project.root / "data" / "versions")  # the version in use records itself again
    with pytest.raises(InputError, match="version 1 of the models was made of live data that no version here holds"):
        drift_since_champion(project.root, params)


@pytest.mark.usefixtures("no_stage_runs")
def test_a_full_disk_while_looking_for_drift_keeps_nothing_else_back(
    refused: Night, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    project = refused.project.copy(tmp_path / "project")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site_cache"))
    monkeypatch.setattr("llp_core.retraining.extract", fail)
    assert retrain_module.find_drift.fn(project.root, load_params(project.root / "params.yaml")) is None
    assert "What has drifted is not known: [Errno 28] No space left on device" in caplog.text
    assert not list((project.root / "data" / "retraining").glob(".*"))


def test_the_data_that_models_were_made_of_is_noted_and_not_what_came_since(
    first: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = first.project.copy(tmp_path / "project")
    shutil.rmtree(project.root / "models")
    project.drop_new_data()
    project.llp("ingest")
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site_cache"))
    assert current_version(project.root) == 2
    verdict = judge(project.root, load_params(project.root / "params.yaml"))
    assert retrain_module.put_in_use.fn(project.root, verdict) == 1
    assert project.champion()["why"].endswith(" Made of version 1 of the data.")


@pytest.mark.usefixtures("no_stage_runs")
def test_a_model_that_was_taken_back_stays_back(promoted: Night, tmp_path: Path) -> None:
    project = promoted.project.copy(tmp_path / "project")
    assert project.llp("model", "rollback", "--why", "it was odd").code == 0
    assert project.champion()["version"] == 1
    again = project.retrain()
    assert again.code == 0
    told = "version 2 of the models is what they are; it was in use and gave way: it was odd."
    assert again.out.splitlines()[-1].endswith(told)
    assert project.champion()["version"] == 1
    assert numbers(project.root) == [1, 2]


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


def test_a_fault_is_not_taken_for_another_retraining(
    first: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more_processes(root: Path) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(retrain_module, "stage_status", no_more_processes)
    ended = first.project.copy(tmp_path / "project").retrain()
    assert ended.code == 1
    assert "Resource temporarily unavailable" in ended.err


@pytest.mark.usefixtures("no_stage_runs")
def test_kill_as_a_model_comes_into_use(first: Night, tmp_path: Path) -> None:
    project = first.project.copy(tmp_path / "project")
    shutil.rmtree(project.root / "models")  # as it was before the gate
    shutil.rmtree(project.root / "data" / "retraining")
    assert project.run(DIE, "switched") == -signal.SIGKILL
    assert (project.champion()["version"], project.champion()["tested"]) == (1, False)
    assert project.retrain().out.splitlines()[-1].endswith("version 1 of the models is what they are, and in use.")
    assert project.outcome() == first.project.outcome()


@pytest.fixture(scope="module")
def undisturbed(first: Night, tmp_path_factory: pytest.TempPathFactory) -> Nightly:
    """After a night with new data that nothing disturbed."""
    project = grown(first, tmp_path_factory.mktemp("undisturbed") / "project")
    assert project.retrain().code == 0
    return project


def grown(first: Night, target: Path) -> Nightly:
    project = first.project.copy(target)
    project.change(LENIENT)
    project.drop_new_data()
    return project


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_kill_at_each_step(point: str, first: Night, undisturbed: Nightly, tmp_path: Path) -> None:
    project = grown(first, tmp_path / "project")
    assert project.run(DIE, point) == -signal.SIGKILL
    assert project.champion()["version"] == (2 if point == "switched" else 1)
    assert project.retrain().code == 0
    assert project.outcome() == undisturbed.outcome()
