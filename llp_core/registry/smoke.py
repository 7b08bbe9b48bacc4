"""The smoke test: a few dozen pairs with the scores they had when the version was written.

A version brings the nodes of its pairs along, as rows of the user's table where its features come from one, else as
features. So the test needs no data, and goes the way of a request: encode the nodes, score the pairs.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llp_core import paths
from llp_core.config import Params
from llp_core.datasets.columns import Column, FeatureEncoder
from llp_core.datasets.files import read_nodes
from llp_core.datasets.tables import Table
from llp_core.errors import LLPError
from llp_core.graph import select_rows
from llp_core.models import NodeFeatures, load_model
from llp_core.names import SETTINGS
from llp_core.registry.candidate import student_methods
from llp_core.registry.records import ENCODER, SMOKE, SMOKE_FEATURES
from llp_core.store import load, read_json, read_tensors, write_json, write_tensors
from llp_core.types import Graph, LinkSplit

PAIRS_OF_A_KIND = 12
"""Edges, and as many pairs without an edge, of each setting."""
RTOL, ATOL = 1e-3, 1e-4
"""How far a score may lie from the recorded one: other processors and versions sum in another order."""


class SmokeFailed(LLPError):
    """A version does not score known pairs as it did when it was written."""


def write_smoke(root: Path, folder: Path, graph: Graph, params: Params) -> None:
    """Writes pairs, nodes and scores of the candidate into a version's new folder.

    Args:
        root: the project's folder; the scores are those of its models on its graph.
        folder: of the version.
        graph: of the project.
        params: of the project.
    """
    pairs = {setting: _some_pairs(load(LinkSplit, root / paths.split(setting))) for setting in SETTINGS}
    nodes = torch.unique(torch.cat([each.flatten() for each in pairs.values()]))
    features = select_rows(graph.features, nodes)
    local = {setting: torch.searchsorted(nodes, each) for setting, each in pairs.items()}
    students = {setting: root / paths.students(setting) for setting in SETTINGS}
    columns: dict[str, list[Any]] | None = None
    if (folder / ENCODER).is_file():
        table = read_nodes(root / paths.RAW, params.data.files)
        sample = Table(table.name, table.path, table.data.take(nodes.numpy()))
        columns = {column.name: _values(sample, column) for column in FeatureEncoder.load(folder / ENCODER).columns}
    else:
        write_tensors(folder / SMOKE_FEATURES, {"features": features})
    content = {
        "nodes": [graph.node_ids[node] for node in nodes],
        "columns": columns,
        "settings": {
            setting: {
                "pairs": local[setting].T.tolist(),
                "logits": {
                    method: logits.tolist()
                    for method, logits in _score(students[setting], features, local[setting]).items()
                },
            }
            for setting in SETTINGS
        },
    }
    write_json(folder / SMOKE, content)


def smoke_test(folder: Path) -> None:
    """Scores a version's known pairs with each of its models.

    Raises:
        SmokeFailed: a score is not the recorded one, or not finite; the message says which.
        InputError: a file is missing or not readable.
    """
    known = read_json(folder / SMOKE)
    features = _features(folder, known)
    for setting, own in known["settings"].items():
        scored = _score(folder / setting, features, torch.tensor(own["pairs"], dtype=torch.int64).T)
        for method, recorded in own["logits"].items():
            _compare(f"{folder.name}, {setting}, {method}", scored[method], recorded, own["pairs"], known["nodes"])


def _values(table: Table, column: Column) -> list[Any]:
    """A column as JSON has it: a Parquet file may hold decimals, and null is a gap."""
    if column.kind != "number":
        return list(table.words(column.name, may_be_empty=True))
    numbers = table.numbers(column.name, may_be_empty=True).tolist()
    return [None if math.isnan(number) else number for number in numbers]


def _features(folder: Path, known: Mapping[str, Any]) -> Tensor:
    import pyarrow as pa

    if known["columns"] is None:
        return read_tensors(folder / SMOKE_FEATURES)["features"]
    table = Table(str(folder / SMOKE), folder / SMOKE, pa.table(known["columns"]))
    return FeatureEncoder.load(folder / ENCODER).apply(table)


@torch.inference_mode()
def _score(students: Path, features: Tensor, pairs: Tensor) -> dict[str, Tensor]:
    """Logits, float32 [P], by each method of int64 [2, P] pairs of rows of the features."""
    scores: dict[str, Tensor] = {}
    for method in student_methods(students):
        model = load_model(students / method)
        scores[method] = model.score(model.encode(NodeFeatures.of(features)), pairs)
    return scores


def _some_pairs(split: LinkSplit) -> Tensor:
    """int64 [2, P], evenly out of the test edges, whose groups stand one after the other, and of the negatives."""
    parts = []
    for pairs in (split.test_edges, split.test_negatives):
        count = min(PAIRS_OF_A_KIND, pairs.shape[1])
        parts.append(pairs[:, torch.linspace(0, pairs.shape[1] - 1, count).long()])
    return torch.cat(parts, dim=1)


def _compare(name: str, scored: Tensor, recorded: list[float], pairs: list[list[int]], nodes: list[str]) -> None:
    expected = torch.tensor(recorded)
    differs = ~torch.isclose(scored, expected, rtol=RTOL, atol=ATOL)
    if bool(differs.any()):
        number = int(differs.int().argmax())
        first, second = (nodes[node] for node in pairs[number])
        raise SmokeFailed(
            f"{name}: {int(differs.sum())} of {len(pairs)} known pairs do not score as recorded, such as "
            f"{first} with {second}: {float(scored[number]):.6g} in place of {recorded[number]:.6g}."
        )
