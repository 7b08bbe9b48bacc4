"""A job in this process."""

from pathlib import Path

import pytest

from llp_core import experiment
from llp_core.config import Params
from llp_core.errors import InputError
from llp_core.names import TEACHER
from llp_core.paper.cells import FOLDER, read_cells
from llp_core.paper.job import run_job
from llp_core.paper.plan import Cell, plan_jobs, settings_text


def test_each_cell_is_kept(project: Path, quick: Params) -> None:
    _, job = plan_jobs(quick, ["debian"], methods=[TEACHER, "label", "llp"], seeds=1, splits=1)
    told: list[str] = []
    run_job(FOLDER, job, "abc", told.append)
    rows = read_cells(FOLDER)
    assert set(rows) == set(job.cells)
    assert [line.partition(":")[0] for line in told] == [TEACHER, "label", "llp"]
    for cell, row in rows.items():
        assert row["settings"] == settings_text(job, cell)
        assert (row["commit"], row["resumed"]) == ("abc", False)
        assert row["negatives"] >= row["all.positives"] >= 50
        assert 0 <= row["best_epoch"] < row["epochs"] == 6
        assert row["cpu_seconds"] > 0
        assert 100 < row["peak_memory_mb"] < 8000
        assert (row["old-old.positives"] is None) == (cell.setting == "cold_start")
    production, cold = (rows[Cell("debian", setting, "llp", 234, 0)] for setting in ("production", "cold_start"))
    assert production["valid_score"] == cold["valid_score"]  # one model, scored twice
    assert production["all.positives"] - production["old-old.positives"] == cold["all.positives"]
    assert not (FOLDER / "work" / job.name).exists()


def test_same_figures_twice(project: Path, quick: Params, tmp_path: Path) -> None:
    (job,) = plan_jobs(quick, ["debian"], ["transductive"], ["llp"], seeds=1, splits=1)
    figures = []
    for _ in range(2):
        run_job(FOLDER, job, "abc", lambda text: None)
        (row,) = read_cells(FOLDER).values()
        figures.append({name: value for name, value in row.items() if "seconds" not in name and "memory" not in name})
    assert figures[0] == figures[1]


def test_no_student_s_peak_is_that_of_the_export(project: Path, quick: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def noted(name: str) -> None:
        function = getattr(experiment, name)

        def call(*arguments: object) -> object:
            calls.append(name)
            return function(*arguments)

        monkeypatch.setattr(experiment, name, call)

    for name in ("teach", "forget_peak_memory", "train_student"):
        noted(name)
    (job,) = plan_jobs(quick, ["debian"], ["transductive"], ["llp"], seeds=1, splits=1)
    run_job(FOLDER, job, "abc", lambda text: None)
    assert calls == ["teach", "forget_peak_memory", "train_student"]


def test_the_plain_mlp_alone_needs_no_teacher(project: Path, quick: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("a teacher was trained")

    (job,) = plan_jobs(quick, ["debian"], ["transductive"], ["label"], seeds=1, splits=1)
    with monkeypatch.context() as patched:
        patched.setattr(experiment, "train_teachers", never)
        run_job(FOLDER, job, "abc", lambda text: None)
    ((cell, alone),) = read_cells(FOLDER).items()
    assert cell.method == "label"
    (job,) = plan_jobs(quick, ["debian"], ["transductive"], [TEACHER, "label"], seeds=1, splits=1)
    run_job(FOLDER, job, "abc", lambda text: None)
    assert read_cells(FOLDER)[cell]["all.mrr"] == alone["all.mrr"]


def test_a_training_that_was_continued_is_marked(project: Path, quick: Params) -> None:
    (job,) = plan_jobs(quick, ["debian"], ["transductive"], [TEACHER], seeds=1, splits=1)
    (FOLDER / "work" / job.name).mkdir(parents=True)
    run_job(FOLDER, job, "abc", lambda text: None)
    assert [row["resumed"] for row in read_cells(FOLDER).values()] == [True]


def test_a_graph_too_small_is_told(project: Path, quick: Params) -> None:
    tiny = quick.split.transductive.model_copy(update={"test_share": 0.001})
    params = quick.model_copy(update={"split": quick.split.model_copy(update={"transductive": tiny})})
    (job,) = plan_jobs(params, ["debian"], ["transductive"], seeds=1, splits=1)
    with pytest.raises(InputError, match="setting transductive: it cannot be split"):
        run_job(FOLDER, job, "abc", lambda text: None)
