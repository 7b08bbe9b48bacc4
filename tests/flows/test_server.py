"""`llp server` with a real server and worker."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
import yaml
from served_project import EVENTS, PATIENCE, Served, served
from untuned_params import copy_untuned

from flows.daemons import wait_until

pytestmark = pytest.mark.slow

FAR = (datetime.now(UTC) + timedelta(hours=12)).replace(minute=0)
FAR_CRON = f"0 {FAR.hour} * * *"
"""No test lasts until then."""
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served") / "project", FAR_CRON) as project:
        assert project.up() == f"It is up: http://127.0.0.1:{project.port}\n"
        yield project


@pytest.fixture
def unserved(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "project", FAR_CRON) as project:
        yield project


def test_what_is_up_is_left_alone(project):
    before = project.pid("server"), project.pid("worker")
    assert project.llp("server", "up").stdout == f"It is up already: http://127.0.0.1:{project.port}\n"
    assert (project.pid("server"), project.pid("worker")) == before


def test_status(project):
    assert wait_until(lambda: "none" not in project.llp("server", "status").stdout, PATIENCE)  # looked for every 5 s
    status = project.llp("server", "status")
    assert status.returncode == 0
    lines = status.stdout.splitlines()
    assert lines[:2] == [f"Address    http://127.0.0.1:{project.port}", "Database   SQLite, .prefect/prefect.db"]
    assert lines[2:4] == [
        f"Server     process {project.pid('server')}",
        f"Worker     process {project.pid('worker')}",
    ]
    assert lines[4] == f"Next runs  {FAR.astimezone():%Y-%m-%d %H:%M %Z}  retrain"


def test_the_page_finds_its_server_on_another_port(project):
    page = httpx.get(f"http://127.0.0.1:{project.port}/")
    assert page.status_code == 200
    assert "<title>" in page.text
    assert httpx.get(f"http://127.0.0.1:{project.port}/ui-settings").json()["api_url"] == project.api


def test_a_run_of_a_deployment_takes_place_in_the_projects_folder(project):
    project.wait_for(project.run("quiet", name="by_hand"), "Completed")
    assert "by_hand" in project.log()


def test_a_flow_of_the_command_line_is_seen_by_the_server(project):
    copy_untuned(project.root)
    run = project.llp("run-flow", "full")
    assert run.returncode == 3
    assert "dvc.yaml: not found" in run.stderr  # told by the flow itself
    failed = project.runs("Failed")
    assert ["dvc.yaml: not found" in (run.state.message or "") for run in failed] == [True]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_starts_a_deployment(project, event):
    program = "import sys, flows; from prefect.events import emit_event; " + (
        "emit_event(sys.argv[1], resource={'prefect.resource.id': 'llp.data'})"
    )
    before = len(project.log())
    assert project.execute(sys.executable, "-c", program, event).returncode == 0
    assert wait_until(lambda: len(project.log()) > before, PATIENCE)
    assert project.log()[before:] == ["retrain"]


def test_runs_of_a_deployment_with_a_limit_do_not_overlap(project):
    first = project.run("retrain", name="first", seconds=20)
    project.wait_for(first, "Running")
    second = project.run("retrain", name="second")
    project.wait_for(second, "AwaitingConcurrencySlot")
    assert project.state(first) == "Running"
    project.wait_for(second, "Completed")
    assert project.state(first) == "Completed"
    assert project.log()[-2:] == ["first", "second"]


def test_all_is_there_after_kills_and_restarts(project):
    with project.client() as client:
        wanted = client.read_deployment_by_name("tiny/retrain")
        schedule = wanted.schedules[0]
        client.update_deployment_schedule(wanted.id, schedule.id, active=False)
    deployments, automations = project.deployments(), project.automations()
    assert [(name, limit, [each[1:] for each in schedules]) for name, _, limit, schedules in deployments] == [
        ("quiet", None, []),
        ("retrain", 1, [("nightly", False)]),
    ]
    assert automations == [("on new data or drift", EVENTS)]
    project.wait_for(project.run("quiet", name="before"), "Completed")
    done = {run.id for run in project.runs("Completed")}

    os.kill(project.pid("server"), signal.SIGKILL)
    assert wait_until(lambda: project.llp("server", "status").returncode == 3, PATIENCE)
    assert "The server is down" in project.llp("server", "status").stderr
    project.up()
    os.kill(project.pid("worker"), signal.SIGKILL)
    assert wait_until(lambda: project.llp("server", "status").returncode == 3, PATIENCE)
    assert "worker does not run" in project.llp("server", "status").stderr
    project.up()
    assert project.llp("server", "down").stdout == "It is down.\n"
    assert project.llp("server", "down").stdout == "It was down already.\n"
    project.up()

    assert project.deployments() == deployments
    assert project.automations() == automations
    assert {run.id for run in project.runs("Completed")} == done
    project.wait_for(project.run("quiet", name="after"), "Completed")


def test_a_run_in_progress_is_cancelled_when_the_worker_is_stopped(project):
    run = project.run("quiet", name="long", seconds=600)
    project.wait_for(run, "Running")
    assert wait_until(lambda: project.log()[-1] == "long", PATIENCE)
    assert project.llp("server", "down").returncode == 0
    project.up()
    assert project.state(run) == "Cancelled"


def test_a_run_whose_process_is_gone_with_its_worker_is_given_up(project):
    run = project.run("quiet", name="lost", seconds=600)
    project.wait_for(run, "Running")
    assert wait_until(lambda: project.log()[-1] == "lost", PATIENCE)
    os.killpg(project.pid("worker"), signal.SIGKILL)  # as a loss of power does
    assert project.llp("server", "up").stdout.startswith("It is up: ")
    assert project.state(run) == "Crashed"


def test_a_run_outlives_a_worker_that_was_killed(project):
    run = project.run("quiet", name="orphan", seconds=40)
    project.wait_for(run, "Running")
    os.kill(project.pid("worker"), signal.SIGKILL)
    project.up()
    assert project.state(run) == "Running"
    project.wait_for(run, "Completed")


def test_a_run_that_outlived_its_worker_ends_with_the_server(project):
    run = project.run("quiet", name="left", seconds=600)
    project.wait_for(run, "Running")
    assert wait_until(lambda: project.log()[-1] == "left", PATIENCE)
    process = psutil.Process(int((project.root / "runs.log").read_text().splitlines()[-1].split()[1]))
    os.kill(project.pid("worker"), signal.SIGKILL)
    assert project.llp("server", "down").returncode == 0
    assert not process.is_running()
    project.up()
    assert project.state(run) == "Crashed"


def test_another_port_takes_the_worker_along(unserved):
    project = unserved
    project.up()
    former = project.pid("worker")
    os.kill(project.pid("server"), signal.SIGKILL)
    moved = Served(project.root, project.port + 1)
    assert wait_until(lambda: moved.llp("server", "status").returncode == 3, PATIENCE)
    assert moved.up() == f"It is up: {moved.api.removesuffix('/api')}\n"
    assert moved.pid("worker") != former
    moved.wait_for(moved.run("quiet", name="moved"), "Completed")


def test_a_server_with_a_password(unserved):
    password = dict.fromkeys(("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"), "admin:1234")
    project = Served(unserved.root, unserved.port, password)
    project.up()
    assert httpx.post(f"{project.api}/deployments/filter", json={}, timeout=60).status_code == 401
    assert project.llp("server", "status").returncode == 0
    assert project.llp("server", "down").returncode == 0


def test_a_port_that_is_taken(unserved):
    with socket.socket() as other:
        other.bind(("127.0.0.1", unserved.port))
        other.listen()
        refused = unserved.llp("server", "up", "--port", str(unserved.port))
    assert refused.returncode == 3
    assert refused.stderr.startswith(f"Port {unserved.port}: another program has it")
    assert unserved.llp("server", "status").returncode == 3


def test_a_folder_that_is_no_project(unserved):
    (unserved.root / "prefect.yaml").unlink()
    refused = unserved.llp("server", "up", "--port", str(unserved.port))
    assert refused.returncode == 3
    assert refused.stderr.startswith(f"{unserved.root / 'prefect.yaml'}: not found.")


def test_a_deployment_that_does_not_hold_leaves_nothing_running(unserved):
    (unserved.root / "tiny_flow.py").unlink()
    refused = unserved.llp("server", "up", "--port", str(unserved.port))
    assert refused.returncode == 3
    assert "prefect.yaml: Prefect does not accept it:" in refused.stderr
    assert "tiny_flow.py" in refused.stderr
    assert unserved.llp("server", "down").stdout == "It was down already.\n"


def test_the_number_of_another_process_is_not_taken_for_the_servers(unserved):
    home = unserved.root / ".prefect"
    home.mkdir()
    (home / "server.json").write_text(f'{{"port": {unserved.port}, "database": "SQLite"}}')
    for name in ("server", "worker"):
        (home / f"{name}.lock").write_text(str(os.getpid()))
    assert "The server is down" in unserved.llp("server", "status").stderr
    assert unserved.llp("server", "down").stdout == "It was down already.\n"  # and this test still runs


def test_a_cron_fires_within_two_minutes(tmp_path):
    with served(tmp_path / "project", "* * * * *") as project:
        project.up()
        assert wait_until(lambda: project.log() == ["retrain"], 120)
        assert any(run.auto_scheduled for run in project.runs())


def test_each_deployment_of_the_real_project_names_a_flow():
    from prefect.flows import load_flow_from_entrypoint

    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    names = {each["name"]: load_flow_from_entrypoint(str(ROOT / each["entrypoint"])).name for each in deployments}
    assert names == {name: name for name in ("full", "retrain", "paper", "tune")}
