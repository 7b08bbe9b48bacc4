"""The tune flow: a search for good settings of one data set in one setting of link prediction."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.full import interruptible, note_process
from llp_core.config import load_params
from llp_core.datasets import get_dataset
from llp_core.datasets.kept import kept_graph
from llp_core.names import Setting
from llp_core.paths import PARAMS
from llp_core.search import Found, published, search
from llp_core.splits import reported_split
from llp_core.tuned import for_dataset, write_tuned

FOLDER = Path("data/tune")
"""Trials, scores and teachers of every search, so that one that was killed goes on."""
BEST_SHOWN = 10
"""Trials of each phase in Prefect's table."""


@flow(name="tune", description=__doc__, on_running=[note_process])
def tune(dataset: str, setting: Setting, trials: int) -> Found:
    """Searches settings, and writes what it finds to the data set's file of tuned settings.

    The project's folder is the current one. Of the split that the pipeline reports on, the search sees the
    training and validation edges among known nodes alone. Settings stay as they are where the best trial does not
    beat them by more than noise.

    Args:
        dataset: its name.
        setting: of link prediction.
        trials: of each phase, in all: those of earlier calls count.

    Raises:
        InputError: there is no such data set or setting, `trials` is not positive, or a file or setting does not
            hold what it must.
        LLPError: the settings in use now, or those found, could not be scored.
    """
    with interruptible():
        found = _search(dataset, setting, trials)
    write_tuned(dataset, setting, found.values, found.about())
    _show_best(found, f"{dataset}, {setting}")
    return found


def _search(dataset: str, setting: Setting, trials: int) -> Found:
    source = get_dataset(dataset)
    params = for_dataset(load_params(PARAMS), dataset)
    shares = params.split.with_shares_of(source.new_node_share, source.test_share)
    graph = kept_graph(params.data, FOLDER / "graphs" / dataset)
    split = reported_split(graph, setting, shares)
    params = params.model_copy(update={"split": shares})
    folder = FOLDER / f"{dataset}-{setting}"
    return search(graph, split, params, trials, folder, published=published(dataset, setting))


def _show_best(found: Found, title: str) -> None:
    rows: list[dict[str, Any]] = []
    for result in found.phases:
        scored = [trial for trial in result.trials if trial["state"] == "complete"]
        best = sorted(scored, key=lambda trial: -trial["score"])[:BEST_SHOWN]
        rows += [
            {
                "phase": result.phase.name,
                "trial": trial["trial"],
                "score": round(trial["score"], 2),
                "state": trial["state"],
                "settings": ", ".join(f"{key} {trial[key]}" for key in result.phase.space),
            }
            for trial in best
        ]
    scores = "mean of Hits@10, 20, 30 and 50 on the inner splits that they were chosen on, in percent"
    description = f"The best trials: {title}. Scores: {scores}."
    create_table_artifact(key="trials", table=rows, description=description)
