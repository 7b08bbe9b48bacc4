"""What the processes do: bring a graph, and train and score the cells of a job."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from llp_core.config import RunParams
from llp_core.experiment import Outcome, run_experiment
from llp_core.machine import forget_peak_memory, machine, peak_memory_mb
from llp_core.paper.cells import GROUPS, METRICS, Row, write_cell
from llp_core.paper.plan import Cell, Job, settings_text
from llp_core.paper.processes import Tell
from llp_core.splits import reported_split
from llp_core.store import load
from llp_core.training.runs import resolve_device
from llp_core.types import Evaluation, Graph


def graph_folder(folder: Path, dataset: str) -> Path:
    """Where a data set's graph lies, for all its jobs."""
    return folder / "graphs" / dataset


def run_job(folder: Path, job: Job, commit: str, tell: Tell) -> None:
    """Trains and scores the models of a job, and keeps each cell as soon as it is known.

    Args:
        folder: of all cells.
        job: which cells.
        commit: to note with them.
        tell: is told of each model.

    Raises:
        InputError: the graph is missing or cannot be split, or the settings contradict each other.
    """
    torch.set_num_threads(job.params.run.threads)
    graph = load(Graph, graph_folder(folder, job.dataset))
    splits = {setting: reported_split(graph, setting, job.params.split) for setting in job.settings}
    workspace = folder / "work" / job.name
    resumed = workspace.exists()
    about = {"commit": commit, **_machine(job.params.run)}
    seed = job.cells[0].seed
    forget_peak_memory()
    started = time.monotonic()
    experiment = run_experiment(graph, splits, job.params, job.students, seed, workspace, with_teacher=job.with_teacher)
    for outcome in experiment:
        costs = {"seconds": time.monotonic() - started, "peak_memory_mb": peak_memory_mb(), "resumed": resumed}
        kept = [cell for cell in job.cells if cell.method == outcome.method]
        for cell in kept:
            write_cell(folder, _row(job, cell, outcome) | costs | about)
        if kept:
            hits = ", ".join(f"{cell.setting} {_hits(outcome.evaluations[cell.setting], cell):.1f}" for cell in kept)
            tell(f"{outcome.method}: Hits@20 {hits}; {costs['seconds']:.0f} s")
        forget_peak_memory()
        started = time.monotonic()
    shutil.rmtree(workspace, ignore_errors=True)


def _row(job: Job, cell: Cell, outcome: Outcome) -> Row:
    evaluation = outcome.evaluations[cell.setting]
    figures = evaluation.figures[cell.method]
    return {
        **cell._asdict(),
        **{f"{group}.{metric}": figures.get(group, {}).get(metric) for group in GROUPS for metric in METRICS},
        **{f"{group}.positives": evaluation.positives.get(group) for group in GROUPS},
        "negatives": evaluation.negatives,
        "best_epoch": outcome.fit.best_epoch,
        "epochs": outcome.fit.about()["epochs"],
        "valid_score": outcome.fit.valid_score,
        "settings": settings_text(job, cell),
        "cpu_seconds": outcome.cpu_seconds,
    }


def _hits(evaluation: Evaluation, cell: Cell) -> float:
    return 100 * evaluation.figures[cell.method]["all"]["hits_at_20"]


def _machine(run: RunParams) -> Mapping[str, object]:
    found = machine()
    gpu = found.gpu if resolve_device(run).type == "cuda" else None
    return {"cpu": found.cpu, "cores": found.cores, "gpu": gpu, "torch": found.versions["torch"]}
