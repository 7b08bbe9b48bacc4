"""Stages from raw files to a split: download, prepare, validate, split."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from llp_core import paths
from llp_core.checks import check_graph, check_split, write_findings
from llp_core.config import Params
from llp_core.datasets import get_dataset
from llp_core.graph import undirected_keys
from llp_core.names import Setting
from llp_core.sampling import PairSpace
from llp_core.splits import reported_split
from llp_core.store import load, new_folder, save, write_json
from llp_core.types import Graph

logger = logging.getLogger(__name__)


def download(params: Params) -> None:
    """Brings the raw files of the data set to data/raw."""
    dataset = get_dataset(params.data.name)
    made = {"stage": "download", "data": params.data.model_dump(mode="json")}
    with new_folder(paths.RAW, made) as folder:
        dataset.download(folder, params.data)


def prepare(params: Params) -> None:
    """Reads the raw files as a canonical graph, and counts what is dropped on the way."""
    graph, dropped, encoder = get_dataset(params.data.name).load(paths.RAW, params.data)
    made = {"stage": "prepare", "data": params.data.model_dump(mode="json")}
    with new_folder(paths.GRAPH, made) as folder:
        save(graph, folder)
        write_json(folder / "dropped.json", dict(dropped))
        if encoder is not None:
            encoder.save(folder / paths.ENCODER.name)
            logger.info("%s: columns as %s", params.data.files.nodes, encoder.told())
        if graph.node_type is not None and graph.type_names is not None:
            logger.info("%s: %s", params.data.files.nodes, _told_types(graph, graph.node_type, graph.type_names))


def _told_types(graph: Graph, node_type: Tensor, names: Sequence[str]) -> str:
    """How many nodes of each type there are, and how many edges between any two types."""
    joined = PairSpace.of(graph).joined
    nodes = [f"{count:,} {name}" for count, name in zip(torch.bincount(node_type).tolist(), names, strict=True)]
    counts = torch.bincount(undirected_keys(node_type[graph.edges], len(names)), minlength=len(names) ** 2)
    pairs = [
        f"{int(counts[key]):,} {names[key // len(names)]} - {names[key % len(names)]}"
        + ("" if joined is None or bool(joined.flatten()[key]) else " (so few that they count as slips)")
        for key in counts.nonzero().flatten().tolist()
    ]
    return f"nodes: {', '.join(nodes)}; edges: {', '.join(pairs) or 'none'}"


def validate(params: Params) -> None:
    """Checks nodes and edges."""
    findings = check_graph(load(Graph, paths.GRAPH), params.validate_)
    findings.require("validate")
    made = {"stage": "validate", "validate": params.validate_.model_dump(mode="json")}
    with new_folder(paths.CHECKS, made) as folder:
        write_findings(findings, folder)


def split(params: Params, setting: Setting) -> None:
    """Holds edges out for validation and test, and checks that nothing leaks."""
    graph = load(Graph, paths.GRAPH)
    dataset = get_dataset(params.data.name)
    chosen = params.split.with_shares_of(dataset.new_node_share, dataset.test_share)
    made_split = reported_split(graph, setting, chosen)
    findings = check_split(made_split, graph)
    findings.require(f"split-{setting}")
    made = {"stage": "split", "setting": setting, "split": chosen.model_dump(mode="json")}
    with new_folder(paths.split(setting), made) as folder:
        save(made_split, folder)
        (folder / "checks").mkdir()
        write_findings(findings, folder / "checks")
