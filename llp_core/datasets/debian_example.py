"""The example of one's own graph: the neighbourhood of one package in the embedded snapshot, as two CSV files."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from llp_core import paths
from llp_core.datasets.debian import read_build
from llp_core.graph import CSR, csr

START = "python3-sklearn"
NODES = 400


def write_example(output: Path) -> None:
    """Writes nodes.csv and edges.csv into a folder that exists.

    The nodes are the `NODES` packages nearest to `START`, with the edges among them. Columns: the words of name
    and description (text), the architecture (category), the size when installed (number).
    """
    nodes, edges, features, vocabulary = read_build(paths.EMBEDDED / "debian")
    names = nodes["package"].tolist()
    chosen = sorted(_nearest(csr(edges, len(names)), names.index(START), NODES))
    kinds_and_words = [feature.partition(":") for feature in vocabulary["feature"]]
    is_word = torch.tensor([kind in ("name", "word") for kind, _, _ in kinds_and_words])
    rows = []
    for node in chosen:
        first, last = features.crow_indices()[node : node + 2].tolist()
        columns = features.col_indices()[first:last]
        words = sorted({kinds_and_words[column][2] for column in columns[is_word[columns]].tolist()})
        rows.append((names[node], " ".join(words), nodes["architecture"][node], nodes["installed_kib"][node]))
    _write(output / "nodes.csv", ("id", "words", "architecture", "installed_kib"), rows)
    inside = torch.zeros(len(names), dtype=torch.bool)
    inside[chosen] = True
    pairs = edges[:, inside[edges].all(0)].T.tolist()
    _write(output / "edges.csv", ("source", "target"), [(names[source], names[target]) for source, target in pairs])


def _nearest(graph: CSR, start: int, most: int) -> list[int]:
    """Breadth first, neighbours in ascending order."""
    found = {start}
    queue = [start]
    for node in queue:
        for neighbor in graph.neighbors[graph.offsets[node] : graph.offsets[node + 1]].tolist():
            if neighbor not in found and len(found) < most:
                found.add(neighbor)
                queue.append(neighbor)
    return queue


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
