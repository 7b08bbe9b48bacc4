"""The whole run: real processes, killed and continued."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from paper_rows import row

from llp_core.config import Params
from llp_core.errors import InputError
from llp_core.locks import locked
from llp_core.names import TEACHER
from llp_core.paper.cells import FOLDER, RESULTS, cell_path, read_rows, write_rows
from llp_core.paper.job import graph_folder
from llp_core.paper.page import PAGE
from llp_core.paper.plan import Cell, Job, plan_jobs, settings_text
from llp_core.paper.run import Standing, run_paper
from llp_core.store import load
from llp_core.types import Graph


@pytest.fixture
def jobs(quick: Params) -> list[Job]:
    """One job of three cells."""
    return plan_jobs(quick, ["debian"], ["production"], [TEACHER, "label", "llp"], seeds=1, splits=1)


def kill_after(path: Path) -> None:
    """Kills the process at work as soon as there is such a file."""
    while not path.exists():
        time.sleep(0.002)
    for child in multiprocessing.active_children():
        os.kill(child.pid or 0, signal.SIGKILL)


def test_killed_and_continued(project: Path, quick: Params) -> None:
    long = quick.model_copy(update={"student": quick.student.model_copy(update={"max_epochs": 100, "patience": 100})})
    jobs = plan_jobs(long, ["debian"], ["production"], [TEACHER, "label", "llp"], seeds=1, splits=1)
    teacher = cell_path(FOLDER, jobs[0].cells[0])
    killer = threading.Thread(target=kill_after, args=(teacher,), daemon=True)
    killer.start()
    *_, standing = run_paper(jobs, long)
    killer.join(timeout=1)
    assert "the process ended with code -9" in standing.failures[jobs[0].name]
    assert jobs[0].cells[0] in standing.done
    assert len(standing.done) < 3
    assert set(read_rows(RESULTS)) == standing.done
    finished = {path: path.stat().st_mtime_ns for path in FOLDER.rglob("*seed0.json")}

    *_, standing = run_paper(jobs, long)
    assert standing.failures == {}
    assert set(read_rows(RESULTS)) == standing.done == standing.planned
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert PAGE.exists()


def test_nothing_is_run_twice(project: Path, quick: Params, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that came with a clone count, without the cells they were made of."""
    write_rows(RESULTS, [row(cell, 0.5, settings=settings_text(jobs[0], cell)) for cell in jobs[0].cells])
    before = RESULTS.read_bytes()
    monkeypatch.setattr("llp_core.paper.processes._start", None)
    standings = list(run_paper(jobs, quick))
    assert standings[-1].done == standings[-1].planned == set(jobs[0].cells)
    assert RESULTS.read_bytes() == before


def test_one_run_at_a_time(project: Path, quick: Params, jobs: list[Job]) -> None:
    refused = pytest.raises(InputError, match="another `llp run-flow paper` is at work here")
    with locked(FOLDER / "lock"), refused:
        next(run_paper(jobs, quick))


def test_rows_that_come_meanwhile_stay(project: Path, quick: Params, jobs: list[Job]) -> None:
    """As with a pull, while trainings are under way."""
    standings = run_paper(jobs, quick)
    next(standings)
    pulled = Cell("cora", "production", "llp", 234, 0)
    write_rows(RESULTS, [row(pulled, 0.5)])
    *_, last = standings
    assert set(read_rows(RESULTS)) == {pulled, *last.planned}


def test_what_is_measured_with_other_settings_and_not_planned_is_left_out(
    project: Path, quick: Params, jobs: list[Job], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "llp_core.paper")
    llp = jobs[0].cells[2]
    rows = [row(llp._replace(seed=seed), 0.5, settings="former") for seed in range(3)]
    write_rows(RESULTS, rows)
    next(run_paper(jobs, quick))
    assert any("left out and run again: debian, production, llp: 1" in message for message in caplog.messages)
    assert any("left out: debian, production, llp: 2" in message for message in caplog.messages)
    assert list(read_rows(RESULTS).values()) == rows  # until there is something to take their place


def test_a_job_that_fails_takes_nothing_out(
    project: Path, quick: Params, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(RESULTS, [row(cell, 0.5, settings="former") for cell in jobs[0].cells])
    before = RESULTS.read_bytes()
    monkeypatch.setattr("llp_core.paper.run._run_jobs", lambda jobs, _: ((job, "too little memory") for job in jobs))
    *_, standing = run_paper(jobs, quick)
    assert list(standing.failures.values()) == ["too little memory"]
    assert RESULTS.read_bytes() == before


def test_other_settings_are_run_again(
    project: Path, quick: Params, jobs: list[Job], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "llp_core.paper")
    teacher, label, llp = jobs[0].cells
    rows = [row(cell, 0.5, settings=settings_text(jobs[0], cell)) for cell in (teacher, label)]
    write_rows(RESULTS, [*rows, row(llp, 0.5, settings="former")])
    first, *_, last = run_paper(jobs, quick)
    assert first.done == {teacher, label}
    assert last.done == {teacher, label, llp}
    after = read_rows(RESULTS)
    assert [after[cell]["commit"] for cell in (teacher, label)] == ["0123456789+"] * 2
    assert after[llp]["settings"] == settings_text(jobs[0], llp)
    assert any("run again: debian, production, llp: 1" in message for message in caplog.messages)


def test_a_graph_that_cannot_be_had_fails_its_data_set_alone(
    project: Path, quick: Params, tmp_path: Path, build_debian: Callable[[Path, int], None]
) -> None:
    """And files of Debian that are others now give another graph."""
    build_debian(tmp_path / "debian", 300)
    params = quick.model_copy(update={"data": quick.data.model_copy(update={"mirror": str(tmp_path)})})
    jobs = plan_jobs(params, ["cora", "debian"], ["transductive"], [TEACHER], seeds=1, splits=1)
    *_, standing = run_paper(jobs, params)
    assert list(standing.failures) == ["graph of cora"]
    assert "ind.cora" in standing.failures["graph of cora"]
    assert not graph_folder(FOLDER, "cora").exists()
    assert load(Graph, graph_folder(FOLDER, "debian")).num_nodes < 300
    assert {cell.dataset for cell in standing.done} == {"debian"}
    assert standing.by_dataset() == [
        {"data set": "cora", "setting": "transductive", "planned": 1, "done": 0},
        {"data set": "debian", "setting": "transductive", "planned": 1, "done": 1},
    ]


def test_a_page_that_cannot_be_written_stops_nothing(
    project: Path, quick: Params, jobs: list[Job], caplog: pytest.LogCaptureFixture
) -> None:
    write_rows(RESULTS, [row(cell, 0.5, settings=settings_text(jobs[0], cell)) for cell in jobs[0].cells])
    PAGE.parent.mkdir()
    PAGE.mkdir()
    *_, standing = run_paper(jobs, quick)
    assert isinstance(standing, Standing)
    assert "docs/results.md: not written" in caplog.text
