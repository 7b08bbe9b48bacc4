"""Commands about params.yaml."""

import textwrap
from difflib import get_close_matches
from typing import Annotated

import typer

from llp_core.cli.names import complete_section
from llp_core.errors import InputError

app = typer.Typer(help="Show or check the settings in params.yaml.", no_args_is_help=True)


@app.command()
def show(
    section: Annotated[str, typer.Argument(help="Only settings that begin so.", autocompletion=complete_section)] = "",
) -> None:
    """Show every setting, its value, and what it means.

    For example:

      llp params show

      llp params show student
    """
    from llp_core.cli.params_file import described_settings
    from llp_core.paths import PARAMS

    settings = list(described_settings(PARAMS))
    shown = [setting for setting in settings if setting[0].startswith(section)]
    if not shown:
        raise InputError(_unknown(section, [key for key, _, _ in settings]))
    for key, value, meaning in shown:
        typer.echo(f"{key} = {value}")
        if meaning:
            typer.echo(textwrap.fill(meaning, 100, initial_indent="    ", subsequent_indent="    "))


def _unknown(beginning: str, keys: list[str]) -> str:
    sections = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    near = get_close_matches(beginning, [*sections, *keys], n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return f"No setting begins with {beginning!r}. {hint}The sections are {', '.join(sections)}."


@app.command()
def check() -> None:
    """Check that params.yaml holds what it must. The exit code is 3 where it does not."""
    from llp_core.cli.params_file import known_settings
    from llp_core.config import load_params
    from llp_core.datasets import get_dataset
    from llp_core.paths import PARAMS

    get_dataset(load_params(PARAMS).data.name)
    typer.echo(f"{PARAMS}: all {len(known_settings())} settings hold what they must.")
