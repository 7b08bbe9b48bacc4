"""Seconds and memory of training by what a step encodes: every node, or what it needs, on random graphs.

    .venv/bin/python benchmarks/batching.py --nodes 40000 --nodes 235868

Each row is a process of its own, which trains a few steps and validates once, at the teacher's settings of params.yaml
with 128 dense features and 4.1 edges a node. A step is a median; an epoch is a step times the steps of an epoch,
validation without. Peak memory is that of the process while it trains, and what it held before. One JSON line last.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from llp_core import paths
from llp_core.config import load_params
from llp_core.graph import canonical_edges, pair_keys, sort_keys
from llp_core.machine import forget_peak_memory, machine, peak_memory_mb
from llp_core.models import LinkModel, ModelSpec
from llp_core.processes import reuse_memory
from llp_core.sampling import PairSpace, generator, sample_negatives
from llp_core.training import batching
from llp_core.training.checkpoint import Checkpoint
from llp_core.training.loop import Trainer
from llp_core.training.objective import Objective
from llp_core.training.runs import resolve_precision
from llp_core.types import TrainingGraph

FEATURES = 128
EDGES_A_NODE = 4.1
STEPS = 6
WAYS = ("teacher, full", "teacher, sampled", "plain MLP, full", "plain MLP, rows")


@dataclass(frozen=True)
class Row:
    """What one way of training costs on one graph."""

    nodes: int
    way: str
    step_seconds: float
    epoch_seconds: float
    validate_seconds: float
    peak_memory_mb: float


def random_graph(num_nodes: int) -> TrainingGraph:
    """Uniform ends and features; a share of the edges is left for validation."""
    ends = torch.randint(num_nodes, (2, int(EDGES_A_NODE * num_nodes)), generator=generator(0, "edges"))
    edges = canonical_edges(ends, num_nodes).edges
    edges = edges[:, torch.randperm(edges.shape[1], generator=generator(0, "order"))]
    held = edges.shape[1] // 20
    known = sort_keys(pair_keys(edges, num_nodes))
    negatives = sample_negatives(known, PairSpace(num_nodes), held, generator(0, "negatives"))
    features = torch.randn(num_nodes, FEATURES, generator=generator(0, "features"))
    return TrainingGraph(torch.arange(num_nodes), features, edges[:, held:], edges[:, :held], negatives)


def measure(num_nodes: int, way: str) -> Row:
    """Trains `STEPS` steps, of which the first does not count, and validates."""
    graph, params = random_graph(num_nodes), load_params(paths.PARAMS)
    settings = params.teacher
    if way == "plain MLP, full":
        batching.ROWS_SHARE = 0
    encoder, share = (settings.encoder, settings.predicted_share) if way.startswith("teacher") else ("mlp", 1.0)
    spec = ModelSpec(
        encoder=encoder,
        decoder=settings.decoder,
        features=FEATURES,
        hidden=settings.hidden,
        layers=settings.layers,
        dropout=settings.dropout,
    )
    model = LinkModel(spec, generator(0, "weights"))
    rng = generator(0, "sampling")
    objective = Objective(graph.edges, PairSpace.of(graph), {"label": 1.0}, settings.negatives, None, rng)
    fanouts = settings.fanout_of_layers if way == "teacher, sampled" else None
    reuse_memory()
    forget_peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, dropout = Checkpoint(Path(folder), ""), generator(0, "dropout")
        precision = resolve_precision(params.run, torch.device("cpu"))
        trainer = Trainer(
            model, graph, objective, settings, share, dropout, precision, checkpoint, scale=True, fanouts=fanouts
        )
        model.train()
        steps = list(trainer._steps(0))
        seconds = [_clock(lambda step=step: trainer._train_step(step)) for step in steps[:STEPS]]
        step = statistics.median(seconds[1:])
        return Row(num_nodes, way, step, step * len(steps), _clock(trainer.validate), peak_memory_mb())


def _clock(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    """Prints the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", action="append", type=int, help="default: 40000, 235868")
    parser.add_argument("--way", action="append", choices=WAYS, help="default: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.child:
        print(json.dumps(asdict(measure(*arguments.nodes, *arguments.way))))
        return
    print(f"{'nodes':>10}  {'way':<18}{'step, s':>9}{'epoch, s':>10}{'validation, s':>15}{'memory, MB':>12}")
    rows = []
    common = [sys.executable, "-W", "ignore", __file__, "--child", "--threads", str(arguments.threads)]
    for nodes in arguments.nodes or [40_000, 235_868]:
        for way in arguments.way or WAYS:
            command = [*common, "--nodes", str(nodes), "--way", way]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows.append(row := Row(**json.loads(done.stdout)))
            figures = f"{row.step_seconds:>9.2f}{row.epoch_seconds:>10.1f}{row.validate_seconds:>15.1f}"
            print(f"{row.nodes:>10,}  {row.way:<18}{figures}{row.peak_memory_mb:>12.0f}", flush=True)
    about = {"threads": arguments.threads, "machine": asdict(machine())}
    print(json.dumps({**about, "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    main()
