"""Validation figures of students with different loss weights, to choose defaults by. Test edges are not read.

    .venv/bin/python benchmarks/loss_weights.py --setting transductive --seeds 3

It trains on the artefacts of the last run (`llp run-flow full`), changes nothing there, and prints a line a variant
as it goes: means over seeds of validation Hits@20 and MRR (percent), of the best epoch, and seconds a training. One
JSON line last. One thread; two settings may run side by side.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import torch

from llp_core import paths
from llp_core.config import Params, StudentParams, load_params
from llp_core.metrics import mean_reciprocal_rank
from llp_core.models import NodeFeatures
from llp_core.names import SETTINGS, Method, Setting
from llp_core.splits import training_graph
from llp_core.store import load
from llp_core.training.runs import train_student
from llp_core.types import Contexts, Graph, LinkSplit, TeacherScores

PUBLISHED_CORA = {"label_weight": 0.1, "rank_weight": 1.0, "distribution_weight": 0.001, "temperature": 1.0}
VARIANTS: dict[str, tuple[Method, dict[str, float]]] = {
    "label": ("label", {"label_weight": 1.0}),
    "llp, published for Cora": ("llp", PUBLISHED_CORA),
    "llp, published, distribution 1": ("llp", PUBLISHED_CORA | {"distribution_weight": 1.0}),
    "llp, 1 / 0.1 / 1": ("llp", {"label_weight": 1.0, "rank_weight": 0.1, "distribution_weight": 1.0}),
    "llp, 1 / 0.1 / 1, temperature 0.1": (
        "llp",
        {"label_weight": 1.0, "rank_weight": 0.1, "distribution_weight": 1.0, "temperature": 0.1},
    ),
}


def measure(params: Params, setting: Setting, seeds: int) -> Iterator[dict[str, float | str]]:
    """A record a variant."""
    graph = training_graph(load(LinkSplit, paths.split(setting)), load(Graph, paths.GRAPH).features)
    contexts = load(Contexts, paths.contexts(setting))
    scores = load(TeacherScores, paths.teacher_scores(setting))
    features = NodeFeatures.of(graph.features)
    for name, (method, weights) in VARIANTS.items():
        student = StudentParams(**(params.student.model_dump() | weights))
        hits, ranks, epochs, seconds = [], [], [], []
        for seed in range(seeds):
            run = params.run.model_copy(update={"seed": seed, "device": "cpu"})
            started = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                trained = train_student(graph, method, contexts, scores, student, run, Path(folder))
            seconds.append(time.perf_counter() - started)
            with torch.inference_mode():
                hidden = trained.model.encode(features)
            pairs = (graph.valid_edges, graph.valid_negatives)
            ranks.append(mean_reciprocal_rank(*(trained.model.score(hidden, part) for part in pairs)))
            hits.append(trained.fit.valid_hits_at_20)
            epochs.append(trained.fit.best_epoch)
        yield {
            "variant": name,
            "valid_hits_at_20": fmean(hits),
            "valid_mrr": fmean(ranks),
            "best_epoch": fmean(epochs),
            "seconds": fmean(seconds),
        }


def main() -> None:
    """Prints the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=SETTINGS, default="transductive")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    records = []
    print(f"{'variant':<36}{'Hits@20':>9}{'MRR':>7}{'epoch':>7}{'seconds':>9}")
    for record in measure(load_params(paths.PARAMS), arguments.setting, arguments.seeds):
        hits, mrr = 100 * float(record["valid_hits_at_20"]), 100 * float(record["valid_mrr"])
        row = f"{record['variant']:<36}{hits:>9.1f}{mrr:>7.1f}{record['best_epoch']:>7.0f}{record['seconds']:>9.1f}"
        print(row, flush=True)
        records.append(record)
    print(json.dumps({"setting": arguments.setting, "seeds": arguments.seeds, "variants": records}))


if __name__ == "__main__":
    main()
