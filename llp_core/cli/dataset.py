"""Commands about data sets."""

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from llp_core.cli.names import complete_dataset

app = typer.Typer(help="List, describe or build data sets.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the data sets: their nodes, undirected edges and features."""
    from llp_core.datasets import DATASETS

    width = max(map(len, DATASETS))
    typer.echo(f"{'name':<{width}} {'nodes':>9} {'edges':>10} {'features':>8}  what it is")
    for dataset in DATASETS.values():
        sizes = [f"{size:,}" if size is not None else "-" for size in (dataset.nodes, dataset.edges, dataset.features)]
        typer.echo(f"{dataset.name:<{width}} {sizes[0]:>9} {sizes[1]:>10} {sizes[2]:>8}  {dataset.description}")


@app.command()
def show(name: Annotated[str, typer.Argument(autocompletion=complete_dataset)]) -> None:
    """Describe one data set: what it holds, where it comes from, how it is split in production."""
    from llp_core.datasets import get_dataset

    dataset = get_dataset(name)
    rows = {
        "name": dataset.name,
        "what it is": dataset.description,
        "origin": dataset.origin,
        "nodes": _count(dataset.nodes),
        "edges": f"{_count(dataset.edges)} (undirected)",
        "features": _count(dataset.features),
        "new nodes": f"{dataset.new_node_share:.0%} in production and cold start",
        "test edges": f"{dataset.test_share:.0%} of each kind there",
    }
    for label, text in rows.items():
        typer.echo(textwrap.fill(text, 100, initial_indent=f"{label:<11}", subsequent_indent=" " * 11))


def _count(number: int | None) -> str:
    return "as the files hold" if number is None else f"{number:,}"


@app.command()
def debian(
    section: Annotated[str, typer.Option(help="Section of the package index; '*' is the whole archive.")],
    output: Annotated[Path, typer.Option(help="Folder to write the graph to.")],
    packages: Annotated[
        Path | None, typer.Option(help="A Packages file (plain, .gz or .xz) instead of `apt-cache dumpavail`.")
    ] = None,
) -> None:
    """Build the dependency graph of a section of Debian's package index.

    For example:

      llp dataset debian --section python --output /tmp/debian

      llp dataset debian --section '*' --packages Packages.xz --output /tmp/archive
    """
    import dataclasses

    from llp_core.datasets.debian import build

    for name, value in dataclasses.asdict(build(packages, section, output)).items():
        typer.echo(f"{name}: {value}")
    typer.echo(f"written to {output}")
