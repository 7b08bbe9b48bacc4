"""Commands that measure speed."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from llp_core.errors import InputError
from llp_core.names import Setting
from llp_core.paths import BENCH

app = typer.Typer(help="Measure speed.", no_args_is_help=True)

Shape = Literal["collab", "citation2"]


@app.callback()
def bench() -> None:
    """Measure speed."""


@app.command()
def latency(
    shape: Annotated[
        Shape | None,
        typer.Option(help="A made-up graph as large as ogbl-SHAPE, models with first weights, no quality."),
    ] = None,
    setting: Annotated[
        Setting | None, typer.Option(help="Whose trained models to time.", show_default="transductive")
    ] = None,
    layers: Annotated[int | None, typer.Option(min=1, max=8, help="With --shape.", show_default="3")] = None,
    hidden: Annotated[int | None, typer.Option(min=1, max=8192, help="With --shape.", show_default="256")] = None,
    pairs: Annotated[
        list[int] | None,
        typer.Option(min=1, max=100_000, help="In a request; may be repeated.", show_default="1, 10, 100 and 1000"),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.01, max=600, help="For the slowest of each request size.")] = 2.0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the numerics, online and offline.", show_default="all cores")
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where to run.")] = "cpu",
    contestant: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.", show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of requests, and of graph and weights with --shape.")] = 0,
    output: Annotated[Path, typer.Option(help="Folder for page and rows; an earlier one is replaced.")] = BENCH,
) -> None:
    """Time the GNN, its accelerations, the student in every runtime, and heuristics, side by side.

    Online (one request of node pairs), offline (all test pairs), and in a closed loop with one worker and with all
    cores. With trained models, Hits@20 on the test edges of the split stands beside the time.

    The tables go to stdout, and after them one line of JSON.

    For example:

      llp bench latency

      llp bench latency --shape collab --seconds 5

      llp bench latency --setting production --contestant gnn --pairs 10
    """
    if shape is None and (layers is not None or hidden is not None):
        raise InputError("--layers and --hidden go with --shape: trained models have the sizes they were trained with.")
    if shape is not None and setting is not None:
        raise InputError("--setting goes with trained models, and --shape makes its own: leave one out.")
    from llp_core.bench.run import options, run_benchmark
    from llp_core.bench.subject import ShapeSource, TrainedSource
    from llp_core.bench.write import PAGE, STAGE, to_json_line, to_text, write_benchmark
    from llp_core.store import require_replaceable

    require_replaceable(output, STAGE)
    asked = options(pairs or (1, 10, 100, 1000), seconds, threads, device, contestant, seed)
    made_up = None if shape is None else ShapeSource(shape, layers or 3, hidden or 256, seed)
    found = run_benchmark(made_up or TrainedSource(setting or "transductive"), asked)
    typer.echo(f"{to_text(found)}\n")
    write_benchmark(output, found)
    typer.echo(f"The page: {(output / PAGE).resolve()}\n{to_json_line(found)}")
