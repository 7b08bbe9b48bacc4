"""Commands that run the pipeline, or tell where it stands."""

from pathlib import Path
from typing import Annotated, TypeAlias, cast

import typer

from llp_core.cli.log import show_flow_only
from llp_core.cli.names import choices, complete_dataset, complete_key, complete_stage
from llp_core.errors import InputError
from llp_core.names import SETTINGS, Setting
from llp_core.paths import PARAMS, REPORT

RETRAINING_CODES = {"promoted": 0, "nothing to do": 0, "refused": 6, "another retraining is running": 7}
"""Exit codes of `llp run-flow retrain`."""

Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="Of this setting only; may be repeated.", **choices(SETTINGS)),
]

run_flow = typer.Typer(help="Run a flow: stages side by side, with Prefect's page to watch.", no_args_is_help=True)


@run_flow.command("full")
def full(
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Data set to run on, with the settings found for it; `llp dataset list` shows all.",
            autocompletion=complete_dataset,
        ),
    ] = None,
    setting: Settings = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Change a setting in params.yaml, the value written as YAML; may be repeated. "
            "With tuned.production. and so on in front it holds in one setting of link prediction alone.",
            autocompletion=complete_key,
        ),
    ] = None,
) -> None:
    """Bring every stage of dvc.yaml up to date.

    Stages that are up to date are not run again. --dataset and --set change params.yaml, once all of it is
    found to hold, as `dvc exp run -S` does: what DVC records must be what ran. Its comments stay.

    --dataset also fills section `tuned` with what was found for the data set, by hand or by a search, in each
    setting of link prediction; where nothing was found, with what does best over the others. Naming the present data
    set takes back changes of `tuned`. --set SECTION.KEY holds in every setting of link prediction, also where `tuned`
    held another value.

    For example:

      llp run-flow full

      llp run-flow full --dataset cora --set student.margin=0.05 --set 'student.methods=[label, rank, llp]'

      llp run-flow full --set tuned.production.student.margin=0.05

      llp run-flow full --setting transductive --setting cold_start
    """
    _change_params(dataset, set_ or [])
    from llp_core.config import load_params

    load_params(PARAMS)  # a wrong setting is told before Prefect starts
    from flows.full import full as flow

    show_flow_only()
    result = flow(setting)
    if result.quality:
        typer.echo(f"\n{result.quality}")
    if result.page:
        typer.echo(f"\nThe page: {result.page}")


@run_flow.command("retrain")
def retrain() -> None:
    """Take new data in, train anew, and put the new models in use if the gate lets them.

    Takes the files in data/incoming into the live data, compares it with that of the model in use, brings every
    stage up to date, and judges the new models beside the one in use by section gate of params.yaml. Where nothing
    changed there is nothing to do. Ends with exit code 6 where the gate refused the new models, and with 7 where
    another retraining is running.

    For example:

      llp run-flow retrain
    """
    from llp_core.config import load_params

    load_params(PARAMS)  # a wrong setting is told before Prefect starts
    from flows.retrain import Retraining
    from flows.retrain import retrain as flow

    show_flow_only()
    found: Retraining = flow()  # type: ignore[assignment]
    if found.verdict is not None:
        typer.echo(f"\n{found.verdict.to_markdown()}")
    typer.echo(f"{found.outcome.capitalize()}. {found.why}")
    raise typer.Exit(RETRAINING_CODES[found.outcome])


def stage(
    name: Annotated[str, typer.Argument(help="As in dvc.yaml.", autocompletion=complete_stage)],
    setting: Annotated[Setting | None, typer.Option(help="For a stage that runs once per setting.")] = None,
) -> None:
    """Run one stage here and now, up to date or not.

    dvc.yaml calls this. DVC records nothing of it: `dvc repro NAME@SETTING` runs and records a stage.

    For example:

      llp stage validate

      llp stage student --setting production
    """
    from llp_core.stages import run_stage

    run_stage(name, setting)


def status() -> None:
    """Show which stages are up to date, and why others are not."""
    from flows.bookkeeping import stage_status

    stages = stage_status(Path.cwd())
    width = max(map(len, stages), default=0)
    for address, reasons in stages.items():
        typer.echo(f"{address:<{width}}  {'; '.join(reasons) or 'up to date'}")


def report(
    setting: Settings = None,
    output: Annotated[Path | None, typer.Option(help="Folder for a page made now, of --setting or of all.")] = None,
) -> None:
    """Show the last report, or make one of the settings that are ready.

    For example:

      llp report

      llp report --setting transductive --output /tmp/page
    """
    if output is None and setting:
        raise typer.BadParameter("--setting needs --output, the folder for a page of these settings.")
    folder = _last_report() if output is None else _write_report(cast(list[Setting] | None, setting), output)
    typer.echo((folder / "report.md").read_text(encoding="utf-8"))
    typer.echo(f"The page: {(folder / 'index.html').resolve()}")


def _last_report() -> Path:
    if not (REPORT / "report.md").is_file():
        raise InputError(
            f"{REPORT / 'report.md'}: not found. `llp run-flow full` makes it; `llp report --output DIR` makes a page "
            "of the settings that are ready."
        )
    return REPORT


def _write_report(settings: list[Setting] | None, output: Path) -> Path:
    from flows.bookkeeping import require_up_to_date
    from llp_core.report import load_context, write_report
    from llp_core.store import new_folder, require_replaceable

    require_replaceable(output, "report")
    require_up_to_date(Path.cwd(), settings or SETTINGS)
    context = load_context(Path(), settings or SETTINGS)
    with new_folder(output, {"stage": "report", "data": context.data.name}) as folder:
        write_report(folder, context)
    return output


def _change_params(dataset: str | None, assignments: list[str]) -> None:
    if dataset is None and not assignments:
        return
    from llp_core.cli.params_file import change_params, parse_assignments

    for change in change_params(PARAMS, parse_assignments(assignments), dataset):
        typer.echo(f"{PARAMS}: {change.key}: {change.before} -> {change.after}", err=True)
