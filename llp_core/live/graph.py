"""The live graph in memory: read from its folder, changed by files, and written again. All of it is vectorised."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from llp_core.config import FilesParams
from llp_core.datasets.columns import WORDS, Kind, guess_kind
from llp_core.datasets.tables import Table, read_table
from llp_core.datasets.values import to_numbers
from llp_core.errors import InputError
from llp_core.live.records import EDGES, LIVE, NODES, Counts

if TYPE_CHECKING:
    import pandas as pd

    from llp_core.live.changes import EdgeChange, NodeChange

Numbers = NDArray[np.int64]

_LARGEST_WHOLE = 2**53
"""Up to here float64 holds every whole number."""


class UnknownNode(InputError):
    """An edge names a node that is not there."""


@dataclass(frozen=True, eq=False)
class LiveGraph:
    """Nodes and undirected edges, each once, none from a node to itself.

    Attributes:
        files: names of the columns.
        kinds: of each feature column.
        nodes: id and features, in the order they came.
        ends: int64 [2, E], rows of `nodes`.
        edges: the edges' other columns, [E].
    """

    files: FilesParams
    kinds: Mapping[str, Kind]
    nodes: "pd.DataFrame"
    ends: Numbers
    edges: "pd.DataFrame"

    @property
    def num_nodes(self) -> int:
        """N."""
        return len(self.nodes)

    @property
    def num_edges(self) -> int:
        """E."""
        return int(self.ends.shape[1])

    def node_numbers(self, ids: "pd.Series[str]") -> Numbers:
        """The row of each id in `nodes`, -1 for one that is not there."""
        import pandas as pd

        numbers: Numbers = pd.Index(self.nodes[self.files.id]).get_indexer(ids).astype(np.int64)
        return numbers

    def widened(self, columns: Iterable[str]) -> Self:
        """With those of some columns that `data.files.columns` names and the nodes have not got; no value is known."""
        new = [column for column in columns if column in self.files.columns and column not in self.nodes.columns]
        nodes = self.nodes.assign(**dict.fromkeys(new, "")).astype(dict.fromkeys(new, "str"))
        kinds = {**self.kinds, **{column: self.files.columns[column] for column in new}}
        return dataclasses.replace(self, nodes=nodes, kinds=kinds) if new else self

    def keys(self, ends: Numbers) -> Numbers:
        """A number for each pair, int64 [P], whichever of its nodes stands first."""
        keys: Numbers = ends.min(0) * self.num_nodes + ends.max(0)
        return keys


def read_live(folder: Path, files: FilesParams) -> LiveGraph:
    """Reads a folder that `write_live` wrote, or any of the same form.

    Raises:
        InputError: a file is missing or does not hold what params.yaml says.
    """
    nodes, edges = (read_table(folder / name, str(LIVE / name)) for name in (NODES, EDGES))
    return assemble(nodes, edges, files)


def assemble(nodes: Table, edges: Table, files: FilesParams) -> LiveGraph:
    """The graph of two tables; of edges between the same two nodes the weights add up and the earliest time stays.

    Raises:
        InputError: a table does not hold what params.yaml says.
    """
    import pandas as pd

    from llp_core.live.changes import Rows, as_kept, edge_values

    nodes.require(files.id, "data.files.id")
    features = [column for column in nodes.data.column_names if column != files.id]
    kinds = {column: files.columns.get(column) or guess_kind(nodes, column) for column in features}
    kept = {column: as_kept(nodes, column, kind in WORDS) for column, kind in kinds.items()}
    empty = LiveGraph(
        files=files,
        kinds=kinds,
        nodes=pd.DataFrame({files.id: nodes.words(files.id), **kept}),
        ends=np.empty((2, 0), dtype=np.int64),
        edges=pd.DataFrame(),
    )
    for column, setting in ((files.source, "source"), (files.target, "target")):
        edges.require(column, f"data.files.{setting}")
    rows = Rows(edges.name, edges.path, edges.data, np.arange(edges.rows))
    ends = _numbers_of(empty, {end: rows.words(end) for end in (files.source, files.target)}, rows)
    others = [column for column in edges.data.column_names if column not in (files.source, files.target)]
    values = pd.DataFrame(
        {column: edge_values(rows, column, files) for column in others}, index=pd.RangeIndex(edges.rows)
    )
    ends, values = _merged(empty, ends, values)
    return dataclasses.replace(empty, ends=ends, edges=values)


def write_live(graph: LiveGraph, folder: Path) -> None:
    """Writes the two files into a folder that exists. The same graph gives the same bytes."""
    ids = graph.nodes[graph.files.id]
    sides = (graph.files.source, graph.files.target)
    ends = {side: ids.take(numbers).reset_index(drop=True) for side, numbers in zip(sides, graph.ends, strict=True)}
    edges = graph.edges.assign(**ends)[[*sides, *graph.edges.columns]]
    _write_parquet(graph.nodes, folder / NODES)
    _write_parquet(edges, folder / EDGES)


def _write_parquet(frame: "pd.DataFrame", path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path)  # pandas notes its own version there


def changed(graph: LiveGraph, change: "NodeChange | EdgeChange") -> tuple[LiveGraph, Counts]:
    """The graph after a change, and what that did.

    Raises:
        UnknownNode: an edge to add names a node that is not there.
        InputError: an edge is both added and removed.
    """
    from llp_core.live.changes import NodeChange

    if not isinstance(change, NodeChange):
        return _with_edges(graph, change)
    graph, gone = _without_nodes(graph, change.removed)
    graph, come = _with_nodes(graph, change.added)
    return graph, gone + come


def _without_nodes(graph: LiveGraph, ids: "pd.Series[str]") -> tuple[LiveGraph, Counts]:
    """The graph without these nodes and their edges."""
    numbers = graph.node_numbers(ids)
    keep = np.ones(graph.num_nodes, dtype=bool)
    keep[numbers[numbers >= 0]] = False
    if keep.all():
        return graph, Counts()
    kept_edges = keep[graph.ends].all(0)
    moved = np.cumsum(keep) - 1
    left = dataclasses.replace(
        graph,
        nodes=graph.nodes[keep].reset_index(drop=True),
        ends=moved[graph.ends[:, kept_edges]],
        edges=graph.edges[kept_edges].reset_index(drop=True),
    )
    return left, Counts(nodes_removed=int((~keep).sum()), edges_removed=int((~kept_edges).sum()))


def _with_nodes(graph: LiveGraph, added: "pd.DataFrame") -> tuple[LiveGraph, Counts]:
    """The graph with these nodes; one that is there already gets the new values."""
    import pandas as pd

    if added.empty:
        return graph, Counts()
    graph = graph.widened(added.columns)
    numbers = graph.node_numbers(added[graph.files.id])
    new, there = np.flatnonzero(numbers < 0), np.flatnonzero(numbers >= 0)
    new_values: dict[str, pd.Series[Any]] = {
        graph.files.id: pd.concat([graph.nodes[graph.files.id], added[graph.files.id].iloc[new]], ignore_index=True)
    }
    differs = np.zeros(there.size, dtype=bool)
    for column, kind in graph.kinds.items():
        before, after = _alike(graph.nodes[column], added[column], as_words=kind in WORDS)
        old, now = before.iloc[numbers[there]].reset_index(drop=True), after.iloc[there].reset_index(drop=True)
        other = ~_same(old, now, kind)
        values = pd.concat([before, after.iloc[new]], ignore_index=True)
        values.iloc[numbers[there][other]] = now[other].to_numpy()
        new_values[column], differs = values, differs | other
    counts = Counts(nodes_added=new.size, nodes_changed=int(differs.sum()))
    return dataclasses.replace(graph, nodes=pd.DataFrame(new_values)[list(graph.nodes.columns)]), counts


def _alike(
    before: "pd.Series[Any]", after: "pd.Series[Any]", as_words: bool = False
) -> "tuple[pd.Series[Any], pd.Series[Any]]":
    """Both as one type that holds the values of both. As words, 007 and 7 are two values."""
    import pandas as pd

    if before.dtype == after.dtype:
        return before, after
    numeric = [pd.api.types.is_numeric_dtype(each) for each in (before, after)]
    if all(numeric):
        if any(each.dtype == np.int64 and (each.abs() > _LARGEST_WHOLE).any() for each in (before, after)):
            return _as_text(before), _as_text(after)
        return before.astype(np.float64), after.astype(np.float64)
    filled = after.str.strip() != "" if numeric[0] else None
    if filled is not None and (numbers := to_numbers(after[filled])).notna().all():
        if as_words and filled.all() and numbers.dtype == before.dtype and (numbers.astype("str") == after).all():
            return before, numbers
        if not as_words and filled.all():
            return _alike(before, numbers)
        if not as_words and (numbers.abs() <= _LARGEST_WHOLE).all():
            return _alike(before, numbers.astype(np.float64).reindex(after.index))
    return _as_text(before), _as_text(after)


def _as_text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column as text: whole numbers of a column with gaps as such, and gaps as none."""
    import pandas as pd

    text = values.astype("str")
    return text.str.removesuffix(".0").fillna("") if pd.api.types.is_float_dtype(values) else text


