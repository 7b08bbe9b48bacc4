"""Prefect's page after a retraining, as a person sees it: a real server, a real run, a headless Chromium."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from candidate_project import change
from served_project import Served, free_port
from tiny_project import ROOT
from untuned_params import copy_untuned

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]
QUICK = {
    "teacher": {"hidden": 8, "max_epochs": 10},
    "contexts": {"rounds": 2},
    "student": {"hidden": 8, "max_epochs": 10},
    "latency": {"seconds": 0.01},
    "gate": {"floor_hits_at_20": 0.0, "floor_mrr": 0.0, "tolerance": 0.99, "max_p99_ms": 1e6},
}


@pytest.fixture
def retrained(tmp_path: Path) -> Iterator[Served]:
    """A project with a server, and a first retraining behind it."""
    root = tmp_path / "project"
    for name in ("dvc.yaml", "prefect.yaml", ".dvcignore", ".dvc/config", ".gitignore"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "data" / "embedded", root / "data" / "embedded")
    shutil.copytree(ROOT / "flows", root / "flows")
    copy_untuned(root)
    change(root, QUICK)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    project = Served(root, free_port())
    try:
        for command in (["data", "start"], ["server", "up", "--port", str(project.port)], ["run-flow", "retrain"]):
            done = project.llp(*command)
            assert done.returncode == 0, done.stderr
        yield project
    finally:
        project.llp("server", "down")


def page(project: Served, address: str) -> str:
    """What Chromium makes of a page."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=30000", "--dump-dom"]
    url = f"http://127.0.0.1:{project.port}/{address}"
    assert CHROMIUM is not None
    return subprocess.run([CHROMIUM, *options, url], capture_output=True, text=True, timeout=240, check=True).stdout


def test_the_page_of_a_retraining_shows_its_verdict_and_the_picture(retrained: Served) -> None:
    with retrained.client() as client:
        (verdict,) = [each for each in client.read_artifacts() if each.key == "verdict"]
    assert verdict.flow_run_id is not None
    shown = page(retrained, f"artifacts/artifact/{verdict.id}")
    assert "The candidate passes all" in shown
    assert "plain MLP of the same run" in shown
    assert '<img src="data:image/png;base64,' in shown
    run = page(retrained, f"runs/flow-run/{verdict.flow_run_id}")
    assert "Promoted" in run
