"""Versions of the live data: the way back, the log, DVC's part, and two at once."""

import errno
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from dvc_objects.fs import generic
from live_project import Project

from llp_core.dvc_repo import dvc_repo, tracked_hash
from llp_core.errors import InputError, LLPError
from llp_core.live import IngestReport, checkout, current_version, extract, push, versions
from llp_core.live.records import LIVE


@pytest.fixture
def grown(project: Project) -> Project:
    """Three versions: the ring; with a chord; without n0."""
    project.ingest(project.write("a.csv", "source,target\nn0,n4\n"))
    project.ingest(project.write("b.csv", "id,change\nn0,remove\n"))
    return project


def dvc_status(root: Path) -> dict[str, object]:
    with dvc_repo(root) as repo:
        return {name: told for name, told in repo.status().items() if name.endswith(".dvc")}


def test_the_log(grown: Project) -> None:
    log = versions(grown.root)
    assert [(each.number, each.after, each.nodes, each.edges) for each in log] == [
        (1, None, 8, 8),
        (2, 1, 8, 9),
        (3, 2, 7, 6),
    ]
    assert [source.name for source in log[1].sources] == ["a.csv"]
    assert len({each.dvc for each in log}) == 3
    assert tracked_hash(grown.root, LIVE) == log[2].dvc
    assert dvc_status(grown.root) == {}


def test_there_and_back(grown: Project) -> None:
    third = grown.content()
    checkout(grown.root, 1)
    assert current_version(grown.root) == 1
    assert (len(grown.nodes()), len(grown.edges())) == (8, 8)
    assert tracked_hash(grown.root, LIVE) == versions(grown.root)[0].dvc
    assert dvc_status(grown.root) == {}
    checkout(grown.root, 3)
    assert grown.content() == third
    assert len(versions(grown.root)) == 3


def test_it_goes_on_from_an_earlier_version(grown: Project) -> None:
    checkout(grown.root, 1)
    report = grown.ingest(grown.write("c.csv", "source,target\nn1,n5\n"))
    assert (report.before, report.after) == (1, 4)
    assert [(each.number, each.after) for each in versions(grown.root)] == [(1, None), (2, 1), (3, 2), (4, 1)]
    assert (len(grown.nodes()), len(grown.edges())) == (8, 9)


def test_what_was_taken_since_may_be_taken_anew(grown: Project) -> None:
    second, file = versions(grown.root)[1], grown.root / "a.csv"
    checkout(grown.root, 1)
    report = grown.ingest(file)
    assert (report.after, report.files[0].status) == (4, "taken")
    assert versions(grown.root)[3].files == second.files


def test_a_version_beside_the_one_in_use(grown: Project, tmp_path: Path) -> None:
    before = grown.content()
    (tmp_path / "first").mkdir()
    extract(grown.root, 1, tmp_path / "first")
    assert grown.content() == before
    checkout(grown.root, 1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()} == grown.content()


@pytest.mark.parametrize("number", [0, 4, -1])
def test_a_version_that_is_not_known(grown: Project, number: int) -> None:
    before = grown.content()
    with pytest.raises(InputError, match=f"version {number}: no such version of the data; there are 1 to 3"):
        checkout(grown.root, number)
    assert grown.content() == before


def test_a_version_before_there_is_any(new_project: Project) -> None:
    with pytest.raises(InputError, match="there is none: `llp data start` makes the first"):
        checkout(new_project.root, 1)


@pytest.mark.parametrize("text", ["", "<<<<<<< HEAD\n{}=======\n{}>>>>>>> theirs\n"])
def test_what_dvc_notes_of_live_data_is_mended(grown: Project, text: str) -> None:
    noted = grown.root / "data/live.dvc"
    before = noted.read_text()
    noted.write_text(text.format(before, before))
    assert current_version(grown.root) == 3
    assert noted.read_text() == before


