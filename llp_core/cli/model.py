"""Commands about the registry: versions of the models, and which one is in use."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llp_core.cli.names import versions_told
from llp_core.errors import InputError, Refused
from llp_core.names import Setting
from llp_core.paths import PARAMS, project_root

if TYPE_CHECKING:
    from llp_core.gate import Verdict

app = typer.Typer(help="Judge, promote, compare or roll back versions of the models.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the versions, with Hits@20 of the served method on all test edges of each setting.

    One that cannot be read is listed as damaged, and the faults of all such end the command.
    """
    from llp_core.names import SETTINGS
    from llp_core.registry import champion, figures_of, numbers, read_version

    root = project_root()
    in_use = champion(root)
    typer.echo(f"{'':<8}{'version':>7}  {'made':<20}  {'data':<16}" + "".join(f"{name:>14}" for name in SETTINGS))
    faults: list[str] = []
    for number in numbers(root):
        try:
            version, figures = read_version(root, number), figures_of(root, number)
        except InputError as error:
            faults.append(str(error))
            typer.echo(f"{'damaged':<8}{number:>7}")
            continue
        data = version.data.name + (f" {version.data.version}" if version.data.version is not None else "")
        shown = (f"{100 * figures.get(f'{name} all hits_at_20', float('nan')):.1f}" for name in SETTINGS)
        mark = "in use" if number == in_use else ""
        typer.echo(f"{mark:<8}{number:>7}  {version.made:<20}  {data:<16}" + "".join(f"{each:>14}" for each in shown))
    if in_use is None:
        typer.echo("No model is in use. `llp model promote` judges what the last run left.")
    if faults:
        raise InputError(" ".join(faults))


@app.command()
def show(
    version: Annotated[int | None, typer.Argument(help="Else the one in use.", show_default=False)] = None,
) -> None:
    """Show a version's card, once its files are found to be as they were written."""
    from llp_core.registry import in_use, open_version, version_folder
    from llp_core.registry.records import CARD

    root = project_root()
    number = version if version is not None else in_use(root)
    open_version(root, number)
    typer.echo((version_folder(root, number) / CARD).read_text(encoding="utf-8"))
    typer.echo(f"The version: {version_folder(root, number)}")


@app.command()
def judge() -> None:
    """Say what the gate says of what the last run left, and change nothing. The exit code is 6 where it refuses."""
    verdict = _judge(project_root())
    typer.echo(verdict.to_markdown())
    if not verdict.promoted:
        raise Refused(verdict.headline)


@app.command()
def promote(
    version: Annotated[
        int | None, typer.Argument(help="A version that is there, without the gate; else what the last run left.")
    ] = None,
    why: Annotated[str, typer.Option(help="Kept with the switch.")] = "by hand",
) -> None:
    """Put a model in use: what the last run left, if the gate lets it pass, or a version that is there.

    A smoke test follows the switch; where it fails, the former model is in use again.

    For example:

      llp model promote

      llp model promote 3 --why "the data of version 4 was wrong"
    """
    from llp_core.registry import promote as switch
    from llp_core.registry import register

    root, verdict = project_root(), None
    if version is None:
        verdict = _judge(root)
        typer.echo(verdict.to_markdown())
        if not verdict.promoted:
            raise Refused(verdict.headline)
        version = register(root, verdict)
    switch(root, version, why, verdict)
    typer.echo(f"Version {version} is in use.")


@app.command()
def rollback(why: Annotated[str, typer.Option(help="Kept with the switch.")] = "by hand") -> None:
    """Put the version in use that was in use before the present one."""
    from llp_core.registry import rollback as back

    typer.echo(f"Version {back(project_root(), why)} is in use.")


@app.command()
def history() -> None:
    """List every promotion and rollback."""
    from llp_core.registry.versions import read_state

    state = read_state(project_root())
    for event in state.history if state else ():
        switch = f"{event.before if event.before is not None else '-'} -> {event.version or '-'}"
        typer.echo(f"{event.at}  {switch:<10}  {event.what:<12}  {event.why}")


@app.command()
def diff(first: int, second: int) -> None:
    """Show what differs between two versions: data, settings and figures, each on its own test edges.

    For example:

      llp model diff 1 2
    """
    from llp_core.registry import differing

    rows = [("", f"version {first}", f"version {second}"), *differing(project_root(), first, second)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, one, other in rows:
        typer.echo(f"{name:<{widths[0]}}  {one:<{widths[1]}}  {other}".rstrip())


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="Of the file; one that is there is replaced.")],
    version: Annotated[int | None, typer.Option(help="Of the models.", show_default="the one in use")] = None,
    setting: Annotated[Setting, typer.Option(help="Whose student.")] = "production",
    precision: Annotated[
        Literal["float32", "bfloat16", "int8"],
        typer.Option(help="Of the products. A runtime may lack kernels for bfloat16; int8 needs the project's graph."),
    ] = "float32",
) -> None:
    """Write the served student of a version as one ONNX file, which scores node pairs from their features.

    Its input `features`, float32 [2B, F], holds rows of the first nodes of B pairs, then of the second nodes in the
    same order; its output `scores`, float32 [B], ranks them. In int8 its values are bytes, by scales found on the
    project's graph.

    For example:

      llp model export student.onnx

      llp model export student.onnx --version 3 --precision int8
    """
    from llp_core.models import load_model
    from llp_core.models.onnx_file import write_onnx
    from llp_core.registry import in_use
    from llp_core.registry.serving import rounding_for, served_student

    root = project_root()
    number = version if version is not None else in_use(root)
    student = served_student(root, number, setting)
    if not path.absolute().parent.is_dir() or path.is_dir():
        raise InputError(f"{path}: not a file in a folder that exists.")
    model = load_model(student)
    write_onnx(model, path, rounding_for(root, number, model) if precision == "int8" else precision)
    typer.echo(f"Version {number}, {setting}, {student.name}, {precision}: {path.resolve()}")


@app.command()
def push() -> None:
    """Send the versions, and which one is in use, to DVC's remote."""
    from llp_core.registry import push as send

    done = send(project_root())
    typer.echo(
        versions_told("Sent", done.versions) + (" The remote's model in use is now that of here." * done.switched)
    )


@app.command()
def pull() -> None:
    """Fetch the versions from DVC's remote; its model comes into use if that came after the one in use here."""
    from llp_core.registry import champion
    from llp_core.registry import pull as fetch

    root = project_root()
    done = fetch(root)
    number = champion(root)
    told = " No model is in use." if number is None else f" Version {number} is in use."
    typer.echo(versions_told("Fetched", done.versions) + told * done.switched)


def _judge(root: Path) -> "Verdict":
    """The verdict on what the last run left, if that is of the present data and settings."""
    from flows.bookkeeping import require_up_to_date
    from llp_core.config import load_params
    from llp_core.gate import judge as of
    from llp_core.registry import settle

    settle(root)
    params = load_params(PARAMS)
    require_up_to_date(root)
    return of(root, params)
