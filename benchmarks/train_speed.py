"""Seconds an epoch and peak memory of training, next to a dense product of the same size.

    .venv/bin/python benchmarks/train_speed.py --dataset cora --dataset photos

Each row is a process of its own. It trains for 5 epochs and, anew, for 5 more than that by --epochs; the difference is
what --epochs epochs cost, validation within, start without. `sgemm` is a float32 product of N x F by
F x width in the same process: seconds from different machines compare through it. An epoch is one step on all
training edges, as in the published code. Contexts on Cora are the published ones; all else is as in params.yaml. The
seconds of the published code, measured with 2 threads on the kind of machine that docs/training.md names, stand beside.
Peak memory is that of the process since the training began, what it loads before included. One JSON
line last. Nothing else should run meanwhile.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from llp_core import paths
from llp_core.config import ContextsParams, Params, load_params
from llp_core.machine import forget_peak_memory, machine, peak_memory_mb
from llp_core.names import METHODS, SETTINGS, TEACHER
from llp_core.sampling import generator, sample_contexts
from llp_core.splits import make_split, training_graph
from llp_core.store import load, read_json, write_json
from llp_core.training.export import export_scores
from llp_core.training.runs import Lessons, train_student, train_teachers
from llp_core.types import Graph, TrainingGraph

WARM_EPOCHS = 5
WHOLE = {"batch_size": 2**31 - 1}
"""An epoch is one step, as in the published code."""
CORA_CONTEXTS = {
    "transductive": {"walks": 3, "length": 2, "random_ratio": 1},
    "production": {"walks": 3, "length": 3, "random_ratio": 3},
}
PUBLISHED_CODE_SECONDS = {
    ("cora", "transductive", TEACHER): 0.31,
    ("cora", "transductive", "label"): 0.21,
    ("cora", "transductive", "llp"): 0.72,
    ("cora", "production", TEACHER): 0.19,
    ("cora", "production", "label"): 0.10,
    ("cora", "production", "llp"): 1.30,
    ("photos", "transductive", TEACHER): 8.7,
    ("photos", "transductive", "label"): 6.1,
}
"""Wall seconds an epoch of snap-research/linkless-link-prediction at its published settings, 2 threads."""


@dataclass(frozen=True)
class Row:
    """One method on one data set. Seconds are of one epoch.

    Attributes:
        nodes, edges, context: what an epoch goes through: training nodes and edges, context nodes of an anchor.
        sgemm_seconds: of a float32 product of nodes x features by features x width.
    """

    dataset: str
    setting: str
    method: str
    nodes: int
    edges: int
    context: int
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    sgemm_seconds: float


def measure(params: Params, folder: Path, dataset: str, setting: Any, method: str, epochs: int) -> Row:
    """Trains one method; the graph lies in `folder`, and a teacher's scores are made from a teacher of 5 epochs."""
    graph = load(Graph, folder / dataset)
    shares = read_json(folder / f"{dataset}.json")
    split = make_split(graph, setting, params.split.with_shares_of(**shares))
    training = training_graph(split, graph)
    chosen = CORA_CONTEXTS[setting] if dataset == "cora" and setting in CORA_CONTEXTS else {}
    sizes = ContextsParams(**(params.contexts.model_dump() | chosen))

    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)

        def teacher(count: int) -> Any:
            settings = params.teacher.model_copy(
                update={"max_epochs": count, "patience": count, "candidates": 1, "predicted_share": 1.0, **WHOLE}
            )
            return next(iter(train_teachers(training, settings, params.run, workspace / f"teacher-{count}")))

        train: Callable[[int], Any] = teacher
        if method != TEACHER:
            drawn = sample_contexts(training, sizes, generator(0, "contexts"))
            model = teacher(WARM_EPOCHS).model
            scores = export_scores(model, training, drawn, generator(0, "scores"), "scores")
            lessons = Lessons(drawn, scores, model)

            def student(count: int) -> Any:
                settings = params.student.model_copy(update={"max_epochs": count, "patience": count, **WHOLE})
                place = workspace / f"student-{count}"
                return train_student(training, method, lessons, settings, params.run, place)  # type: ignore[arg-type]

            train = student
        train(WARM_EPOCHS - 1)  # what only the first training of a process waits for
        forget_peak_memory()
        short, long = _clock(train, WARM_EPOCHS), _clock(train, WARM_EPOCHS + epochs)
        peak = peak_memory_mb()
    return Row(
        dataset=dataset,
        setting=setting,
        method=method,
        nodes=training.num_nodes,
        edges=training.edges.shape[1],
        context=sizes.size,
        wall_seconds=(long[0] - short[0]) / epochs,
        cpu_seconds=(long[1] - short[1]) / epochs,
        peak_memory_mb=peak,
        sgemm_seconds=_sgemm(training, params.student.hidden),
    )


