"""How a graph differs from an earlier one: what came and went, and how far degrees and features have moved.

The population stability index of two distributions over the same bins is the sum of (after - before) * ln(after /
before) over the bins, each a share of at least `FLOOR`; below 0.1 is usually read as the same, above 0.25 as moved. The
Jensen-Shannon divergence, in bits, lies in 0..1 and does not turn on bins that are nearly empty.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llp_core.config import DataParams
from llp_core.datasets import get_dataset
from llp_core.datasets.columns import Kind, guess_kind, words_of
from llp_core.datasets.files import read_nodes
from llp_core.datasets.tables import Table
from llp_core.evaluation import DEGREE_BOUNDS
from llp_core.graph import degrees, pair_keys, undirected_keys
from llp_core.report.blocks import escaped
from llp_core.types import Graph

Shares = NDArray[np.float64]

FLOOR = 1e-4
"""The least share that a bin counts with, so that an empty one does not make the index infinite."""
BINS = 10
"""Of numbers: the deciles of the earlier graph."""
VALUES = 100
"""Of categories and words: the most frequent of the earlier graph; all others are one bin."""
NAMED = 20
"""At most so many features are named, those that moved most."""


@dataclass(frozen=True)
class Shift:
    """How far one thing has moved.

    Attributes:
        name: "degree", or a column.
        psi: population stability index, 0 where nothing moved.
        divergence: Jensen-Shannon, bits, 0..1.
    """

    name: str
    psi: float
    divergence: float


@dataclass(frozen=True)
class DriftReport:
    """A graph beside an earlier one; nodes are matched by their ids. Edges are undirected.

    Attributes:
        nodes_before, nodes_after, edges_before, edges_after: how many.
        new_nodes, removed_nodes, new_edges, removed_edges: how many came and went.
        among_new: of the new edges, how many join two new nodes.
        degree: of the nodes.
        features: columns of the nodes that moved most, the farthest first.
        features_compared: how many there are.
        columns_gone: columns that only one of the two graphs has.
    """

    nodes_before: int
    nodes_after: int
    edges_before: int
    edges_after: int
    new_nodes: int
    removed_nodes: int
    new_edges: int
    removed_edges: int
    among_new: int
    degree: Shift
    features: tuple[Shift, ...]
    features_compared: int
    columns_gone: tuple[str, ...]

    @property
    def max_psi(self) -> float:
        """The largest index, of degrees or of a feature."""
        return max(shift.psi for shift in (self.degree, *self.features))

    @property
    def shares(self) -> dict[str, float]:
        """What came and went, as shares in 0..1: of nodes, of edges, and among new edges of those among new nodes."""
        return {
            "new nodes": self.new_nodes / self.nodes_after,
            "removed nodes": self.removed_nodes / self.nodes_before,
            "new edges": self.new_edges / max(self.edges_after, 1),
            "removed edges": self.removed_edges / max(self.edges_before, 1),
            "new edges among new nodes": self.among_new / max(self.new_edges, 1),
        }

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON has them, with the shares and the largest index."""
        return {**dataclasses.asdict(self), "shares": self.shares, "max_psi": self.max_psi}

    def to_markdown(self) -> str:
        """Two tables: what came and went, and what has moved."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"Nodes: {self.nodes_before:,}, now {self.nodes_after:,}."
        yield f"Edges: {self.edges_before:,}, now {self.edges_after:,}.\n"
        counts = (self.new_nodes, self.removed_nodes, self.new_edges, self.removed_edges, self.among_new)
        yield "| | how many | share |\n|---|---:|---:|"
        for (name, share), count in zip(self.shares.items(), counts, strict=True):
            yield f"| {name} | {count:,} | {100 * share:.1f} % |"
        yield "\n| moved | PSI | Jensen-Shannon |\n|---|---:|---:|"
        for shift in (self.degree, *self.features):
            yield f"| {escaped(shift.name)} | {shift.psi:.3f} | {shift.divergence:.3f} |"
        if self.features_compared > len(self.features):
            yield f"\nThe {len(self.features)} of {self.features_compared:,} features that moved most."
        if self.columns_gone:
            yield f"\nOnly one of the two graphs has: {', '.join(map(escaped, self.columns_gone))}."


def drift_report(before: Graph, after: Graph, tables: tuple[Table, Table], given: Mapping[str, Kind]) -> DriftReport:
    """How a graph differs from an earlier one.

    Args:
        before: the earlier graph.
        after: the later one.
        tables: of the nodes of each. Their columns are compared, since the features made of them are learnt anew from
            each table.
        given: kinds of columns that are not to be guessed; `ignore` leaves one out.
    """
    new, removed, edges = _matched(before, after)
    shifts, gone = _of_columns(*tables, given)
    counts = [_degree_counts(graph) for graph in (before, after)]
    return DriftReport(
        nodes_before=before.num_nodes,
        nodes_after=after.num_nodes,
        edges_before=before.num_edges,
        edges_after=after.num_edges,
        new_nodes=new,
        removed_nodes=removed,
        **edges,
        degree=_shift("degree", *counts),
        features=tuple(sorted(shifts, key=lambda shift: -shift.psi)[:NAMED]),
        features_compared=len(shifts),
        columns_gone=gone,
    )


def drift_between(before: Path, after: Path, params: DataParams) -> DriftReport:
    """How one's own graph differs from an earlier version of it.

    Args:
        before: a folder of raw files, such as data/raw, data/live or a version of it.
        after: another.
        params: of data set `files`; they name the columns.

    Raises:
        InputError: a file is missing or does not hold what params.yaml says.
    """
    load = get_dataset("files").load
    graphs = [load(folder, params)[0] for folder in (before, after)]
    tables = [read_nodes(folder, params.files) for folder in (before, after)]
    return drift_report(
        graphs[0], graphs[1], (tables[0], tables[1]), {**params.files.columns, params.files.id: "ignore"}
    )


def _matched(before: Graph, after: Graph) -> tuple[int, int, dict[str, int]]:
    """How many nodes are new, and removed; and how many edges by the names of the report."""
    import pandas as pd

    numbers = torch.from_numpy(pd.Index(before.node_ids).get_indexer(pd.Index(after.node_ids)).astype(np.int64))
    is_new = numbers < 0
    new = int(is_new.sum())
    common = torch.where(is_new, before.num_nodes + is_new.cumsum(0) - 1, numbers)
    total = before.num_nodes + new
    kept = torch.isin(undirected_keys(common[after.edges], total), pair_keys(before.edges, total))
    edges = {
        "new_edges": int((~kept).sum()),
        "removed_edges": before.num_edges - int(kept.sum()),
        "among_new": int(is_new[after.edges[:, ~kept]].all(0).sum()),
    }
    return new, before.num_nodes - (after.num_nodes - new), edges


def _degree_counts(graph: Graph) -> Shares:
    degree = degrees(graph.edges, graph.num_nodes)
    bucket = torch.bucketize(degree, torch.tensor(DEGREE_BOUNDS), right=True) - 1
    counts: Shares = torch.bincount(bucket, minlength=len(DEGREE_BOUNDS)).double().numpy()
    return counts


def _of_columns(before: Table, after: Table, given: Mapping[str, Kind]) -> tuple[list[Shift], tuple[str, ...]]:
    names = [[name for name in table.data.column_names if given.get(name) != "ignore"] for table in (before, after)]
    gone = tuple(sorted({*names[0]} ^ {*names[1]}))
    both = [name for name in names[0] if name in names[1]]
    kinds: dict[str, Kind] = {name: given.get(name) or guess_kind(before, name) for name in both}
    shifts = []
    for name, kind in kinds.items():
        if kind == "number":
            counts = _number_counts(*(table.numbers(name, may_be_empty=True) for table in (before, after)))
        else:
            counts = _value_counts(*(_values(table, name, kind) for table in (before, after)))
        shifts.append(_shift(name, *counts))
    return shifts, gone


def _values(table: Table, name: str, kind: Kind) -> Mapping[str, int]:
    """How often each category, or each word of a text, occurs, and an empty one."""
    texts = table.words(name, may_be_empty=True)
    if kind == "category":
        return dict(texts.value_counts())
    return Counter({"": int((texts == "").sum())}) + Counter(word for text in texts for word in words_of(text))


def _value_counts(before: Mapping[Any, int], after: Mapping[Any, int]) -> tuple[Shares, Shares]:
    """Counts of the most frequent values of `before`, and of all others together."""
    common = [value for value, _ in Counter(before).most_common(VALUES)]
    counts = []
    for values in (before, after):
        known = [values.get(value, 0) for value in common]
        counts.append(np.array([*known, sum(values.values()) - sum(known)], dtype=np.float64))
    return counts[0], counts[1]


def _number_counts(before: NDArray[Any], after: NDArray[Any]) -> tuple[Shares, Shares]:
    """Counts of each value where `before` has few, else between its deciles; and of gaps, which are NaN."""
    gaps = [np.isnan(numbers) for numbers in (before, after)]
    earlier, later = before[~gaps[0]], after[~gaps[1]]
    tables = [dict(zip(*np.unique(numbers, return_counts=True), strict=True)) for numbers in (earlier, later)]
    if len(tables[0]) <= BINS:
        counts = _value_counts(tables[0], tables[1])
    else:
        bounds = np.unique(np.quantile(earlier, np.arange(1, BINS) / BINS))
        bins = (np.searchsorted(bounds, numbers, side="right") for numbers in (earlier, later))
        first, second = (np.bincount(each, minlength=bounds.size + 1).astype(np.float64) for each in bins)
        counts = first, second
    return np.append(counts[0], gaps[0].sum()), np.append(counts[1], gaps[1].sum())


def _shift(name: str, before: Shares, after: Shares) -> Shift:
    """From counts over the same bins."""
    earlier, later = before / max(before.sum(), 1), after / max(after.sum(), 1)
    return Shift(name, stability_index(earlier, later), divergence(earlier, later))


def stability_index(before: Shares, after: Shares) -> float:
    """The population stability index of two distributions over the same bins, as shares."""
    earlier, later = np.maximum(before, FLOOR), np.maximum(after, FLOOR)
    return float(((later - earlier) * np.log(later / earlier)).sum())


def divergence(before: Shares, after: Shares) -> float:
    """The Jensen-Shannon divergence of two distributions over the same bins, in bits."""
    middle = (before + after) / 2
    terms = [shares[shares > 0] * np.log2(shares[shares > 0] / middle[shares > 0]) / 2 for shares in (before, after)]
    return float(sum(term.sum() for term in terms))
