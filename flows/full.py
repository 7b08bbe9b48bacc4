"""The full flow: every stage of dvc.yaml as a Prefect task that calls the stage's function in this process."""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.artifacts import show_quality, show_stages
from flows.bookkeeping import Outcome, StageEntry, read_stages, run_recorded
from llp_core.config import load_params
from llp_core.errors import INTERRUPTED, TERMINATED, InputError, LLPError, StageFailed, hint
from llp_core.locks import locked
from llp_core.names import SETTINGS, Setting
from llp_core.paths import REPORT, evaluation
from llp_core.processes import usable_cores
from llp_core.progress import stop_requested
from llp_core.stages import run_stage

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5
GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""One of these is there wherever torch could find a GPU: of NVIDIA's driver, AMD's, and of Windows' Linux."""

LOCK = Path("data/.full.lock")
"""Held while stages run: DVC refuses a stage, and all that depends on it fails, while another process is at it."""

Future: TypeAlias = PrefectFuture[Any]
Runner: TypeAlias = ThreadPoolTaskRunner[Any]


@dataclass(frozen=True)
class StageRun:
    """What became of one stage in a flow.

    Attributes:
        address: of the stage in dvc.yaml.
        outcome: what was done; "failed"; or "skipped", where a stage that it depends on failed.
        seconds: that it took.
        error: why it failed.
    """

    address: str
    outcome: Outcome | Literal["failed", "skipped"]
    seconds: float = 0.0
    error: BaseException | None = None


@dataclass(frozen=True)
class FullRun:
    """What the flow did.

    Attributes:
        stages: in the order they were started.
        quality: Markdown table of the settings that ran, None where there is none.
        page: the report, None where it was left out.
    """

    stages: tuple[StageRun, ...]
    quality: str | None
    page: Path | None


