"""What a retraining decides beside the gate."""

import shutil
from pathlib import Path

import pytest
from candidate_project import break_smoke, change, copied, edit_json, nudge

from llp_core import paths
from llp_core.config import load_params
from llp_core.errors import LLPError
from llp_core.gate import judge
from llp_core.registry import promote, register
from llp_core.retraining import decided, keep_decision


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pipeline has run."""
    return copied(tmp_path_factory, tmp_path / "project")


def why_not(root: Path) -> str | None:
    """Why its candidate needs no judgement."""
    return decided(root, load_params(root / "params.yaml"))


def test_what_is_in_use_or_gave_way_is_not_judged(project: Path, tmp_path: Path) -> None:
    assert why_not(project) is None
    number = register(project)
    assert why_not(project) is None
    promote(project, number, "first")
    assert why_not(project) == "version 1 of the models is what they are, and in use"
    kept = (project / "params.yaml").read_text()
    change(project, {"gate": {"method": "label"}})
    assert why_not(project) is None
    promote(project, register(project), "the other method")
    assert why_not(project) == "version 2 of the models is what they are, and in use"
    (project / "params.yaml").write_text(kept)
    assert why_not(project) == "version 1 of the models is what they are; it was in use and gave way: the other method"
    was = shutil.copytree(project / "data", tmp_path / "was")
    nudge(project)
    assert why_not(project) is None
    promote(project, register(project), "a third")
    shutil.rmtree(project / "data")
    was.rename(project / "data")
    assert why_not(project) == "version 1 of the models is what they are; it was in use and gave way: the other method"


def test_a_first_model_that_failed_its_smoke_test_is_not_judged_again(project: Path) -> None:
    number = register(project)
    break_smoke(project, number)
    with pytest.raises(LLPError, match="Version 1 failed its smoke test, and no model is in use"):
        promote(project, number, "hope")
    told = why_not(project)
    assert told is not None
    assert told.startswith("version 1 of the models is what they are; it was in use and gave way: v0001, production, ")


def test_what_was_refused_is_judged_again_where_something_changed(project: Path) -> None:
    change(project, {"gate": {"max_p99_ms": 1e-6}})
    params = load_params(project / "params.yaml")
    keep_decision(project, params, judge(project, params), None)
    told = why_not(project)
    assert told is not None
    assert told.startswith("the gate refused them: data/retraining/")

    latency = project / paths.latency("production") / "latency.json"
    findings = project / paths.CHECKS / "findings.json"
    for path, changed in ((latency, {"device": "another"}), (findings, {"checks": [{"check": "x", "passed": False}]})):
        kept = path.read_text()
        edit_json(path, **changed)
        assert why_not(project) is None
        path.write_text(kept)
        assert why_not(project) == told
    (project / paths.FAILED_CHECKS / "validate").mkdir(parents=True)  # of data that are not there any more
    assert why_not(project) == told
