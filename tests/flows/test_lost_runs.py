"""Runs of the command line whose process was killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.deployments import give_up_lost_runs
from flows.full import full, note_process
from flows.paper import paper
from flows.retrain import retrain
from flows.tune import tune

SLEEP = """
import time
import flows
from flows.full import note_process
from prefect import flow
from prefect.runtime import flow_run

@flow(on_running=[note_process])
def sleep():
    print(flow_run.id, flush=True)
    time.sleep(600)

sleep()
"""


@pytest.mark.usefixtures("prefect_server")
def test_a_run_whose_process_was_killed_is_given_up_and_no_other() -> None:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    api = str(PREFECT_API_URL.value())
    variables = os.environ | {"PREFECT_API_URL": api, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", SLEEP]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables) for _ in range(2)]
    try:
        runs = [process.stdout.readline().strip() for process in processes if process.stdout]
        processes[0].kill()
        processes[0].wait(timeout=30)
        give_up_lost_runs(api)
        with get_client(sync_client=True) as client:
            states = [client.read_flow_run(run).state for run in runs]
        assert [state.name for state in states if state] == ["Crashed", "Running"]
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=30)


@pytest.mark.parametrize("flow", [full, paper, retrain, tune], ids=lambda flow: flow.name)
def test_each_flow_notes_its_process(flow) -> None:
    assert flow.on_running_hooks == [note_process]