def note_process(flow: Any, flow_run: FlowRun, state: Any) -> None:  # noqa: ARG001 (Prefect's names)
    """Tells the server which process carries out a run, as the worker does of its own: who is killed cannot tell."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, infrastructure_pid=str(os.getpid()))


@flow(name="full", description=__doc__, on_running=[note_process])
def full(settings: list[str] | None = None) -> FullRun:
    """Brings every stage up to date, stages of different settings side by side.

    The project's folder is the current one. A stage that fails leaves the stages that do not depend on it to
    finish. While another run of the same folder is at its stages, this one waits.

    Args:
        settings: whose stages to run; all by default. With some left out, so are the stages that need all.

    Returns:
        What became of each stage, and the figures.

    Raises:
        InputError: there is no such setting, or params.yaml does not hold what it must.
        StageFailed: stages failed; the message names them. An error that all of them share is raised as its
            own class instead.
    """
    with interruptible():
        return _full(Path.cwd(), settings)


def _full(root: Path, settings: Iterable[str] | None) -> FullRun:
    started = time.monotonic()
    workers = _workers(root)
    stages = select(read_stages(root), settings)
    runner: Runner = ThreadPoolTaskRunner(max_workers=workers)
    with locked(root / LOCK), runner:
        futures = _run_all(stages, runner)
    runs = [_stage_run(address, future) for address, future in futures.items()]
    show_stages(
        [{"stage": run.address, "done": run.outcome, "seconds": round(run.seconds, 1)} for run in runs],
        time.monotonic() - started,
    )
    quality = _show_quality(runs)
    _raise_failures(runs)
    page = root / REPORT / "index.html"
    return FullRun(tuple(runs), quality, page if any(run.address == "report" for run in runs) else None)


def _show_quality(runs: Sequence[StageRun]) -> str | None:
    """The table of quality of the settings that got through. Prefect shows it too, with the picture if it changed."""
    done = {run.address for run in runs if run.error is None and run.outcome != "skipped"}
    settings = [setting for setting in SETTINGS if {f"evaluate@{setting}", f"latency@{setting}"} <= done]
    if not settings:
        return None
    from llp_core.report import load_context, quality_latency_png, quality_table
    from llp_core.store import load
    from llp_core.types import Evaluation

    table = quality_table([load(Evaluation, evaluation(setting)) for setting in settings])
    changed = any(run.outcome in ("ran", "restored") for run in runs)
    show_quality(table, quality_latency_png(load_context(Path(), settings)) if changed else None)
    return table


def select(stages: Sequence[StageEntry], settings: Iterable[str] | None) -> list[StageEntry]:
    """The stages of some settings, with those before them that belong to no setting.

    Raises:
        InputError: there is no such setting.
    """
    known = [stage.setting for stage in stages if stage.setting]
    chosen = set(settings or known)
    for setting in sorted(chosen - set(known)):
        raise InputError(f"{setting} is not a setting of dvc.yaml. {hint(setting, dict.fromkeys(known))}")
    selected: dict[str, StageEntry] = {}
    left_out = []
    for stage in stages:  # each comes after those that it depends on
        if (stage.setting is None or stage.setting in chosen) and stage.after <= selected.keys():
            selected[stage.address] = stage
        elif stage.setting is None:
            left_out.append(stage.address)
    if left_out:
        logger.info("%s: left out, since it needs the settings that were not chosen", ", ".join(left_out))
    return list(selected.values())


def _workers(root: Path) -> int:
    """How many stages run side by side: as many as find cores for their threads, and one on a GPU."""
    run = load_params(root / "params.yaml").run
    if run.device != "cpu" and _has_gpu():
        return 1
    return max(1, usable_cores() // run.threads)


def _has_gpu() -> bool:
    if not any(Path(device).exists() for device in GPU_DEVICES):
        return False  # and torch, a second's import, stays out of a run that finds everything up to date
    import torch

    return torch.cuda.is_available()


def _run_all(stages: Sequence[StageEntry], runner: Runner) -> dict[str, Future]:
    """Submits each stage when those before it are done, well or not; one that is alone when nothing else runs."""
    waiting = {stage.address: stage for stage in stages}
    futures: dict[str, Future] = {}
    running: dict[Future, StageEntry] = {}
    stop_requested.clear()
    try:
        while waiting or running:
            done = futures.keys() - {stage.address for stage in running.values()}
            for stage in _next_stages(waiting.values(), done, running.values()):
                del waiting[stage.address]
                future = _submit(runner, stage, [futures[address] for address in stage.after])
                futures[stage.address] = future
                running[future] = stage
            del running[next(as_completed(list(running)))]
    except BaseException:  # Ctrl-C, or Prefect's signal that the process is to end: stages stop at their next step
        stop_requested.set()
        raise
    return futures


def _next_stages(waiting: Iterable[StageEntry], done: Iterable[str], running: Iterable[StageEntry]) -> list[StageEntry]:
    """The stages that may start now."""
    if any(stage.alone for stage in running):
        return []
    ready = [stage for stage in waiting if stage.after <= set(done)]
    beside_others = [stage for stage in ready if not stage.alone]
    if beside_others or list(running):
        return beside_others
    return ready[:1]


@contextmanager
def interruptible() -> Iterator[None]:
    """Ends the process where the block is interrupted or told to end, if its Prefect server is a temporary one.

    A terminal interrupts that server too, and Prefect would call it for minutes; a process that is told to end
    would leave it behind.
    """
    try:
        yield
    except (KeyboardInterrupt, TerminationSignal) as signal:
        from prefect.server.api.server import SubprocessASGIServer

        servers = list(SubprocessASGIServer._instances.values())
        for server in servers:
            server.stop()
        if servers:
            logger.warning("Interrupted. What was complete is kept; the same command goes on from there.")
            os._exit(INTERRUPTED if isinstance(signal, KeyboardInterrupt) else TERMINATED)
        raise


def _submit(runner: Runner, stage: StageEntry, after: list[Future]) -> Future:
    named = bring_up_to_date.with_options(
        name=stage.name,
        task_run_name=stage.address,
        retries=stage.retries,
        retry_delay_seconds=RETRY_SECONDS,
        retry_condition_fn=_may_pass_by_itself,
    )
    return runner.submit(named, {"address": stage.address}, wait_for=after)


@task(cache_policy=NO_CACHE, persist_result=False)
def bring_up_to_date(address: str) -> "State[StageRun]":
    """Runs one stage if DVC finds it stale, and ends in a state that says what was done."""
    name, _, setting = address.partition("@")

    def run() -> None:
        logger.info("%s: running", address)
        run_stage(name, cast(Setting, setting) if setting else None)

    started = time.monotonic()
    try:
        outcome = run_recorded(Path.cwd(), address, run)
    except Exception as error:
        logger.error("%s: failed: %s", address, describe(error))
        raise
    seconds = time.monotonic() - started
    done = "done" if outcome == "ran" else outcome
    logger.info("%s: %s, %.1f s", address, done, seconds)
    return Completed(
        name="Completed" if outcome == "ran" else outcome.capitalize(),
        message=f"{done}, {seconds:.1f} s",
        data=StageRun(address, outcome, seconds),
    )


def _may_pass_by_itself(_task: object, _run: TaskRun, state: "State[Any]") -> bool:
    """A failure of the network or the machine may; what is wrong with the user's input stays wrong."""
    error = state.result(raise_on_failure=False)
    reason = error.__context__ if isinstance(error, LLPError) else error
    return isinstance(reason, Exception) and not isinstance(reason, (LLPError, FileNotFoundError))


def _stage_run(address: str, future: Future) -> StageRun:
    future.wait()
    state = future.state
    if state.is_pending():  # Prefect's "not ready": a stage before it failed
        logger.info("%s: skipped, since a stage before it failed", address)
        return StageRun(address, "skipped")
    result = state.result(raise_on_failure=False)
    return StageRun(address, "failed", error=result) if isinstance(result, BaseException) else result


def _raise_failures(runs: Iterable[StageRun]) -> None:
    errors = {run.address: run.error for run in runs if run.error is not None}
    if not errors:
        return
    message = "\n".join(f"{address} failed: {describe(error)}" for address, error in errors.items())
    kinds = {type(error) for error in errors.values()}
    kind = kinds.pop() if len(kinds) == 1 else StageFailed
    raise (kind if issubclass(kind, LLPError) else StageFailed)(message) from next(iter(errors.values()))


def describe(error: BaseException) -> str:
    """An error that users can act on speaks for itself; any other is named."""
    return str(error) if isinstance(error, LLPError) else f"{type(error).__name__}: {error}"
