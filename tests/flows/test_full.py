"""The full flow on the tiny project: real Prefect, real DVC."""

import threading
import time

import pytest
import tiny_stages
from prefect.exceptions import TerminationSignal
from tiny_project import Project

from flows import full as module
from flows.bookkeeping import StageEntry
from flows.full import FullRun, full, select
from llp_core.errors import CheckFailed, InputError, LLPError, StageFailed
from llp_core.locks import HeldError, locked

pytestmark = pytest.mark.usefixtures("prefect_server", "stages_in_process")


@pytest.fixture
def stages_in_process(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow calls the tiny stages, two side by side, and waits for no retry."""
    monkeypatch.setattr(module, "run_stage", tiny_stages.run_stage)
    monkeypatch.setattr(module, "_workers", lambda root: 2)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0)


def outcomes(result: FullRun) -> dict[str, str]:
    return {run.address: run.outcome for run in result.stages}


def artifacts(key: str) -> list[str]:
    """The data of every artifact of a key, the latest last."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return [str(artifact.data) for artifact in sorted(found, key=lambda artifact: artifact.created)]


def task_states() -> dict[str, str]:
    """Name of each task run of the latest flow run -> name of the state that it ended in."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        (latest,) = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)
        for _ in range(100):  # the server learns of states by events, a moment later
            runs = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[latest.id])))
            states = {run.name: run.state_name or "" for run in runs}
            if len(states) == 14 and not {"Running", "Pending"} & set(states.values()):
                break
            time.sleep(0.1)
    return states


def test_after_the_flow_dvc_finds_nothing_to_do(project: Project) -> None:
    result = full()
    assert set(outcomes(result).values()) == {"ran"}
    assert len(project.calls()) == 14
    assert project.dvc_status() == {}
    assert project.dvc_repro() == []
    assert "student@cold_start" in artifacts("stages")[-1]


def test_after_dvc_repro_the_flow_runs_nothing(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flows")
    assert len(project.dvc_repro()) == 14
    project.calls()
    result = full()
    assert project.calls() == []
    assert set(outcomes(result).values()) == {"up to date"}
    assert set(task_states().values()) == {"Up to date"}
    assert any(record.message.startswith("student@production: up to date") for record in caplog.records)


def test_a_changed_student_leaves_the_teacher_alone(project: Project) -> None:
    full()
    project.calls()
    project.set("margin: 0.5", "margin: 0.2")
    result = outcomes(full())
    assert {result[f"teacher@{setting}"] for setting in tiny_stages.SETTINGS} == {"up to date"}
    assert sorted(project.calls()) == sorted(
        ["report"] + [f"{name}@{setting}" for name in ("student", "latency") for setting in tiny_stages.SETTINGS]
    )
    project.set("margin: 0.2", "margin: 0.5")
    result = outcomes(full())
    assert result["student@production"] == "restored"
    assert project.calls() == []


def test_a_failure_leaves_other_settings_to_finish(project: Project) -> None:
    project.tell_to_fail("teacher@production")
    with pytest.raises(
        StageFailed, match="teacher@production failed: RuntimeError: told to fail in teacher@production"
    ):
        full()
    states = task_states()
    assert states["teacher@production"] == "Failed"
    assert states["student@production"] == states["latency@production"] == states["report"] == "NotReady"
    assert states["latency@transductive"] == states["latency@cold_start"] == "Completed"
    assert "latency@cold_start" not in project.dvc_status()
    (project.root / "fail.txt").unlink()
    project.calls()
    full()
    assert project.calls() == ["teacher@production", "student@production", "latency@production", "report"]


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ({"split@production": "CheckFailed"}, CheckFailed),
        ({"split@production": "CheckFailed", "split@transductive": "CheckFailed"}, CheckFailed),
        ({"split@production": "CheckFailed", "split@transductive": "InputError"}, StageFailed),
    ],
)
def test_errors_of_one_kind_keep_it(project: Project, failures: dict[str, str], kind: type[LLPError]) -> None:
    for address, error in failures.items():
        project.tell_to_fail(address, error)
    with pytest.raises(LLPError) as error:
        full()
    assert type(error.value) is kind
    for address in failures:
        assert f"{address} failed: told to fail in {address}" in str(error.value)


def test_a_stage_that_may_is_tried_again(project: Project) -> None:
    project.tell_to_fail("prepare", times=2)
    assert outcomes(full(["production"]))["prepare"] == "ran"
    assert project.calls()[:3] == ["prepare"] * 3


def test_what_is_wrong_with_the_input_is_not_tried_again(project: Project) -> None:
    project.tell_to_fail("prepare", "InputError")
    with pytest.raises(InputError, match="prepare failed: told to fail"):
        full()
    assert project.calls() == ["prepare"]


def test_a_stage_that_is_alone_is_alone(project: Project) -> None:
    full()
    times = project.times()
    measured = {address for address in times if address.startswith("latency")}
    assert len(measured) == 3
    for address in measured:
        started, ended = times.pop(address)
        assert all(end <= started or ended <= start for start, end in times.values())


def test_other_stages_run_side_by_side(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = threading.Barrier(2, timeout=60)

    def meet(name: str, setting: str | None) -> None:
        if name == "split" and setting != "cold_start":
            meeting.wait()
        tiny_stages.run_stage(name, setting)

    monkeypatch.setattr(module, "run_stage", meet)
    assert outcomes(full(["transductive", "production"]))["split@production"] == "ran"


def test_one_setting(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flows")
    result = full(["cold_start"])
    assert list(outcomes(result)) == [
        "prepare",
        "split@cold_start",
        "teacher@cold_start",
        "student@cold_start",
        "latency@cold_start",
    ]
    assert result.page is None
    assert "report: left out, since it needs the settings that were not chosen" in caplog.messages


def test_wrong_params_stop_the_flow_before_any_stage(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(project.root)
    project.set("margin: 0.5", "margin: -7")
    with pytest.raises(InputError, match=r"student\.margin"):
        full()
    assert project.calls() == []


class TerminatedError(BaseException):
    """Stands for Prefect's TerminationSignal, after which Prefect would end the process of the tests."""


@pytest.mark.parametrize("signal", [KeyboardInterrupt, TerminatedError])
def test_a_signal_ends_stages_that_show_progress(
    signal: type[BaseException], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llp_core.progress import Progress, stop_requested

    def train(name: str, setting: str | None) -> None:
        with Progress(10**9, "training") as progress:
            while True:
                progress.advance()
                time.sleep(0.01)

    def interrupted(futures: object) -> object:
        raise signal

    monkeypatch.setattr(module, "run_stage", train)
    monkeypatch.setattr(module, "as_completed", interrupted)
    monkeypatch.setattr(module.os, "_exit", lambda code: None)  # which would end the tests
    monkeypatch.setattr("prefect.server.api.server.SubprocessASGIServer._instances", {})
    with pytest.raises(signal):
        full()
    assert stop_requested.is_set()
    stop_requested.clear()
    assert "prepare" in project.dvc_status()


class TestWorkers:
    @pytest.mark.parametrize(
        ("gpu", "device", "threads", "cores", "workers"),
        [
            (False, "auto", 1, 2, 2),
            (False, "auto", 3, 8, 2),
            (False, "cpu", 4, 2, 1),
            (True, "auto", 1, 8, 1),
            (True, "cpu", 1, 8, 8),
        ],
    )
    def test_cores_are_shared_by_threads(
        self,
        project: Project,
        monkeypatch: pytest.MonkeyPatch,
        gpu: bool,
        device: str,
        threads: int,
        cores: int,
        workers: int,
    ) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(module, "_has_gpu", lambda: gpu)
        monkeypatch.setattr(module.os, "sched_getaffinity", lambda pid: range(cores))
        project.set("threads: 1", f"threads: {threads}")
        project.set("device: auto", f"device: {device}")
        assert module._workers(project.root) == workers


def entry(address: str, *after: str) -> StageEntry:
    return StageEntry(address, frozenset(after), alone=False, retries=0)


STAGES = [entry("download"), entry("split@transductive", "download"), entry("split@production", "download")]
ALL = [*STAGES, entry("report", "split@transductive", "split@production")]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, ["download", "split@transductive", "split@production", "report"]),
        (["production"], ["download", "split@production"]),
        (["production", "transductive"], ["download", "split@transductive", "split@production", "report"]),
    ],
)
def test_selected_stages(settings: list[str] | None, expected: list[str]) -> None:
    assert [stage.address for stage in select(ALL, settings)] == expected


