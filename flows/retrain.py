"""Retraining: new data in, the pipeline, the gate, promotion. What was found and decided is seen in Prefect's page."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.states import Completed

from flows.artifacts import show_data, show_drift, show_report, show_verdict
from flows.bookkeeping import stage_status
from flows.events import DRIFT_DETECTED, LIVE_DATA
from flows.full import full, interruptible, note_process
from llp_core.config import Params, load_params
from llp_core.drift import DriftReport
from llp_core.errors import LLPError
from llp_core.gate import Verdict, judge
from llp_core.gate.rules import require_judgeable
from llp_core.live import IngestReport, current_version, ingest
from llp_core.live.records import INCOMING, LIVE
from llp_core.locks import HeldError, locked
from llp_core.paths import PARAMS, REPORT, RETRAINING
from llp_core.registry import promote, read_version, register, settle
from llp_core.retraining import decided, drift_since_champion, keep_decision

logger = logging.getLogger(__name__)

Outcome = Literal["promoted", "refused", "nothing to do", "another retraining is running"]


@dataclass(frozen=True)
class Retraining:
    """What came of a retraining.

    Attributes:
        outcome: in a word or a few.
        why: in a sentence.
        verdict: the gate's, None where it was not asked.
    """

    outcome: Outcome
    why: str
    verdict: Verdict | None = None


@flow(name="retrain", description=__doc__, on_running=[note_process])
def retrain() -> Any:
    """Takes what lies in data/incoming, trains anew if anything changed, and puts better models in use.

    The project's folder is the current one. A second retraining beside a running one ends at once. What was killed is
    completed by the next run.

    Returns:
        A `Retraining`; in Prefect a state of the outcome's name.

    Raises:
        InputError: params.yaml does not hold what it must.
        LLPError: a stage failed, the data or the models are not as they were written, or the new models failed
            their smoke test. The models in use stay, or are in use again.
    """
    root = Path.cwd()
    with interruptible():
        found = _alone(root)
    logger.info("%s: %s", found.outcome, found.why)
    return Completed(name=found.outcome.capitalize(), message=found.why, data=found)


def _alone(root: Path) -> Retraining:
    try:
        with locked(root / RETRAINING.with_name(".retrain.lock"), "It holds data/.retrain.lock."):
            return _retrain(root)
    except HeldError as error:
        return Retraining("another retraining is running", str(error))


def _retrain(root: Path) -> Retraining:
    params = load_params(root / PARAMS)
    require_judgeable(params)  # the gate asks too, but only after hours of training
    _settle_registry(root)
    data_version = current_version(root)
    _warn_of_idle_data(root, params, data_version)
    if data_version is not None:
        take_new_data(root, params)
    if not any(stage_status(root).values()) and (why := decided(root, params)):
        return Retraining("nothing to do", f"Nothing changed, and {why}.")
    drift = find_drift(root, params) if data_version is not None else None
    full()
    if why := decided(root, params):
        return Retraining("nothing to do", f"The models came out as they were, and {why}.")
    verdict = ask_gate(root, params, drift)
    if verdict.promoted:
        put_in_use(root, verdict)
    show_report(root / REPORT / "index.html")
    if drift is not None:
        _announce(drift, params)
    outcome: Outcome = "promoted" if verdict.promoted else "refused"
    return Retraining(outcome, verdict.headline, verdict)


def _warn_of_idle_data(root: Path, params: Params, data_version: int | None) -> None:
    """New data that no training would see is not passed over in silence."""
    trained_on = params.data.name == "files" and Path(params.data.files.nodes).parent == LIVE
    if data_version is None and any((root / INCOMING).glob("[!.]*")):
        logger.warning("%s holds files, but there is no live data to take them. `llp data start` makes it.", INCOMING)
    elif data_version is not None and not trained_on:
        logger.warning("params.yaml names other data than %s: no training sees it. `llp data start` mends that.", LIVE)


def _announce(drift: DriftReport, params: Params) -> None:
    """Says in an event that the data has moved. It starts a retraining (prefect.yaml), so it comes once one is done.

    That one finds nothing to do; were it to come earlier, a failing stage would start retrainings without end.
    """
    if drift.max_psi > params.gate.max_psi:
        payload = {"max_psi": drift.max_psi, "shares": drift.shares}
        emit_event(DRIFT_DETECTED, resource=LIVE_DATA, payload=payload)


def _settle_registry(root: Path) -> None:
    try:
        settle(root)
    except LLPError as error:  # a killed run's model failed its test; the former one is in use again
        logger.warning("%s", error)


@task(name="new data", task_run_name="new data", cache_policy=NO_CACHE, persist_result=False)
def take_new_data(root: Path, params: Params) -> IngestReport:
    """Takes what lies in data/incoming into the live data."""
    report = ingest(root, None, params)
    for file in report.files:
        logger.info("%s: %s%s", file.name, file.status, f": {file.reason}" if file.reason else "")
    show_data(report)
    return report


@task(name="drift", task_run_name="drift", cache_policy=NO_CACHE, persist_result=False)
def find_drift(root: Path, params: Params) -> DriftReport | None:
    """Compares the live data with that of the model in use. Where it cannot, the retraining goes on without."""
    try:
        drift = drift_since_champion(root, params)
    except Exception as error:  # whatever it is, what comes after does not hang on it
        logger.warning("What has drifted is not known: %s", str(error) or type(error).__name__)
        return None
    if drift is not None:
        show_drift(drift)
    return drift


@task(name="gate", task_run_name="gate", cache_policy=NO_CACHE, persist_result=False)
def ask_gate(root: Path, params: Params, drift: DriftReport | None) -> Verdict:
    """Judges the new models beside the one in use, and keeps what was decided."""
    verdict = judge(root, params)
    kept = keep_decision(root, params, verdict, drift)
    logger.info("%s See %s.", verdict.headline, kept)
    show_verdict(verdict)
    return verdict


@task(name="promotion", task_run_name="promotion", cache_policy=NO_CACHE, persist_result=False)
def put_in_use(root: Path, verdict: Verdict) -> int:
    """Makes a version of the new models and puts it in use."""
    number = register(root, verdict)
    data_version = read_version(root, number).data.version  # that of data/live may have come since
    made_of = "" if data_version is None else f" Made of version {data_version} of the data."
    promote(root, number, f"{verdict.headline}{made_of}", verdict)
    return number
