"""Commands about the live data: the graph that changes, and its versions."""

from pathlib import Path
from typing import Annotated

import typer

from llp_core.cli.names import versions_told
from llp_core.paths import PARAMS, project_root

app = typer.Typer(help="Start the live data, list or push its versions, or go back to one.", no_args_is_help=True)


def ingest(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILES]...", help="CSV or Parquet; without any, all in data/incoming.", show_default=False
        ),
    ] = None,
) -> None:
    """Take new, changed and removed nodes and edges into the live data, as one new version.

    A file has the columns of the live data's nodes or edges, and may have a column `change` that holds `add` or
    `remove` in each row. It is taken as a whole or goes to data/quarantine, with the reason beside it; the other
    files are taken all the same. What is known already changes nothing.

    For example:

      llp ingest

      llp ingest today/nodes.csv today/edges.parquet
    """
    from llp_core.config import load_params
    from llp_core.live import Counts
    from llp_core.live import ingest as take

    report = take(Path.cwd(), files, load_params(PARAMS))
    for file in report.files:
        told = f": {file.counts}" if file.status == "taken" else f": {file.reason}" if file.reason else ""
        typer.echo(f"{file.name}: {file.status}{told}")
    if report.after == report.before:
        typer.echo(f"Nothing changed. The data is version {report.after}.")
    else:
        typer.echo(f"The data is version {report.after}; it was version {report.before}.")
        from flows.events import announce_ingest

        if announce_ingest(report.after, str(sum((file.counts for file in report.files), Counts()))):
            typer.echo("Prefect's server was told, and starts a retraining if one is deployed.")


@app.command()
def start() -> None:
    """Copy the files that data.files names to data/live as version 1, and point params.yaml at them.

    From then on the files that were copied are not read any more, and `llp ingest` makes the changes. Where there
    is live data already it stays as it is, and params.yaml is pointed at it. Where that named another data set, it
    changes as by `--dataset files`. How each column is read is written there too, so that no new row changes it.
    """
    from llp_core.cli.params_file import change_params
    from llp_core.config import load_params
    from llp_core.live import start as start_live
    from llp_core.live.graph import read_live
    from llp_core.live.records import EDGES, LIVE, NODES

    params = load_params(PARAMS)
    number = start_live(Path.cwd(), params)
    kinds = dict(read_live(Path.cwd() / LIVE, params.data.files).kinds)
    values = {
        "data.files.nodes": str(LIVE / NODES),
        "data.files.edges": str(LIVE / EDGES),
        "data.files.columns": kinds,
    }
    for change in change_params(PARAMS, values, None if params.data.name == "files" else "files"):
        typer.echo(f"{PARAMS}: {change.key}: {change.before} -> {change.after}", err=True)
    typer.echo(f"The data is version {number}.")


@app.command()
def log() -> None:
    """List the versions of the live data, the newest first. A star marks the one in use."""
    from llp_core.live import current_version, versions

    root = project_root()
    used = current_version(root)
    rows = [
        (
            f"{'*' if version.number == used else ' '} {version.number}",
            version.made,
            f"{version.nodes:,}",
            f"{version.edges:,}",
            str(version.counts),
            ", ".join(source.name for source in version.sources),
            f"after {version.after}" if version.after not in (None, version.number - 1) else "",
        )
        for version in reversed(versions(root))
    ]
    if not rows:
        typer.echo("There is no version yet. `llp data start` makes the first.")
        return
    table = [("  version", "made (UTC)", "nodes", "edges", "what changed", "from", ""), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for made in table:
        sides = zip(made, widths, "<<>><<<", strict=True)  # figures to the right
        typer.echo("  ".join(f"{cell:{side}{width}}" for cell, width, side in sides).rstrip())


@app.command()
def checkout(version: Annotated[int, typer.Argument(help="Its number, as `llp data log` shows it.")]) -> None:
    """Go back (or forward) to a version. All versions stay, and the next ingest goes on from this one."""
    from llp_core.live import checkout as check_out

    check_out(project_root(), version)
    typer.echo(f"The data is version {version}.")


@app.command()
def push() -> None:
    """Send all versions to DVC's remote. `dvc gc` may clear the cache then: a checkout fetches them from there."""
    from llp_core.live import push as send

    typer.echo(versions_told("Sent", send(project_root())))
