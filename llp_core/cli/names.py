"""Names that the shell completes, choices that may be repeated, and a list of versions in words."""

from collections.abc import Iterable, Sequence
from typing import Any

import typer


def complete_stage(incomplete: str) -> list[str]:
    """Stages of the pipeline."""
    from llp_core.stages import STAGES

    return _starting_with(incomplete, STAGES)


def choices(known: Sequence[str]) -> dict[str, Any]:
    """Arguments of `typer.Option` for names that may be repeated, which no choice of Typer's may; each counts once."""

    def each_once(names: list[str] | None) -> list[str] | None:
        for name in names or ():
            if name not in known:
                raise typer.BadParameter(f"{name!r} is not one of {', '.join(known)}.")
        return names and list(dict.fromkeys(names))

    def complete(incomplete: str) -> list[str]:
        return _starting_with(incomplete, known)

    return {"metavar": f"[{'|'.join(known)}]", "callback": each_once, "autocompletion": complete}


def complete_dataset(incomplete: str) -> list[str]:
    """Data sets in the registry."""
    from llp_core.datasets import DATASETS

    return _starting_with(incomplete, DATASETS)


def complete_key(incomplete: str) -> list[str]:
    """Settings in params.yaml, as `--set` takes them."""
    from llp_core.cli.params_file import completed_settings

    return _starting_with(incomplete, [f"{key}=" for key in completed_settings()])


def complete_section(incomplete: str) -> list[str]:
    """Sections and settings of params.yaml."""
    from llp_core.cli.params_file import known_settings

    sections = dict.fromkeys(key.partition(".")[0] for key in known_settings())
    return _starting_with(incomplete, [*sections, *known_settings()])


def versions_told(verb: str, versions: Iterable[int]) -> str:
    """Such as "Sent version 1, version 2."."""
    return f"{verb} {', '.join(f'version {number}' for number in versions) or 'no version'}."


def _starting_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
