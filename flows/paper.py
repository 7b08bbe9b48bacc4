"""The flow behind the tables of docs/results.md: what is missing of them is measured, with Prefect's page to watch."""

import logging
from collections.abc import Mapping

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.full import interruptible, note_process
from llp_core.config import load_params
from llp_core.errors import StageFailed
from llp_core.names import Setting
from llp_core.paper.plan import plan_jobs
from llp_core.paper.run import Standing, run_paper
from llp_core.paths import PARAMS

logger = logging.getLogger(__name__)


@flow(name="paper", description=__doc__, on_running=[note_process])
def paper(
    datasets: list[str] | None = None,
    settings: list[Setting] | None = None,
    methods: list[str] | None = None,
    seeds: int | None = None,
    splits: int | None = None,
) -> Standing:
    """Measures what is missing of the tables in the current folder; see `llp_core.paper.run.run_paper`.

    Args:
        datasets: names; those of the plan by default.
        settings: of link prediction; all by default.
        methods: the teacher's name and students' methods; all by default.
        seeds: of the models; those of the plan by default.
        splits: how many; those of the plan by default.

    Returns:
        How far the tables are.

    Raises:
        InputError: an argument or params.yaml does not hold what it must.
        StageFailed: jobs failed; the message names them. The others are done.
    """
    params = load_params(PARAMS)
    jobs = plan_jobs(params, datasets, settings, methods, seeds, splits)
    standing = Standing(frozenset(), frozenset(), {})
    with interruptible():
        for standing in run_paper(jobs, params):
            _show(standing)
    _raise_failures(standing.failures)
    return standing


def _show(standing: Standing) -> None:
    description = f"{len(standing.done)} of {len(standing.planned)} cells; {len(standing.failures)} jobs failed."
    try:
        create_table_artifact(key="paper", table=standing.by_dataset(), description=description)
    except Exception as error:  # hours of measuring are not given up for what is shown of them
        logger.warning("Prefect does not show how far the tables are: %s", error)


def _raise_failures(failures: Mapping[str, str]) -> None:
    if failures:
        raise StageFailed("\n".join(f"{name} failed: {reason}" for name, reason in failures.items()))