def _clock(train: Callable[[int], Any], epochs: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    train(epochs)
    return time.perf_counter() - wall, time.process_time() - cpu


def _sgemm(training: TrainingGraph, width: int) -> float:
    left, right = torch.randn(training.features.shape), torch.randn(training.features.shape[1], width)
    seconds = []
    for _ in range(12):
        started = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[2:])


def prepare(params: Params, folder: Path, dataset: str) -> None:
    """Writes a data set's graph and its shares of production to `folder`."""
    from llp_core.datasets import get_dataset
    from llp_core.datasets.kept import kept_graph

    source = get_dataset(dataset)
    kept_graph(params.data.model_copy(update={"name": dataset}), folder / dataset)
    write_json(folder / f"{dataset}.json", {"new_node_share": source.new_node_share, "test_share": source.test_share})


def run_rows(arguments: argparse.Namespace) -> Iterator[Row]:
    """A process a row, and one before that reads a data set, whose readers take memory of their own."""
    with tempfile.TemporaryDirectory() as folder:
        common = [sys.executable, "-W", "ignore", __file__, "--threads", str(arguments.threads), "--folder", folder]
        for dataset in arguments.dataset:
            subprocess.run([*common, "--dataset", dataset, "--child", "prepare"], check=True, stdout=sys.stderr)
            for setting in arguments.setting:
                for method in arguments.method:
                    of_row = ["--dataset", dataset, "--setting", setting, "--method", method, "--child", "measure"]
                    command = [*common, *of_row, "--epochs", str(arguments.epochs)]
                    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                    yield Row(**json.loads(done.stdout))


def main() -> None:
    """Prints the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", action="append", help="default: cora")
    parser.add_argument("--setting", action="append", choices=SETTINGS, help="default: transductive and production")
    parser.add_argument("--method", action="append", choices=[TEACHER, *METHODS], help="default: teacher, label, llp")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20, help="a multiple of 5, so that validation counts in full")
    parser.add_argument("--child", choices=["prepare", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.dataset = arguments.dataset or ["cora"]
    arguments.setting = arguments.setting or ["transductive", "production"]
    arguments.method = arguments.method or [TEACHER, "label", "llp"]
    torch.set_num_threads(arguments.threads)
    params = load_params(paths.PARAMS)
    if arguments.child == "prepare":
        prepare(params, arguments.folder, *arguments.dataset)
        return
    if arguments.child == "measure":
        one = (*arguments.dataset, *arguments.setting, *arguments.method)
        print(json.dumps(asdict(measure(params, arguments.folder, *one, arguments.epochs))))
        return
    print(f"{'':32}{'wall':>9}{'cpu':>9}{'memory':>9}{'sgemm':>9}{'wall /':>8}{'published':>11}{'times':>7}")
    print(f"{'':32}{'ms/epoch':>9}{'ms/epoch':>9}{'MB':>9}{'ms':>9}{'sgemm':>8}{'ms/epoch':>11}{'faster':>7}")
    rows = []
    for row in run_rows(arguments):
        rows.append(row)
        published = PUBLISHED_CODE_SECONDS.get((row.dataset, row.setting, row.method))
        beside = f"{1e3 * published:>11.0f}{published / row.wall_seconds:>7.1f}" if published else ""
        figures = f"{1e3 * row.wall_seconds:>9.1f}{1e3 * row.cpu_seconds:>9.1f}{row.peak_memory_mb:>9.0f}"
        ratio = f"{1e3 * row.sgemm_seconds:>9.1f}{row.wall_seconds / row.sgemm_seconds:>8.1f}"
        print(f"{f'{row.dataset}, {row.setting}, {row.method}':32}{figures}{ratio}{beside}", flush=True)
    print(
        json.dumps({"threads": arguments.threads, "machine": asdict(machine()), "rows": [asdict(row) for row in rows]})
    )


if __name__ == "__main__":
    main()
