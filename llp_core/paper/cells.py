"""The results on disk: a JSON file for each finished cell, and the Parquet file that is committed."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llp_core.datasets import DATASETS
from llp_core.errors import InputError
from llp_core.metrics import HITS_AT
from llp_core.names import ALL_EDGES, EDGE_GROUPS, SETTINGS
from llp_core.paper.plan import ALL_METHODS, Cell, Group, group_of
from llp_core.store import atomic_file, read_json, write_json

FOLDER = Path("data/paper")
"""Graphs, trainings under way, logs and finished cells."""
RESULTS = Path("benchmarks/results/paper.parquet")
"""All that is known, a row for each cell."""

Row = dict[str, Any]
"""Column -> value, as `SCHEMA` lists them."""

GROUPS = (ALL_EDGES, *EDGE_GROUPS)
METRICS = (*(f"hits_at_{k}" for k in HITS_AT), "mrr", "auc")

SCHEMA = pa.schema(
    [
        ("dataset", pa.string()),
        ("setting", pa.string()),
        ("method", pa.string()),
        ("split", pa.int64()),  # its seed
        ("seed", pa.int64()),  # of the models
        *((f"{group}.{metric}", pa.float64()) for group in GROUPS for metric in METRICS),  # shares
        *((f"{group}.positives", pa.int64()) for group in GROUPS),  # null where the setting has no such edges
        ("negatives", pa.int64()),  # that each test edge was ranked against
        ("best_epoch", pa.int64()),  # from 0; of several members, the latest of theirs
        ("epochs", pa.int64()),
        ("valid_score", pa.float64()),  # of the weights kept
        ("settings", pa.string()),  # JSON, see `llp_core.paper.plan.settings_text`
        ("commit", pa.string()),  # with a + where files differed from it
        ("cpu_seconds", pa.float64()),  # of the training, all threads together
        ("seconds", pa.float64()),  # with scoring; of the first student, with exporting the teacher's scores
        ("peak_memory_mb", pa.float64()),  # of the process, 2**20 bytes
        ("resumed", pa.bool_()),  # the training may have begun in an earlier process, which costs leave out
        ("cpu", pa.string()),
        ("cores", pa.int64()),
        ("gpu", pa.string()),  # that the models were trained on; null where on the CPU
        ("torch", pa.string()),
    ]
)


def cell_of(row: Mapping[str, Any]) -> Cell:
    """Which cell a row is of."""
    return Cell(*(row[name] for name in Cell._fields))


def cell_path(folder: Path, cell: Cell) -> Path:
    """Where a finished cell lies."""
    return folder / "cells" / cell.dataset / cell.setting / f"{cell.method}-split{cell.split}-seed{cell.seed}.json"


def write_cell(folder: Path, row: Row) -> None:
    """Keeps a finished cell, in one step.

    Raises:
        ValueError: a column is missing, or is not one of `SCHEMA`.
    """
    if set(row) != set(SCHEMA.names):
        raise ValueError(f"a row's columns differ from the schema's: {sorted(set(row) ^ set(SCHEMA.names))}")
    write_json(cell_path(folder, cell_of(row)), row)


def read_cells(folder: Path) -> dict[Cell, Row]:
    """Every finished cell below a folder.

    Raises:
        InputError: a file is not readable.
    """
    rows = [read_json(path) for path in sorted((folder / "cells").glob("*/*/*.json"))]
    return {cell_of(row): row for row in rows}


def read_rows(path: Path) -> dict[Cell, Row]:
    """The rows of the Parquet file; none where there is no file.

    Raises:
        InputError: it is not readable, or has other columns.
    """
    if not path.exists():
        return {}
    try:
        table = pq.read_table(path)
        if not table.schema.equals(SCHEMA):
            raise ValueError("it has other columns")
    except (ValueError, OSError) as error:  # Arrow's own are ValueErrors
        raise InputError(f"{path}: not readable ({error}). Take it from git again, or remove it.") from None
    rows: list[Row] = table.to_pylist()
    return {cell_of(row): row for row in rows}


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes the Parquet file in one step, the rows in one order whatever they come in."""
    ordered = sorted(rows, key=_place)
    with atomic_file(path) as temporary:
        pq.write_table(pa.Table.from_pylist(ordered, schema=SCHEMA), temporary)


def _place(row: Row) -> tuple[int | str, ...]:
    """As the names are listed; data sets that are not, such as those of another branch, come last."""
    cell = cell_of(row)
    dataset = [*DATASETS, cell.dataset].index(cell.dataset)
    places = (dataset, cell.dataset, SETTINGS.index(cell.setting), ALL_METHODS.index(cell.method))
    return *places, cell.split, cell.seed


def current_rows(
    sources: Iterable[Mapping[Cell, Row]], settings: Mapping[Group, str]
) -> tuple[dict[Cell, Row], set[Cell]]:
    """The rows that hold, and the cells that were measured with other settings only.

    Args:
        sources: rows by cell.
        settings: of the groups that are to be measured today. Where several sources hold one of their cells, the last
            with these settings counts. Of other groups every row holds, and the first source counts.
    """
    rows: dict[Cell, Row] = {}
    stale: set[Cell] = set()
    for source in sources:
        for cell, row in source.items():
            today = settings.get(group_of(cell))
            if today is None:
                rows.setdefault(cell, row)
            elif row["settings"] == today:
                rows[cell] = row
            else:
                stale.add(cell)
    return rows, stale - rows.keys()
