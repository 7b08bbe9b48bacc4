"""Which stages of the real dvc.yaml go stale with a setting. DVC judges; no stage runs."""

import pytest
from tiny_project import Project
from typer.testing import CliRunner

from flows.bookkeeping import require_up_to_date, stage_status
from llp_core.cli.app import app
from llp_core.cli.params_file import change_params
from llp_core.errors import InputError
from llp_core.names import SETTINGS

AFTER_STUDENT = ["student", "evaluate", "latency"]
AFTER_TEACHER = ["teacher", "teacher_scores", *AFTER_STUDENT]
AFTER_CONTEXTS = ["contexts", "teacher_scores", *AFTER_STUDENT]


@pytest.fixture
def done(real: Project) -> Project:
    """The real project, where DVC has recorded some output of every stage."""
    from dvc.repo import Repo

    with Repo(str(real.root)) as repo:
        for stage in repo.index.stages:
            for output in stage.outs:
                folder = real.root / str(output)
                folder.mkdir(parents=True)
                (folder / "out.txt").write_text(stage.addressing)
        repo.commit(force=True)
    return real


def stale(project: Project) -> dict[str, list[str]]:
    return {address: reasons for address, reasons in stage_status(project.root).items() if reasons}


def test_stages_that_a_setting_makes_stale_and_why(done: Project) -> None:
    params = done.root / "params.yaml"
    before = params.read_text()
    assert stale(done) == {}
    for key, value, names, settings in (
        ("tuned.cold_start.teacher.candidates", 3, AFTER_TEACHER, ["cold_start"]),
        ("tuned.transductive.contexts.walks", 5, AFTER_CONTEXTS, ["transductive"]),
        ("student.margin", 0.7, AFTER_STUDENT, SETTINGS),
        ("tuned.production.student.margin", 0.7, AFTER_STUDENT, ["production"]),
    ):
        params.write_text(before)
        change_params(params, {key: value})
        reasons = stale(done)
        assert set(reasons) == {"report"} | {f"{name}@{setting}" for name in names for setting in settings}, key
    assert reasons["student@production"] == ["tuned.production.student.margin changed from None to 0.7"]


def test_no_page_shows_new_settings_beside_old_figures(done: Project) -> None:
    require_up_to_date(done.root)
    change_params(done.root / "params.yaml", {"tuned.production.student.margin": 0.7})
    with pytest.raises(InputError, match=r"^student@production, evaluate@production, latency@production: not up to"):
        CliRunner().invoke(app, ["report", "--setting", "production", "--output", "page"], catch_exceptions=False)
    assert not (done.root / "page").exists()
    require_up_to_date(done.root, ["transductive", "cold_start"])  # nothing of these changed
    change_params(done.root / "params.yaml", {"data.name": "files"})  # that is of all settings
    with pytest.raises(InputError, match=r"^download, prepare, .* and others: not up to date"):
        require_up_to_date(done.root, ["transductive"])