def test_checkout_mends_what_someone_changed(grown: Project) -> None:
    before = grown.content()
    (grown.root / "data/live/nodes.parquet").unlink()
    checkout(grown.root, 3)
    assert grown.content() == before


def test_live_data_that_is_gone(grown: Project) -> None:
    before = grown.content()
    shutil.rmtree(grown.root / "data/live")
    with pytest.raises(InputError, match=r"there are versions of it. `llp data checkout 3` brings it"):
        grown.ingest()
    with pytest.raises(InputError, match=r"there are versions of it. `llp data checkout 3` brings it"):
        grown.start()
    checkout(grown.root, 3)
    assert grown.content() == before
    assert grown.start() == 3


def test_neither_cache_nor_remote_holds_it(grown: Project) -> None:
    before = grown.content()
    shutil.rmtree(grown.root / ".dvc/cache")
    with pytest.raises(InputError, match=r"\.dir: neither DVC's cache nor its remote holds all of it"):
        checkout(grown.root, 1)
    assert grown.content() == before
    assert [path.name for path in (grown.root / "data").glob(".live.*")] == [".live.lock"]


@pytest.fixture
def remote(grown: Project, tmp_path: Path) -> Path:
    """DVC's remote of the grown project, empty."""
    (tmp_path / "remote").mkdir()
    config = grown.root / ".dvc/config"
    config.write_text(f"{config.read_text()}    remote = here\n['remote \"here\"']\n    url = {tmp_path / 'remote'}\n")
    return tmp_path / "remote"


@pytest.mark.usefixtures("remote")
def test_a_version_comes_from_the_remote(grown: Project) -> None:
    checkout(grown.root, 1)
    first = grown.content()
    with dvc_repo(grown.root) as repo:
        repo.push(targets=["data/live.dvc"])
    checkout(grown.root, 3)
    shutil.rmtree(grown.root / ".dvc/cache")
    checkout(grown.root, 1)
    assert grown.content() == first


def test_every_version_is_pushed_and_comes_back(grown: Project, remote: Path) -> None:
    assert push(grown.root) == [1, 2, 3]
    assert push(grown.root) == []
    shutil.rmtree(grown.root / ".dvc/cache")
    for number in (1, 2, 3):
        checkout(grown.root, number)
    shutil.rmtree(remote / "files")
    assert push(grown.root) == [1, 2, 3]


@pytest.mark.usefixtures("remote")
def test_a_version_that_is_nowhere_is_told_and_the_others_are_sent(grown: Project) -> None:
    shutil.rmtree(grown.root / ".dvc/cache")
    grown.ingest(grown.write("c.csv", "source,target\nn1,n5\n"))
    with pytest.raises(LLPError, match="Version 1, 2 of the data: DVC's remote has not got all of it"):
        push(grown.root)
    shutil.rmtree(grown.root / ".dvc/cache")
    checkout(grown.root, 4)
    checkout(grown.root, 3)


def test_what_an_ingest_replaces_is_in_the_cache(grown: Project) -> None:
    third = grown.content()
    shutil.rmtree(grown.root / ".dvc/cache")
    grown.ingest(grown.write("c.csv", "source,target\nn1,n5\n"))
    checkout(grown.root, 3)
    assert grown.content() == third


