"""Commands that start and stop Prefect's server and its worker."""

from typing import Annotated

import typer

from llp_core.errors import InputError

app = typer.Typer(help="Prefect's server and a worker, for schedules and a page that stays.", no_args_is_help=True)

_NEXT_RUNS = 5


@app.callback()
def server() -> None:
    """Prefect's server and a worker, for schedules and a page that stays."""


@app.command("up")
def up(port: Annotated[int, typer.Option(min=1, max=65535, help="Of a server that is started now.")] = 4200) -> None:
    """Start server and worker in the background, and deploy what prefect.yaml names.

    What runs already is left alone. Runs, deployments and schedules are kept in .prefect/prefect.db, or in the
    PostgreSQL that LLP_DATABASE_URL names as postgresql+asyncpg://USER:PASSWORD@HOST:PORT/DATABASE. While the
    server is up, every `llp run-flow` is seen in its page.

    For example:

      llp server up

      llp server up --port 4300
    """
    from flows.server import up as start

    standing, already = start(port, lambda line: typer.echo(line, err=True))
    typer.echo(f"{'It is up already' if already else 'It is up'}: {standing.page}")


@app.command("down")
def down() -> None:
    """Stop worker and server, and the runs that the worker started. What the database holds stays.

    For example:

      llp server down
    """
    from flows.server import down as stop

    stopped = stop(lambda line: typer.echo(line, err=True))
    typer.echo("It is down." if stopped else "It was down already.")


@app.command("status")
def status() -> None:
    """Show the address, whether server and worker run, and the next runs.

    Ends with an error where one of them does not run.

    For example:

      llp server status
    """
    from flows.server import standing

    now = standing()
    if now is None or not now.server:
        raise InputError("The server is down. `llp server up` starts it.")
    typer.echo(f"Address    {now.page}\nDatabase   {now.database}")
    answers = now.answers()
    typer.echo(f"Server     process {now.server}{'' if answers else ', which does not answer'}")
    typer.echo(f"Worker     {f'process {now.worker}' if now.worker else 'does not run'}")
    if not answers:
        raise InputError("The server does not answer. `llp server down` and `llp server up` start it again.")
    _show_next_runs(now.api)
    if not now.worker:
        raise InputError("The worker does not run, so that no run starts. `llp server up` starts it again.")


def _show_next_runs(api: str) -> None:
    from flows.deployments import next_runs

    runs = next_runs(api, _NEXT_RUNS)
    label = "Next runs"
    for run in runs:
        typer.echo(f"{label:<10} {run.start.astimezone():%Y-%m-%d %H:%M %Z}  {run.deployment}")
        label = ""
    if not runs:
        typer.echo("Next runs  none")
