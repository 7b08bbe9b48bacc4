"""DVC's bookkeeping around functions of this process."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest
import tiny_stages
from dvc.utils.serialize import _yaml
from tiny_project import Project

from flows.bookkeeping import read_stages, run_recorded, stage_status
from llp_core.errors import InputError, LLPError


def run(project: Project, address: str) -> str:
    name, _, setting = address.partition("@")
    return run_recorded(project.root, address, lambda: tiny_stages.run_stage(name, setting or None))


def test_the_graph_is_read_from_dvc_yaml(project: Project) -> None:
    stages = {stage.address: stage for stage in read_stages(project.root)}
    assert len(stages) == 14
    assert next(iter(stages)) == "prepare"
    assert list(stages)[-1] == "report"
    student = stages["student@cold_start"]
    assert (student.name, student.setting, student.after) == ("student", "cold_start", {"teacher@cold_start"})
    assert (student.alone, student.retries) == (False, 0)
    assert stages["prepare"].retries == 2
    assert stages["prepare"].setting is None
    assert stages["latency@production"].alone
    # Through folders that hold the outputs of other stages, too.
    assert stages["report"].after >= {"split@transductive", "latency@cold_start"}


def test_each_stage_comes_after_those_it_depends_on(project: Project) -> None:
    seen: set[str] = set()
    for stage in read_stages(project.root):
        assert stage.after <= seen
        seen.add(stage.address)


def test_there_is_no_dvc_yaml(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dvc.yaml: not found. Run llp in the project's folder"):
        read_stages(tmp_path)


def test_dvc_does_not_accept_the_file(project: Project) -> None:
    (project.root / "dvc.yaml").write_text("stages:\n  prepare:\n    comand: true\n")
    with pytest.raises(LLPError, match=r"DVC: .*dvc\.yaml"):
        read_stages(project.root)


def test_a_stage_runs_once(project: Project) -> None:
    assert run(project, "prepare") == "ran"
    assert run(project, "prepare") == "up to date"
    assert project.calls() == ["prepare"]
    assert "prepare" not in project.dvc_status()


def test_former_outputs_come_from_the_cache(project: Project) -> None:
    run(project, "prepare")
    first = project.output("prepare")
    project.set("name: debian", "name: cora")
    assert run(project, "prepare") == "ran"
    assert project.output("prepare") != first
    project.set("name: cora", "name: debian")
    assert run(project, "prepare") == "restored"
    assert project.output("prepare") == first
    assert "prepare" not in project.dvc_status()
    assert project.calls() == ["prepare", "prepare"]


def test_outputs_that_were_removed_come_from_the_cache(project: Project) -> None:
    run(project, "prepare")
    written = project.root / "data" / "prepare" / "out.json"
    text = written.read_text()
    written.unlink()
    assert run(project, "prepare") == "restored"
    assert written.read_text() == text


def test_a_failure_changes_nothing(project: Project) -> None:
    run(project, "prepare")
    first = project.output("prepare")
    project.set("name: debian", "name: cora")
    project.tell_to_fail("prepare")
    with pytest.raises(RuntimeError, match="told to fail in prepare"):
        run(project, "prepare")
    assert project.output("prepare") == first
    assert "prepare" in project.dvc_status()
    (project.root / "fail.txt").unlink()
    assert run(project, "prepare") == "ran"


def test_a_missing_file_is_named(project: Project) -> None:
    (project.root / "input.txt").unlink()
    with pytest.raises(InputError, match=r"input.txt: not found. Stage prepare reads it"):
        run(project, "prepare")
    assert project.calls() == []


def test_what_changes_during_the_run_is_not_recorded(project: Project) -> None:
    def run_slowly() -> None:
        tiny_stages.run_stage("prepare")
        (project.root / "input.txt").write_text("another graph")

    with pytest.raises(LLPError, match="prepare: a file or a setting that it depends on changed while it ran"):
        run_recorded(project.root, "prepare", run_slowly)
    assert "prepare" in project.dvc_status()


def test_two_stages_run_at_the_same_time(project: Project) -> None:
    run(project, "prepare")
    meeting = threading.Barrier(2, timeout=30)
    outcomes = []

    def bring_up_to_date(setting: str) -> None:
        def meet() -> None:
            meeting.wait()
            tiny_stages.run_stage("split", setting)

        outcomes.append(run_recorded(project.root, f"split@{setting}", meet))

    threads = [threading.Thread(target=bring_up_to_date, args=[setting]) for setting in ("transductive", "production")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert outcomes == ["ran", "ran"]
    assert not {"split@transductive", "split@production"} & project.dvc_status().keys()


def test_a_killed_run_leaves_no_lock(project: Project) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom flows.bookkeeping import run_recorded\n"
        "def hang():\n    print('running', flush=True)\n    time.sleep(600)\n"
        "run_recorded(Path.cwd(), 'prepare', hang)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "running\n"
        killed.send_signal(signal.SIGKILL)
        killed.wait(timeout=30)
    assert "prepare" in project.dvc_status()
    started = time.monotonic()
    assert run(project, "prepare") == "ran"
    assert time.monotonic() - started < 10


def test_dvc_lock_is_written_whole_or_not_at_all(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = _yaml._dump

    def killed(data: object, stream: TextIO) -> None:
        if "dvc.lock" not in stream.name:  # but an entry of DVC's run cache
            dump(data, stream)
            return
        stream.write("schema: '2.0'\nstages:\n  prep")
        raise KeyboardInterrupt

    lock = project.root / "dvc.lock"
    monkeypatch.setattr("dvc.utils.serialize._yaml._dump", killed)
    with pytest.raises(KeyboardInterrupt):
        run(project, "prepare")
    assert not lock.exists()
    monkeypatch.undo()
    monkeypatch.chdir(project.root)
    run(project, "prepare")
    whole = lock.read_text()
    (project.root / "input.txt").write_text("another graph")
    monkeypatch.setattr("dvc.utils.serialize._yaml._dump", killed)
    with pytest.raises(KeyboardInterrupt):
        run(project, "prepare")
    assert lock.read_text() == whole
    assert not list(project.root.glob(".dvc.lock.*"))


class TestLocks:
    """What DVC notes in .dvc/tmp/rwlock of those who read and write."""

    def note(self, project: Project, pid: int, age: float) -> None:
        path, who = project.root / ".dvc/tmp/rwlock", {"pid": pid, "cmd": "llp run-flow full"}
        out, dependency = str(project.root / "data/prepare"), str(project.root / "input.txt")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"write": {out: who}, "read": {dependency: [who]}}))
        os.utime(path, (time.time() - age,) * 2)

    @pytest.mark.parametrize("number_of", [os.getpid, os.getppid])
    def test_of_a_killed_process_whose_number_another_has(self, project: Project, number_of: Callable[[], int]) -> None:
        self.note(project, number_of(), age=1e9)
        assert run(project, "prepare") == "ran"

    @pytest.mark.parametrize("text", ["", '{"write": {"/somewh'])
    def test_of_a_process_killed_as_it_wrote(self, project: Project, text: str) -> None:
        (project.root / ".dvc/tmp").mkdir(exist_ok=True)
        (project.root / ".dvc/tmp/rwlock").write_text(text)
        assert run(project, "prepare") == "ran"

    def test_of_a_running_process(self, project: Project) -> None:
        self.note(project, os.getppid(), age=0)
        with pytest.raises(LLPError, match="data/prepare' is busy"):
            run(project, "prepare")
        assert project.calls() == []


class TestStatus:
    def test_nothing_ran(self, project: Project) -> None:
        status = stage_status(project.root)
        assert status["prepare"] == ["never ran"]
        assert status["split@production"] == ["never ran", "prepare comes first"]
        assert status["report"] == ["never ran", "12 stages come first"]

    def test_it_says_what_changed(self, project: Project) -> None:
        project.dvc_repro()
        assert set(map(tuple, stage_status(project.root).values())) == {()}
        project.set("margin: 0.5", "margin: 0.2")
        (project.root / "input.txt").write_text("another graph")
        (project.root / "data" / "cold_start" / "latency" / "out.json").unlink()
        status = stage_status(project.root)
        assert status["prepare"] == ["input.txt modified"]
        assert status["teacher@production"] == ["split@production comes first"]
        assert status["student@production"] == [
            "student.margin changed from 0.5 to 0.2",
            "teacher@production comes first",
        ]
        assert "data/cold_start/latency modified" in status["latency@cold_start"]

    def test_a_changed_command(self, project: Project) -> None:
        run(project, "prepare")
        path = project.root / "dvc.yaml"
        path.write_text(path.read_text().replace("tiny_stages.py prepare", "tiny_stages.py  prepare"))
        assert stage_status(project.root)["prepare"] == ["its command in dvc.yaml changed"]
