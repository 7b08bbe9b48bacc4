"""What Prefect's server is asked for: the work pool, the worker's life signs, the runs to come."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_AUTH_STRING
from prefect.states import Cancelling, Crashed
from prefect.utilities.processutils import command_to_string
from prefect.workers.process import ProcessWorker

from flows.daemons import wait_until

POOL = "llp"
"""The work pool, and the worker that takes runs from it."""
_OF_POOL = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
_ACTIVE = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


@dataclass(frozen=True)
class NextRun:
    """A run that is to come.

    Attributes:
        deployment: its name in prefect.yaml.
        start: when it is due, with time zone.
    """

    deployment: str
    start: datetime


def _client(api: str) -> SyncPrefectClient:
    return SyncPrefectClient(api, auth_string=PREFECT_API_AUTH_STRING.value())


def prepare_pool(api: str) -> None:
    """Makes the work pool where it is missing, and has its runs use this interpreter.

    Without a command Prefect would have `uv`, where it is installed, make an environment for each run.
    """
    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["command"]["default"] = command_to_string(
        [sys.executable, "-m", "flows.run_on_worker"]
    )
    with _client(api) as client:
        try:
            client.read_work_pool(POOL)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
        else:
            client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))


def worker_is_online(api: str, since: datetime) -> bool:
    """Whether the worker gave a sign of life after `since`."""
    with _client(api) as client:
        workers = client.read_workers_for_work_pool(POOL)
    return any(worker.last_heartbeat_time and worker.last_heartbeat_time > since for worker in workers)


def next_runs(api: str, count: int) -> Sequence[NextRun]:
    """The runs that are due next, the soonest first, `count` at most."""
    with _client(api) as client:
        runs = client.read_flow_runs(
            flow_run_filter=_in_state(StateType.SCHEDULED),
            work_pool_filter=_OF_POOL,
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=count,
        )
        names = {run.deployment_id: client.read_deployment(run.deployment_id).name for run in runs if run.deployment_id}
    return [
        NextRun(names[run.deployment_id], run.expected_start_time)
        for run in runs
        if run.deployment_id and run.expected_start_time
    ]


def cancel_runs(api: str, seconds: float) -> None:
    """Has the worker end the runs that it started, and waits until they have, or until so many seconds are over."""
    with _client(api) as client:
        for run in _active(client):
            client.set_flow_run_state(run.id, Cancelling(message="The worker is stopped."))
        wait_until(lambda: not _active(client), seconds)


def terminate_runs(api: str, seconds: float) -> None:
    """Ends the runs of a worker that was killed, and waits until they have, or until so many seconds are over."""
    with _client(api) as client:
        for run in filter(_has_process, _active(client)):
            os.kill(int(run.infrastructure_pid or ""), signal.SIGTERM)
        wait_until(lambda: not any(map(_has_process, _active(client))), seconds)


def give_up_lost_runs(api: str) -> None:
    """Marks as crashed the runs that no process carries out any more, of the worker and of the command line.

    Whoever was killed cannot tell.
    """
    with _client(api) as client:
        noted = client.read_flow_runs(flow_run_filter=_in_state(*_ACTIVE))
        runs = [*_active(client), *(run for run in noted if run.infrastructure_pid and not run.work_pool_name)]
        lost = [run for run in runs if not _has_process(run)]
        while lost:
            for run in lost:
                client.set_flow_run_state(run.id, Crashed(message="Its process is gone."), force=True)
            parents = FlowRunFilterParentFlowRunId(any_=[run.id for run in lost])
            lost = client.read_flow_runs(flow_run_filter=_in_state(*_ACTIVE, parent_flow_run_id=parents))


def _active(client: SyncPrefectClient) -> list[FlowRun]:
    return client.read_flow_runs(flow_run_filter=_in_state(*_ACTIVE), work_pool_filter=_OF_POOL)


def _in_state(*kinds: StateType, **more: Any) -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(kinds))), **more)


def _has_process(run: FlowRun) -> bool:
    """Whether the process that it had is there still, and its number was not given to another."""
    try:
        process = psutil.Process(int(run.infrastructure_pid or ""))
        if run.work_pool_name is None:  # of the command line, whose process is older than the run
            return bool(run.start_time and process.create_time() <= run.start_time.timestamp())
        return bool(process.environ().get("PREFECT__FLOW_RUN_ID") == str(run.id))
    except (psutil.Error, ValueError):
        return False
