"""The command that searches for good settings."""

from typing import Annotated

import typer

from llp_core.cli.names import complete_dataset
from llp_core.names import Setting


def tune(
    dataset: Annotated[
        str, typer.Option(help="Data set; `llp dataset list` shows all.", autocompletion=complete_dataset)
    ],
    setting: Annotated[Setting, typer.Option(help="Setting of link prediction.")],
    trials: Annotated[int, typer.Option(min=1, help="Of each phase, in all: those of earlier runs count.")] = 100,
) -> None:
    """Search settings for a data set in one setting of link prediction.

    What is found is written to the data set's file in llp_core/tuned, from where `--dataset` of `llp run-flow full`
    takes it. Test edges are not looked at. A search that was stopped goes on with the same command; more trials
    go on from those that there are.

    For example:

      llp run-flow tune --dataset cora --setting production --trials 100
    """
    from llp_core.config import load_params
    from llp_core.paths import PARAMS
    from llp_core.tuned import for_dataset

    for_dataset(load_params(PARAMS), dataset)  # what is wrong is told before Prefect starts
    from flows.tune import tune as flow

    found = flow(dataset, setting, trials)
    typer.echo("Mean of Hits@10, 20, 30 and 50 on fresh inner splits, in percent, and what is used from now on:")
    for result in found.phases:
        names = ", ".join(f"{key} {value}" for key, value in result.values.items())
        kept = "found" if result.better else "kept"
        typer.echo(f"{result.phase.name:<14} {result.current:6.2f} -> {result.score:6.2f}  {kept}: {names}")