@pytest.mark.parametrize(
    ("setting", "hint"),
    [("prodction", "Did you mean production?"), ("xyz", "There are transductive, production.")],
)
def test_a_setting_that_is_not_known(setting: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint.replace("?", r"\?")):
        select(ALL, [setting])


@pytest.mark.parametrize(
    ("signal", "code"), [(KeyboardInterrupt(), module.INTERRUPTED), (TerminationSignal(signal=15), module.TERMINATED)]
)
def test_a_temporary_server_does_not_outlive_its_flow(
    signal: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Server:
        stopped = False

        def stop(self) -> None:
            self.stopped = True

    server, codes = Server(), []
    monkeypatch.setattr("prefect.server.api.server.SubprocessASGIServer._instances", {8000: server})
    monkeypatch.setattr(module.os, "_exit", codes.append)

    def told(*_: object) -> None:
        raise signal

    monkeypatch.setattr(module, "read_stages", told)
    with pytest.raises(type(signal)):
        full.fn()
    assert server.stopped
    assert codes == [code]


def test_stages_of_two_runs_do_not_meet(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def another_run(name: str, setting: str | None) -> None:
        with pytest.raises(HeldError), locked(project.root / module.LOCK, "held"):
            pass
        seen.append(name)
        tiny_stages.run_stage(name, setting)

    monkeypatch.setattr(module, "run_stage", another_run)
    full()
    assert "prepare" in seen
    with locked(project.root / module.LOCK, "held"):  # it is free again
        pass
