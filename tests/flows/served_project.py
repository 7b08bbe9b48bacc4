"""A project of its own with a real Prefect server and worker, started by `llp server up`."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from flows.daemons import wait_until

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

PATIENCE = 240.0
"""Seconds: the machine may be busy."""
EVENTS = ["llp.data.ingested", "llp.drift.detected"]


@dataclass(frozen=True)
class Served:
    """The project's folder, the port of its server, and what to ask of both."""

    root: Path
    port: int
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def llp(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `llp` in the project's folder."""
        return self.execute(str(Path(sys.executable).with_name("llp")), *arguments)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a program in the project's folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return subprocess.run(command, cwd=self.root, env=kept | self.variables, capture_output=True, text=True)

    def up(self) -> str:
        """Starts server and worker; what it printed."""
        done = self.llp("server", "up", "--port", str(self.port))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pid(self, name: str) -> int:
        """Process number of "server" or "worker"."""
        return int((self.root / ".prefect" / f"{name}.lock").read_text())

    def client(self) -> "SyncPrefectClient":
        from prefect.client.orchestration import SyncPrefectClient

        return SyncPrefectClient(self.api)

    def runs(self, state: str | None = None) -> "list[FlowRun]":
        """Runs in a state, or all that have begun."""
        with self.client() as client:
            runs = client.read_flow_runs(limit=200)
        return [run for run in runs if run.state and (run.state.name == state if state else run.start_time)]

    def run(self, deployment: str, **parameters: Any) -> "FlowRun":
        """Has the worker run a deployment."""
        with self.client() as client:
            wanted = client.read_deployment_by_name(f"tiny/{deployment}")
            return client.create_flow_run_from_deployment(wanted.id, parameters=parameters)

    def state(self, run: "FlowRun") -> str:
        with self.client() as client:
            state = client.read_flow_run(run.id).state
        return state.name if state else ""

    def wait_for(self, run: "FlowRun", state: str) -> None:
        assert wait_until(lambda: self.state(run) == state, PATIENCE), self.state(run)

    def log(self) -> list[str]:
        """Names of the runs so far."""
        log = self.root / "runs.log"
        return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []

    def deployments(self) -> list[tuple[str, str, int | None, list[tuple[str, str, bool]]]]:
        """Name, id, concurrency limit, and schedules (id, slug, active) of each."""
        answer = httpx.post(f"{self.api}/deployments/filter", json={}, timeout=60).json()
        return sorted(
            (
                each["name"],
                each["id"],
                (each["global_concurrency_limit"] or {}).get("limit"),
                [(schedule["id"], schedule["slug"], schedule["active"]) for schedule in each["schedules"]],
            )
            for each in answer
        )

    def automations(self) -> list[tuple[str, list[str]]]:
        """Name, and the events that it waits for, of each."""
        answer = httpx.post(f"{self.api}/automations/filter", json={}, timeout=60).json()
        return [(each["name"], sorted(each["trigger"]["expect"])) for each in answer]


@contextmanager
def served(root: Path, cron: str, **variables: str) -> Iterator[Served]:
    """A new project, not yet served. At the end server and worker are stopped."""
    root.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("tiny_flow.py"), root)
    (root / "prefect.yaml").write_text(_deployments(cron))
    project = Served(root, free_port(), variables)
    try:
        yield project
    finally:
        project.llp("server", "down")


def _deployments(cron: str) -> str:
    shared = {"entrypoint": "tiny_flow.py:tiny", "work_pool": {"name": "llp"}}
    retrain = {
        "name": "retrain",
        "parameters": {"name": "retrain"},
        "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"},
        "schedules": [{"slug": "nightly", "cron": cron, "timezone": "UTC"}],
        "triggers": [{"name": "on new data or drift", "enabled": True, "expect": EVENTS}],
    }
    pull = [{"prefect.deployments.steps.set_working_directory": {"directory": "{{ $PWD }}"}}]
    return yaml.safe_dump({"pull": pull, "deployments": [{"name": "quiet"} | shared, retrain | shared]})


def free_port() -> int:
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        return int(attempt.getsockname()[1])
