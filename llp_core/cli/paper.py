"""The command that measures the tables, and the one that writes their page."""

from typing import Annotated, cast

import typer

from llp_core.cli.names import choices, complete_dataset
from llp_core.cli.pipeline import Settings
from llp_core.names import METHODS, TEACHER, Setting


def paper(
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this data set; may be repeated. `llp dataset list` shows all.",
            autocompletion=complete_dataset,
        ),
    ] = None,
    setting: Settings = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this method; may be repeated. Students but `label` need a teacher, which is trained if missing.",
            **choices((TEACHER, *METHODS)),
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Models of each method on each split.")] = None,
    splits: Annotated[int | None, typer.Option(min=1, help="Splits of each data set.")] = None,
) -> None:
    """Measure what is missing of the tables in docs/results.md: hours of work, resumable at any point.

    Every data set, setting, method, seed and split is a cell. A finished cell is kept under data/paper and in
    benchmarks/results/paper.parquet, in git with all cells measured so far, and is run again only when params.yaml or
    llp_core/tuned has other settings for it. Then it leaves that file when the first job is done. docs/results.md is
    written anew as cells come. What each data set needs is downloaded, or copied from the mirror.

    For example:

      llp run-flow paper

      llp run-flow paper --dataset cora --setting production --method llp --seeds 3 --splits 1
    """
    from llp_core.config import load_params
    from llp_core.paper.plan import plan_jobs
    from llp_core.paths import PARAMS

    settings = cast(list[Setting] | None, setting)
    plan_jobs(
        load_params(PARAMS), dataset, settings, method, seeds, splits
    )  # what is wrong is told before Prefect starts
    from flows.paper import paper as flow
    from llp_core.paper.page import PAGE

    standing = flow(dataset, settings, method, seeds, splits)
    typer.echo(f"{len(standing.done)} of {len(standing.planned)} cells are finished.\nThe tables: {PAGE.resolve()}")


def results() -> None:
    """Write docs/results.md anew from benchmarks/results/paper.parquet.

    For example:

      llp results
    """
    from llp_core.paper.page import PAGE, write_page

    write_page()
    typer.echo(f"The tables: {PAGE.resolve()}")
