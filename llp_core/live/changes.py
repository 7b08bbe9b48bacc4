"""A file of changes, read and checked by itself: nodes or edges to add, and those to remove."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llp_core.config import FilesParams
from llp_core.datasets.columns import WORDS
from llp_core.datasets.tables import Table, read_table
from llp_core.datasets.values import is_number, parse_numbers
from llp_core.errors import InputError
from llp_core.live.graph import LiveGraph

if TYPE_CHECKING:
    import pandas as pd

CHANGE = "change"
"""The optional column that says what a row is for: `add` or `remove`."""
ADD, REMOVE = "add", "remove"


@dataclass(frozen=True, eq=False)
class Rows(Table):
    """Some rows of a file; errors name the line they have there.

    Attributes:
        positions: int64 [rows], of the rows in the file, from 0.
    """

    positions: NDArray[np.int64]

    def place(self, row: int) -> str:
        """As `Table.place`."""
        return super().place(int(self.positions[row]))


@dataclass(frozen=True, eq=False)
class NodeChange:
    """A nodes file.

    Attributes:
        added: the nodes to add, and those that get other values: columns as those of `LiveGraph.nodes`.
        removed: ids of those to remove.
    """

    added: "pd.DataFrame"
    removed: "pd.Series[str]"


@dataclass(frozen=True, eq=False)
class EdgeChange:
    """An edges file.

    Attributes:
        added: the edges to add: source, target and the columns of `LiveGraph.edges`.
        removed: those to remove: source and target.
        rows: of `added`, to tell where a fault is.
    """

    added: "pd.DataFrame"
    removed: "pd.DataFrame"
    rows: Rows


def read_change(path: Path, name: str, live: LiveGraph) -> NodeChange | EdgeChange:
    """Reads a file. What it holds is told by its columns.

    Args:
        path: of the file.
        name: what errors call it.
        live: the graph that it is to change; the file has the same columns.

    Raises:
        InputError: the file does not hold what it must.
    """
    table = read_table(path, name)
    files, columns = live.files, set(table.data.column_names)
    ends = {files.source, files.target}
    if ends <= columns and not ends <= set(live.nodes.columns):
        return _edge_change(table, live)
    if files.id in columns:
        return _node_change(table, live)
    raise InputError(
        f"{name}, line 1: expected a column {files.id!r}, as a file of nodes has, or columns {files.source!r} and "
        f"{files.target!r}, as one of edges has; found {', '.join(map(repr, table.data.column_names[:20]))}."
    )


def _node_change(table: Table, live: LiveGraph) -> NodeChange:
    import pandas as pd

    live, id_column = live.widened(table.data.column_names), live.files.id
    ids = table.words(id_column)
    repeated = np.flatnonzero(ids.duplicated())
    if repeated.size:
        row = int(repeated[0])
        raise table.problem(id_column, row, "every id once", f"{ids[row]!r} again", "Keep one of the rows.")
    added, removed = _split(table)
    _require_columns(table, set(live.nodes.columns), {id_column} if not added.rows else set(live.nodes.columns))
    if not added.rows:
        return NodeChange(live.nodes.iloc[:0], ids)
    values = {column: _feature(added, column, live) for column in live.nodes.columns if column != id_column}
    nodes = pd.DataFrame({id_column: added.words(id_column), **values})
    return NodeChange(nodes[list(live.nodes.columns)], removed.words(id_column))


def _edge_change(table: Table, live: LiveGraph) -> EdgeChange:
    import pandas as pd

    files = live.files
    added, removed = _split(table)
    known = {files.source, files.target, *live.edges.columns}
    _require_columns(table, known, known if added.rows else {files.source, files.target})
    ends = (pd.DataFrame({end: rows.words(end) for end in (files.source, files.target)}) for rows in (added, removed))
    new, gone = ends
    if added.rows:
        new = new.assign(**{column: edge_values(added, column, files) for column in live.edges.columns})
    return EdgeChange(new, gone, added)


def _split(table: Table) -> tuple[Rows, Rows]:
    """The rows to add, and those to remove."""
    remove = np.zeros(table.rows, dtype=bool)
    if CHANGE in table.data.column_names:
        words = table.words(CHANGE)
        unknown = np.flatnonzero(~words.isin([ADD, REMOVE]).to_numpy())
        if unknown.size:
            row = int(unknown[0])
            raise table.problem(CHANGE, row, f"{ADD} or {REMOVE}", repr(words[row]), "Correct it.")
        remove = (words == REMOVE).to_numpy(dtype=bool)
    added, removed = (
        Rows(table.name, table.path, table.data.filter(mask), np.flatnonzero(mask)) for mask in (~remove, remove)
    )
    return added, removed


def _require_columns(table: Table, known: set[str], needed: set[str]) -> None:
    found = set(table.data.column_names) - {CHANGE}
    if extra := sorted(found - known):
        raise InputError(
            f"{table.name}, line 1: expected the columns of the live data, found also {extra[0]!r}. Take it out; a new "
            f"column of nodes needs its kind in params.yaml first, such as data.files.columns.{extra[0]}: number."
        )
    if missing := sorted(needed - found):
        raise InputError(f"{table.name}, line 1: expected a column {missing[0]!r}, as the live data has. Add it.")


def _feature(rows: Rows, column: str, live: LiveGraph) -> "pd.Series[Any]":
    """A feature's column, checked to be of the kind that it is in the live data."""
    kind = live.kinds[column]
    if column == live.files.node_type:
        rows.words(column)  # no node is without one
    if kind in WORDS:
        return rows.words(column, may_be_empty=True)
    if kind == "number":
        rows.numbers(column, "It is a column of numbers in the live data.", may_be_empty=True)
    return as_kept(rows, column)


def as_kept(table: Table, column: str, as_words: bool = False) -> "pd.Series[Any]":
    """A column as the live data keeps it: whole numbers as int64, others as float64, the rest as text.

    Whole numbers beyond int64, or beyond 2^53 in a column with gaps, are text too, and so are those of a column of
    words with gaps.

    Raises:
        InputError: it is of a type that has no text, such as a list.
    """
    import pandas as pd
    import pyarrow as pa

    values = table.data.column(column)
    if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        with suppress(pa.ArrowInvalid):  # some are too large, and kept as text
            if not (as_words and values.null_count):
                kept: pd.Series[Any] = values.cast(pa.float64() if values.null_count else pa.int64()).to_pandas()
                return kept
    elif is_number(values.type):
        return pd.Series(parse_numbers(values))
    try:
        text = values.cast(pa.string())
    except pa.ArrowException:
        raise InputError(
            f"{table.name}, column {column!r}: expected numbers or text, found type {values.type}. Take it out; the "
            "live data keeps no such column."
        ) from None
    return text.to_pandas().astype("str").fillna("")


def edge_values(table: Table, column: str, files: FilesParams) -> Any:
    """A column of the edges other than their ends: weight as float64, time as int64, others as they stand.

    Raises:
        InputError: a weight is no number, a time no whole one, or another column of a type that is not kept.
    """
    if column == files.weight:
        return table.numbers(column)
    return table.integers(column) if column == files.time else as_kept(table, column)
