"""Stages that measure: evaluate reads the test edges, once; latency times teacher and students."""

import logging
from collections.abc import Iterator

import torch

from llp_core import paths
from llp_core.config import Params
from llp_core.contestants.gnn import GraphScorer
from llp_core.contestants.torch_student import TorchStudent
from llp_core.evaluation import evaluate as evaluate_split
from llp_core.evaluation import score_test_pairs
from llp_core.graph import csr
from llp_core.latency import Scorer, measure, to_json_line, to_rows, to_text
from llp_core.machine import device_name
from llp_core.models import LinkModel, NodeFeatures, load_model
from llp_core.names import TEACHER, Setting
from llp_core.processes import reuse_memory
from llp_core.sampling import generator
from llp_core.store import load, new_folder, save, write_json
from llp_core.training.runs import resolve_device
from llp_core.types import Graph, LatencyTable, LinkSplit

logger = logging.getLogger(__name__)


def evaluate(params: Params, setting: Setting) -> None:
    """Scores the test edges with every model."""
    device = resolve_device(params.run)
    split = load(LinkSplit, paths.split(setting))
    features = NodeFeatures.of(load(Graph, paths.GRAPH).features, device)
    logits = {method: score_test_pairs(model, features, split) for method, model in _models(setting, device)}
    evaluation = evaluate_split(split, logits)
    made = {"stage": "evaluate", "setting": setting, "run": params.run.model_dump(mode="json")}
    with new_folder(paths.evaluation(setting), made) as folder:
        save(evaluation, folder)
        write_json(folder / "metrics.json", evaluation.figures)


def latency(params: Params, setting: Setting) -> None:
    """Times the teacher against every student."""
    reuse_memory()  # as `llp bench latency` and a training in this process do
    device = resolve_device(params.run)
    split = load(LinkSplit, paths.split(setting))
    features = NodeFeatures.of(load(Graph, paths.GRAPH).features, device)
    graph = csr(split.inference_edges, split.num_nodes).to(device)
    scorers: dict[str, Scorer] = {
        method: GraphScorer(model, features, graph) if model.encoder.needs_graph else TorchStudent(model, features)
        for method, model in _models(setting, device)
    }
    pairs = torch.cat((split.test_edges, split.test_negatives), dim=1)
    rng = generator(params.run.seed, "latency")
    timed = measure(scorers, split.num_nodes, pairs, params.latency, device, params.run.threads, rng)
    rows = tuple(row for one in timed for row in to_rows(one, TEACHER))
    table = LatencyTable(setting=setting, device=device_name(device), threads=params.run.threads, rows=rows)
    line = to_json_line(table)
    made = {"stage": "latency", "setting": setting, "latency": params.latency.model_dump(mode="json")}
    with new_folder(paths.latency(setting), made) as folder:
        save(table, folder)
        (folder / "latency.json").write_text(line + "\n", encoding="utf-8")
    logger.info("%s\n%s", to_text(table), line)


def _models(setting: Setting, device: torch.device) -> Iterator[tuple[str, LinkModel]]:
    yield TEACHER, load_model(paths.teacher(setting), device)
    for folder in sorted(path for path in paths.students(setting).iterdir() if path.is_dir()):
        yield folder.name, load_model(folder, device)
