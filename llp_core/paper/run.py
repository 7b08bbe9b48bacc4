"""The measurements behind the tables: what is missing is run, side by side, and the results are kept as they come."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from llp_core.config import DataParams, Params
from llp_core.datasets.kept import kept_graph
from llp_core.errors import InputError
from llp_core.git import WRITTEN_BY_RUNS, git_state
from llp_core.locks import locked
from llp_core.machine import machine
from llp_core.paper.cells import (
    FOLDER,
    RESULTS,
    Row,
    cell_path,
    current_rows,
    read_cells,
    read_rows,
    write_rows,
)
from llp_core.paper.job import graph_folder, run_job
from llp_core.paper.page import PAGE, PICTURE, write_page
from llp_core.paper.plan import Cell, Job, group_of, settings_text
from llp_core.paper.processes import Task, side_by_side
from llp_core.store import read_json
from llp_core.training.runs import trainings_at_once

logger = logging.getLogger(__name__)

GB_OF_A_JOB = 4
"""Memory of the machine for each job that runs at once; that of Physics takes 1.4."""


@dataclass(frozen=True)
class Standing:
    """How far the measurements are.

    Attributes:
        planned: cells of the plan.
        done: of those, the finished ones.
        failures: job, or graph of a data set -> why it failed.
    """

    planned: frozenset[Cell]
    done: frozenset[Cell]
    failures: Mapping[str, str]

    def by_dataset(self) -> list[dict[str, object]]:
        """A row for each data set and setting: how many cells are planned and done."""
        planned, done = (Counter(cell[:2] for cell in cells) for cells in (self.planned, self.done))
        return [
            {"data set": key[0], "setting": key[1], "planned": planned[key], "done": done[key]}
            for key in sorted(planned)
        ]


def run_paper(jobs: Sequence[Job], params: Params) -> Iterator[Standing]:
    """Runs what is missing of the plan in the current folder, and tells how far it is after each job.

    Cells that the committed results hold count as finished, and so do those below `FOLDER`. Those measured with
    other settings than today's do not: where they are planned they are run again, and leave the results as soon as a
    cell is measured. The results, and the page made of them, are written anew after each job. Stopped at any point, the
    same call goes on from there.

    Args:
        jobs: the plan (`llp_core.paper.plan.plan_jobs`).
        params: settings of run and data.

    Raises:
        InputError: results are not readable, another run is at work, or there is no GPU where one is asked for.
    """
    settings = {group_of(cell): settings_text(job, cell) for job in jobs for cell in job.cells}
    planned = frozenset(cell for job in jobs for cell in job.cells)
    failures: dict[str, str] = {}
    with locked(FOLDER / "lock", f"{FOLDER}: another `llp run-flow paper` is at work here. Wait until it ends."):
        rows, stale = current_rows((read_rows(RESULTS), read_cells(FOLDER)), settings)
        for cells, what in ((stale & planned, "left out and run again"), (stale - planned, "left out")):
            count = Counter(f"{cell.dataset}, {cell.setting}, {cell.method}" for cell in cells)
            told = "; ".join(f"{name}: {number}" for name, number in sorted(count.items()))
            if told:
                logger.info("Measured with other settings than today's, so %s: %s", what, told)
        replaced = stale & planned
        if replaced:
            logger.info("%s holds them until the first job is done; after that, `git restore` has them", RESULTS)
        else:
            _keep(rows)
        yield _standing(planned, rows, failures)
        left = [one for one in (job.without(rows.keys()) for job in jobs) if one is not None]
        logger.info("%d of %d cells are finished; %d jobs to run", *_count(planned, rows), len(left))
        workers = _workers(params)
        missing = _keep_graphs(dict.fromkeys(job.dataset for job in left), params.data)
        failures |= {f"graph of {name}": why for name, why in missing.items()}
        ready = [job for job in left if job.dataset not in missing]
        for job, failure in _run_jobs(ready, workers):
            if failure is not None:
                failures[job.name] = failure
            measured = [cell for cell in job.cells if cell_path(FOLDER, cell).exists()]
            rows |= {cell: read_json(cell_path(FOLDER, cell)) for cell in measured}
            # Rows may have come to the file meanwhile; a cell that failed may lie there with former settings.
            rows, _ = current_rows((read_rows(RESULTS), rows), settings)
            if measured or not replaced:
                _keep(rows)
            logger.info("%d of %d cells are finished", *_count(planned, rows))
            yield _standing(planned, rows, failures)
        yield _standing(planned, rows, failures)


def _run_jobs(jobs: Iterable[Job], workers: int) -> Iterator[tuple[Job, str | None]]:
    """Each job as it ends, with why it failed."""
    own = [str(RESULTS), str(PAGE), str(PICTURE), *WRITTEN_BY_RUNS]

    def tasks() -> Iterator[Task]:
        for job in jobs:
            commit, dirty = git_state(Path(), own)
            arguments = (FOLDER, job, commit + "+" * bool(dirty))
            yield Task(job.name, run_job, arguments, FOLDER / "logs" / f"{job.name}.log")

    with closing(side_by_side(tasks(), workers)) as events:
        for event in events:
            logger.info("%s: %s", event.task.name, event.text or event.kind)
            if event.kind != "told":
                yield event.task.arguments[1], event.text if event.kind == "failed" else None


def _keep_graphs(datasets: Iterable[str], params: DataParams) -> dict[str, str]:
    """Brings the graphs that are missing, or whose files are at hand; data set -> why its graph cannot be had."""
    failures = {}
    for name in datasets:
        try:
            kept_graph(params.model_copy(update={"name": name}), graph_folder(FOLDER, name))
        except InputError as error:
            failures[name] = str(error)
            logger.info("graph of %s: %s", name, error)
    return failures


def _workers(params: Params) -> int:
    """How many jobs run at once: as find cores for their threads, and memory; on a GPU, one."""
    return max(1, min(trainings_at_once(params.run), int(machine().memory_gb / GB_OF_A_JOB)))


def _keep(rows: Mapping[Cell, Row]) -> None:
    write_rows(RESULTS, rows.values())
    try:
        write_page(RESULTS)
    except Exception as error:  # hours of measuring are not given up for a page
        logger.warning("%s: not written: %s: %s", PAGE, type(error).__name__, error)


def _count(planned: frozenset[Cell], rows: Mapping[Cell, Row]) -> tuple[int, int]:
    return len(planned & rows.keys()), len(planned)


def _standing(planned: frozenset[Cell], rows: Mapping[Cell, Row], failures: Mapping[str, str]) -> Standing:
    return Standing(planned, planned & rows.keys(), dict(failures))