def _same(before: "pd.Series[Any]", after: "pd.Series[Any]", kind: Kind) -> NDArray[np.bool_]:
    """Whether values are equal, bool [rows]; in a column of numbers 1 and 1.0 are, and two gaps."""
    gaps = [values.isna() | (values.astype("str").str.strip() == "") for values in (before, after)]
    same = (before == after) | (gaps[0] & gaps[1])
    if kind == "number":
        first = to_numbers(before)
        same |= (first == to_numbers(after)) & (first.abs() <= _LARGEST_WHOLE)
    flags: NDArray[np.bool_] = same.to_numpy(dtype=bool)
    return flags


def _with_edges(graph: LiveGraph, change: "EdgeChange") -> tuple[LiveGraph, Counts]:
    """The graph with and without these edges; one that is there already stays as it is."""
    import pandas as pd

    sides = (graph.files.source, graph.files.target)
    ends = _numbers_of(graph, {side: change.added[side] for side in sides}, change.rows)
    gone = np.stack([graph.node_numbers(change.removed[side]) for side in sides])
    gone_keys = graph.keys(gone[:, (gone >= 0).all(0)])
    both = np.flatnonzero(np.isin(graph.keys(ends), gone_keys))
    if both.size:
        row = int(both[0])
        pair = " - ".join(repr(change.added[side][row]) for side in sides)
        raise change.rows.problem(sides[0], row, "an edge to be added or removed", f"{pair} with both", "Choose one.")
    values = change.added.drop(columns=list(sides))
    ends, values = _merged(graph, ends, values)
    there = graph.keys(graph.ends)
    new, keep = ~np.isin(graph.keys(ends), there), ~np.isin(there, gone_keys)
    columns = {
        column: pd.concat(_alike(graph.edges[column][keep], values[column][new]), ignore_index=True)
        for column in (graph.edges.columns if new.any() else ())
    }
    edges = pd.DataFrame(columns, index=pd.RangeIndex(int(keep.sum() + new.sum())))
    if not new.any():
        edges = graph.edges[keep].reset_index(drop=True)
    ends = np.concatenate((graph.ends[:, keep], ends[:, new]), axis=1)
    counts = Counts(edges_added=int(new.sum()), edges_removed=int((~keep).sum()))
    return dataclasses.replace(graph, ends=ends, edges=edges), counts


