"""The application: its commands, what all of them share, and how errors end it."""

import signal
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from llp_core import __version__
from llp_core.cli import bench, data, dataset, model, paper, params, pipeline, predict, server, tuning
from llp_core.cli.log import show_log
from llp_core.errors import INTERRUPTED, TERMINATED, LLPError
from llp_core.processes import reuse_memory

EXIT_CODES = """Exit codes: 0 done, 1 an error of another kind, 2 wrong usage, 3 a file or setting does not hold what is
needed, 4 a check of the data failed, 5 stages of a flow failed, 6 the gate refuses a model, 7 another
retraining is running, 130 interrupted, 143 told to end."""

app = typer.Typer(
    name="llp",
    help="Distil a graph neural network for link prediction into an MLP that needs no graph.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
pipeline.run_flow.command("paper")(paper.paper)
pipeline.run_flow.command("tune")(tuning.tune)
app.add_typer(pipeline.run_flow, name="run-flow")
app.command("stage")(pipeline.stage)
app.command("status")(pipeline.status)
app.command("report")(pipeline.report)
app.command("results")(paper.results)
app.command("ingest")(data.ingest)
app.command("score")(predict.score)
app.command("recommend")(predict.recommend)
app.add_typer(bench.app, name="bench")
app.add_typer(data.app, name="data")
app.add_typer(dataset.app, name="dataset")
app.add_typer(model.app, name="model")
app.add_typer(params.app, name="params")
app.add_typer(server.app, name="server")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llp {__version__}")
        raise typer.Exit


@app.callback()
def shared(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, and Prefect's own log.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Distil a graph neural network for link prediction into an MLP that needs no graph."""
    show_log(debug)


def main() -> None:
    """The console entry point `llp`."""
    reuse_memory()
    signal.signal(signal.SIGTERM, _end)
    debug = "--debug" in sys.argv[1:]
    try:
        app(prog_name="llp")
    except LLPError as error:
        _fail(error, str(error), error.exit_code, debug)
    except Exception as error:  # whatever it is, the terminal gets one line of it
        again = "" if debug else " Run again with `llp --debug ...` to see where."
        _fail(error, f"{type(error).__name__}: {error}.{again}", LLPError.exit_code, debug)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.echo("Interrupted. What was complete is kept; the same command goes on from there.", err=True)
        raise


def _end(*_: object) -> NoReturn:
    """Ends the process so that unfinished files and a temporary Prefect server go with it."""
    sys.exit(TERMINATED)


def _fail(error: Exception, message: str, exit_code: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    typer.echo(message, err=True)
    sys.exit(exit_code)
