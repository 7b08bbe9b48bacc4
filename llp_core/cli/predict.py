"""Commands that use a model: scores of pairs, and the likeliest new links."""

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from llp_core.errors import InputError
from llp_core.names import Setting
from llp_core.paths import PARAMS

if TYPE_CHECKING:
    import pyarrow as pa

    from llp_core.predicting import Predictor

Nodes = Annotated[
    Path | None,
    typer.Option(
        help="CSV or Parquet like your nodes file: nodes that the graph has not got, or other values of those it has."
    ),
]
Version = Annotated[int | None, typer.Option(help="Of the models.", show_default="the one in use")]
Student = Annotated[Setting, typer.Option("--setting", help="Whose student.")]
Output = Annotated[Path | None, typer.Option(help="CSV or Parquet file.", show_default="CSV to stdout")]


def score(
    pairs: Annotated[Path, typer.Argument(help="CSV or Parquet with the columns of the ends of an edge.")],
    nodes: Nodes = None,
    version: Version = None,
    setting: Student = "production",
    output: Output = None,
) -> None:
    """Score pairs of nodes with a model of the registry: the file's columns, and `score`, the higher the likelier.

    The student looks at the features of the two nodes and at no edge.

    For example:

      llp score pairs.csv --output scored.csv

      llp score pairs.csv --nodes new.csv
    """
    import numpy as np
    import pyarrow as pa
    import torch

    from llp_core.config import load_params
    from llp_core.datasets.files import node_numbers
    from llp_core.datasets.tables import read_table

    _require_output(output)
    table, files = read_table(pairs, str(pairs)), load_params(PARAMS).data.files
    for column, name in ((files.source, "data.files.source"), (files.target, "data.files.target")):
        table.require(column, name)
    if "score" in table.data.column_names:
        raise InputError(f"{pairs}, line 1: it has a column 'score' already. Rename it.")
    if output is None or output.suffix == ".csv":
        for field in table.data.schema:
            if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
                raise InputError(f"{pairs}, column {field.name!r}: CSV cannot hold bytes. Use --output NAME.parquet.")
    predictor = _predictor(version, setting, nodes)
    ends = [node_numbers(table, column, predictor.node_ids, _known(nodes)) for column in (files.source, files.target)]
    scores = predictor.score(torch.from_numpy(np.stack(ends)))
    _write(table.data.append_column("score", pa.array(scores.numpy())), output)


def recommend(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[NODE]...", help="Ids; without any, every node.", show_default=False)
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=10_000, help="Partners of each node.")] = 10,
    of: Annotated[
        Path | None, typer.Option(help="CSV or Parquet with the column of ids: whose partners, in place of NODE.")
    ] = None,
    nodes: Nodes = None,
    among: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet with the column of ids: who may be a partner.", show_default="every node"),
    ] = None,
    version: Version = None,
    setting: Student = "production",
    output: Output = None,
) -> None:
    """Name the likeliest partners of nodes that they have no link with yet, by a model of the registry.

    Columns `source`, `target` and `score`, the best of a node first. With --nodes alone, the nodes of that file.

    For example:

      llp recommend python3-flask python3-aiohttp --top 5

      llp recommend --nodes new.csv --top 20 --output links.parquet

      llp recommend --of users.csv --among items.csv --output links.parquet
    """
    import pandas as pd
    import pyarrow as pa
    import torch

    from llp_core.config import load_params
    from llp_core.datasets.files import ids_of, node_numbers
    from llp_core.datasets.tables import read_table

    if ids and of is not None:
        raise InputError(f"{ids[0]}, --of {of}: both say whose partners. Leave one out.")
    _require_output(output)
    files = load_params(PARAMS).data.files
    whose = of or (None if ids else nodes)
    asked, others = (None if path is None else read_table(path, str(path)) for path in (whose, among))
    for table in (asked, others):
        if table is not None:
            ids_of(table, files)  # each once
    predictor = _predictor(version, setting, nodes)
    known = predictor.node_ids
    rows, partners = (
        None if table is None else torch.from_numpy(node_numbers(table, files.id, known, _known(nodes)))
        for table in (asked, others)
    )
    if ids:
        rows = predictor.find(list(dict.fromkeys(ids)))
    found = predictor.recommend(torch.arange(len(known)) if rows is None else rows, top, partners)
    names = pd.Index(predictor.node_ids)
    columns = {"source": names[found.nodes.numpy()], "target": names[found.partners.numpy()]}
    _write(pa.table({**columns, "score": found.scores.numpy()}), output)


def _known(nodes: Path | None) -> str:
    """The nodes that there are, in words."""
    return "the graph's nodes" + (f" or {nodes}" if nodes is not None else "")


def _predictor(version: int | None, setting: Setting, nodes: Path | None) -> "Predictor":
    from llp_core.predicting import Predictor
    from llp_core.registry import in_use

    root = Path.cwd()
    return Predictor.open(root, version if version is not None else in_use(root), setting, nodes)


def _require_output(path: Path | None) -> None:
    from llp_core.datasets.tables import SUFFIXES
    from llp_core.store import require_writable

    if path is None:
        return
    if path.suffix not in SUFFIXES or path.is_dir():
        raise InputError(f"{path}: expected a file that ends in {' or '.join(SUFFIXES)}.")
    require_writable(path)


def _write(table: "pa.Table", path: Path | None) -> None:
    import pyarrow.parquet as pq

    from llp_core.store import atomic_file

    if path is None:
        _write_csv(table, sys.stdout)
        return
    with atomic_file(path) as temporary:
        if path.suffix == ".csv":
            _write_csv(table, temporary)
        else:  # without what pandas noted in it, which would take columns of the file for its index
            pq.write_table(table.replace_schema_metadata(None), temporary)
    typer.echo(f"{len(table):,} rows: {path.resolve()}", err=True)


def _write_csv(table: "pa.Table", target: Path | TextIO) -> None:
    """Six figures of each score; the user's own columns as they are."""
    frame = table.to_pandas(integer_object_nulls=True, ignore_metadata=True)
    columns = [frame[name].astype(str).str for name in frame.select_dtypes(exclude="number")]
    # Python's writer puts quotes around a line feed, and not around a carriage return, where readers end a line too.
    returns = any("\r" in name for name in frame) or any(column.contains("\r", regex=False).any() for column in columns)
    quoting = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
    frame.assign(score=frame["score"].map("{:.6g}".format)).to_csv(target, index=False, quoting=quoting)