def test_a_version_that_the_cache_did_not_take_is_none_yet(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = generic._try_links

    def full(links: object, here: object, source: str, there: object, target: str, **options: object) -> None:
        if not target.endswith(".dir"):  # the list of the files is small enough
            raise OSError(errno.ENOSPC, "No space left on device")
        copied(links, here, source, there, target, **options)

    file = project.drop("a.csv", "source,target\nn0,n4\n")
    with monkeypatch.context() as patch:
        patch.setattr(generic, "_try_links", full)  # DVC logs it, and goes on
        with pytest.raises(LLPError, match=r"^data/live: DVC's cache .* did not take all of it\. Is the disk full\?$"):
            project.ingest()
    assert file.exists()
    assert len(versions(project.root)) == 2
    assert project.ingest().files[0].status == "known already"
    assert not file.exists()
    checkout(project.root, 1)
    checkout(project.root, 2)
    assert frozenset({"n0", "n4"}) in project.edges()


def test_the_pipeline_goes_stale_by_itself(project: Project) -> None:
    from flows.bookkeeping import read_stages, run_recorded, stage_status
    from llp_core.stages import run_stage

    project.write("data/embedded/manifest.json", "{}")
    project.configure(data__files__nodes="data/live/nodes.parquet", data__files__edges="data/live/edges.parquet")
    assert {stage.address for stage in read_stages(project.root)} >= {"download", "report"}
    assert not any(".dvc" in stage.address + "".join(stage.after) for stage in read_stages(project.root))
    run_recorded(project.root, "download", lambda: run_stage("download"))
    assert stage_status(project.root)["download"] == []
    project.ingest(project.write("a.csv", "source,target\nn0,n4\n"))
    assert stage_status(project.root)["download"] == ["data/live/edges.parquet modified"]
    checkout(project.root, 1)
    assert stage_status(project.root)["download"] == []


def test_two_ingests_at_once(project: Project) -> None:
    files = [
        project.write(f"{name}.csv", f"source,target\nn0,n{end}\n") for name, end in (("a", 3), ("b", 4), ("c", 5))
    ]
    reports: list[IngestReport] = []
    threads = [threading.Thread(target=lambda file=file: reports.append(project.ingest(file))) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted((report.before, report.after) for report in reports) == [(1, 2), (2, 3), (3, 4)]
    assert len(project.edges()) == 11
    assert dvc_status(project.root) == {}


def test_two_processes_with_the_same_files(project: Project) -> None:
    for name, end in (("a", 3), ("b", 4)):
        project.drop(f"{name}.csv", f"source,target\nn0,n{end}\n")
    script = (
        "from pathlib import Path\nfrom llp_core.config import load_params\nfrom llp_core.live import ingest\n"
        "report = ingest(Path.cwd(), None, load_params(Path('params.yaml')))\nprint(report.after, len(report.files))"
    )
    command = [sys.executable, "-c", script]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = sorted(process.communicate(timeout=120)[0].split() for process in processes)
    assert told == [["2", "0"], ["2", "2"]]
    assert len(versions(project.root)) == 2


@pytest.mark.parametrize("text", [json.dumps({"number": 2}), "[]", '{"number": 2'])
def test_a_record_that_is_not_one(grown: Project, text: str) -> None:
    path = grown.root / "data/versions/0002.json"
    path.write_text(text)
    advice = rf"0002\.json: it does not describe a version of the data .* `git checkout -- {path}`"
    with pytest.raises(InputError, match=advice):
        versions(grown.root)


def test_live_data_that_does_not_say_what_it_is(grown: Project) -> None:
    """What the message says brings it back."""
    before = grown.content()
    (grown.root / "data/live/version.json").write_text("{")
    with pytest.raises(InputError, match=r"live/version\.json: .* Move data/live elsewhere, then `llp data log`"):
        grown.ingest()
    (grown.root / "data/live").rename(grown.root / "elsewhere")
    assert [version.number for version in versions(grown.root)] == [1, 2, 3]
    checkout(grown.root, 3)
    assert grown.content() == before


def test_a_file_beside_the_records_is_none(grown: Project) -> None:
    folder = grown.root / "data/versions"
    for name in ("0001-copy.json", "1.json", "notes.json"):
        shutil.copy(folder / "0001.json", folder / name)
    assert [version.number for version in versions(grown.root)] == [1, 2, 3]
    assert grown.ingest(grown.write("c.csv", "source,target\nn1,n5\n")).after == 4


def test_settling_with_nothing_to_do_leaves_all_as_it_is(grown: Project) -> None:
    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (grown.root / "data").rglob("*") if path.is_file()}

    before = state()
    assert current_version(grown.root) == 3
    assert state() == before
