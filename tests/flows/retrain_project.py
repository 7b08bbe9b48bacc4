"""A small project with live data whose retrainings really run, and what to ask of it."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pandas as pd
import pytest
from candidate_project import change
from llp_command import llp
from tiny_project import ROOT
from untuned_params import copy_untuned

from llp_core.live import versions as data_versions
from llp_core.registry import numbers, open_version, version_folder
from llp_core.registry.smoke import smoke_test

SMALL: dict[str, dict[str, Any]] = {
    "data": {"name": "files"},
    "teacher": {"hidden": 16, "max_epochs": 20},
    "contexts": {"rounds": 2},
    "student": {"hidden": 16, "max_epochs": 20, "methods": ["llp"]},
    "latency": {"pairs": [10], "seconds": 0.01},
    "gate": {"request_pairs": 10, "max_p99_ms": 1000.0, "floor_hits_at_20": 0.01, "floor_mrr": 0.001},
}
NEW_NODES = 20

# Dies at a point of the flow.
DIE = """
import os, signal, sys
import flows
from flows import full, retrain
from llp_core import progress
from llp_core.cli import main
from llp_core.registry import promoting
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
    promoting._test = die
sys.argv = ["llp", "run-flow", "retrain"]
main()
"""
POINTS = ("ingested", "teacher", "student", "trained", "decided", "registered", "switched")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Nightly:
    """The project's folder, and what to do with it and ask of it."""

    root: Path

    def llp(self, *arguments: str) -> Ended:
        """Runs `llp` in this process."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.root)
            patch.setenv("DVC_SITE_CACHE_DIR", self._site_cache)
            code = llp(patch, *arguments)
        return Ended(int(code or 0), out.getvalue(), err.getvalue())

    def retrain(self) -> Ended:
        """Runs `llp run-flow retrain` in this process."""
        return self.llp("run-flow", "retrain")

    def run(self, script: str, *arguments: str) -> int:
        """The exit code of a Python script in a process of its own that uses the tests' Prefect server."""
        from prefect.settings import PREFECT_API_URL

        settings = {"DVC_SITE_CACHE_DIR": self._site_cache, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
        command = [sys.executable, "-c", script, *arguments]
        return subprocess.run(command, cwd=self.root, env=os.environ | settings, timeout=300).returncode

    @property
    def _site_cache(self) -> str:
        return str(self.root / ".dvc" / "site_cache")

    def change(self, changes: dict[str, dict[str, Any]]) -> None:
        """Changes settings in params.yaml."""
        change(self.root, changes)

    def drop(self, name: str, table: pd.DataFrame) -> None:
        """Puts a file where the next retraining finds it."""
        (self.root / "data" / "incoming").mkdir(exist_ok=True)
        table.to_csv(self.root / "data" / "incoming" / name, index=False)

    def drop_new_data(self) -> None:
        """Drops twins of known nodes with their edges, half of these among the twins, and a poisoned file."""
        nodes = pd.read_csv(ROOT / "data" / "embedded" / "example" / "nodes.csv", dtype=str).head(NEW_NODES)
        twins = nodes.assign(id="new-" + nodes["id"])
        known = pd.DataFrame({"source": twins["id"], "target": nodes["id"]})
        among = pd.DataFrame({"source": twins["id"][:-1].to_numpy(), "target": twins["id"][1:].to_numpy()})
        self.drop("day-nodes.csv", twins)
        self.drop("day-edges.csv", pd.concat([known, among]))
        self.drop("poisoned.csv", pd.DataFrame({"source": ["androguard"], "target": ["nobody-knows-it"]}))

    def copy(self, target: Path) -> "Nightly":
        """The same project elsewhere."""
        shutil.copytree(self.root, target)
        return Nightly(target)

    def champion(self) -> dict[str, Any]:
        """What champion.json holds."""
        state: dict[str, Any] = json.loads((self.root / "models" / "champion.json").read_text())
        return state

    def decision(self, name: str) -> str:
        """What the last decision left in a file of this name."""
        folders = (self.root / "data" / "retraining").iterdir()
        return (max(folders, key=lambda path: path.stat().st_mtime_ns) / name).read_text()

    def files(self) -> dict[str, tuple[int, int]]:
        """Size and time of each file but DVC's own: what must stay where nothing is done."""
        found = {path: path.stat() for path in self.root.rglob("*") if path.is_file()}
        own = self.root / ".dvc"
        return {
            str(path.relative_to(self.root)): (stat.st_size, stat.st_mtime_ns)
            for path, stat in found.items()
            if own not in path.parents and path.name != ".lock"
        }

    def outcome(self) -> dict[str, Any]:
        """What must be the same however often a retraining was killed. All that is there is found to be whole."""
        for number in numbers(self.root):
            open_version(self.root, number)
            smoke_test(version_folder(self.root, number))
        state = self.champion()
        assert state["tested"]
        weights = sorted((self.root / "models").rglob("*.safetensors"))
        return {
            "champion": state["version"],
            "switches": [(event["what"], event["version"], event["before"]) for event in state["history"]],
            "registry": sorted(str(path.relative_to(self.root)) for path in (self.root / "models").rglob("*")),
            "weights": {str(path.relative_to(self.root)): path.read_bytes() for path in weights},
            "data": [(each.number, each.after, each.counts, each.files) for each in data_versions(self.root)],
            "decisions": sorted(path.name for path in (self.root / "data" / "retraining").iterdir()),
            "incoming": sorted(path.name for path in (self.root / "data").glob("incoming/*")),
            "quarantine": sorted(path.name for path in (self.root / "data").glob("quarantine/*")),
        }


def started(root: Path) -> Nightly:
    """A new project with live data, whose pipeline has never run."""
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    for name in (".dvc/config", ".dvcignore", ".gitignore", "dvc.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    copy_untuned(root)
    shutil.copytree(ROOT / "data" / "embedded", root / "data" / "embedded")
    project = Nightly(root)
    project.change(SMALL)
    assert project.llp("data", "start").code == 0
    return project


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


def drift_events(run: UUID) -> list[dict[str, Any]]:
    """Those of a run that the server knows of."""
    from prefect.settings import PREFECT_API_URL

    wanted = {"filter": {"event": {"name": ["llp.drift.detected"]}}}
    answer = httpx.post(f"{PREFECT_API_URL.value()}/events/filter", json=wanted, timeout=60)
    source = {"prefect.resource.id": f"prefect.flow-run.{run}"}
    return [
        event for event in answer.json()["events"] if any(source.items() <= each.items() for each in event["related"])
    ]