def _numbers_of(graph: LiveGraph, ends: "Mapping[str, pd.Series[str]]", rows: Table) -> Numbers:
    """Rows of nodes, int64 [2, P]."""
    numbers = []
    for column, ids in ends.items():
        numbers.append(graph.node_numbers(ids))
        unknown = np.flatnonzero(numbers[-1] < 0)
        if unknown.size:
            row = int(unknown[0])
            advice = f"Add the node, or take out its edges ({unknown.size} such values in this column)."
            told = rows.problem(column, row, "an id of the live data", repr(ids[row]), advice)
            raise UnknownNode(str(told))
    return np.stack(numbers)


def _merged(graph: LiveGraph, ends: Numbers, values: "pd.DataFrame") -> "tuple[Numbers, pd.DataFrame]":
    """Each edge once, where it stands first; no self loop."""
    keep = ends[0] != ends[1]
    ends, values = ends[:, keep], values[keep].reset_index(drop=True)
    _, first, group = np.unique(graph.keys(ends), return_index=True, return_inverse=True)
    order = np.argsort(first)
    once = values.iloc[first[order]].reset_index(drop=True)
    for column, put_together in ((graph.files.weight, "sum"), (graph.files.time, "min")):
        if column is not None and column in values.columns:
            together = values[column].groupby(group).agg(put_together).to_numpy()
            once[column] = together[order]
    return ends[:, first[order]], once
