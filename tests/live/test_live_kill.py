"""`kill -9` at every step of a start, an ingest and a checkout: the next run ends where an undisturbed one does."""

import subprocess
import sys
from pathlib import Path

import pytest
from live_project import Project

# A fork dies just before its step-th change of a file or folder; the next one is left alone. Forks save the imports.
KILLER = """
import json, os, shutil, signal, sys, traceback
from pathlib import Path
from llp_core.checks.expectations import import_great_expectations
from llp_core.config import load_params
from llp_core.live import checkout, ingest, start, versions
import dvc.repo.add, dvc_data.hashfile.checkout, dvc.cachemgr, pandas
import_great_expectations()

template, what = Path(sys.argv[1]), sys.argv[2]
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "shutil.rmtree"}

def act():
    if what == "ingest":
        return ingest(Path.cwd(), None, load_params(Path("params.yaml"))).after
    if what == "start":
        return start(Path.cwd(), load_params(Path("params.yaml")))
    return checkout(Path.cwd(), 1)

def die_before(step):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if event in CHANGES or writes:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

def in_fork(folder, step=None):
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            os.environ["DVC_SITE_CACHE_DIR"] = str(folder.parent / f"{folder.name}-site")
            if step is not None:
                die_before(step)
            act()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def state(folder):
    def hashed(path):
        import hashlib
        return hashlib.sha256(path.read_bytes()).hexdigest()
    data = folder / "data"
    files = {str(path.relative_to(folder)): hashed(path) for name in ("incoming", "quarantine")
             for path in (data / name).rglob("*")}
    files["versions"] = sorted(path.name for path in (data / "versions").iterdir())
    for name in ("nodes.parquet", "edges.parquet"):
        files[name] = hashed(data / "live" / name)
    os.chdir(folder)
    log = [(each.number, each.after, each.nodes, each.edges, str(each.counts), each.files) for each in versions(folder)]
    hidden = sorted(path.name for path in data.glob(".*"))
    dvc = (data / "live.dvc").read_text() if what == "checkout" else ""
    recorded = json.loads((data / "live/version.json").read_text())["number"]
    tracked = [each.dvc for each in versions(folder) if each.number == recorded][0]
    assert tracked in (data / "live.dvc").read_text()
    return {"files": files, "log": log, "hidden": hidden, "dvc": dvc, "number": recorded}

undisturbed = template.parent / "undisturbed"
shutil.copytree(template, undisturbed)
assert in_fork(undisturbed) == 0
expected = state(undisturbed)
step, every = 1, int(sys.argv[3])
while True:
    folder = template.parent / f"killed-{step}"
    shutil.copytree(template, folder)
    code = in_fork(folder, step)
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    assert in_fork(folder) == 0, f"after step {step}"
    found = state(folder)
    assert found == expected, f"after step {step}: {json.dumps(found, indent=1)} {json.dumps(expected, indent=1)}"
    os.chdir(template.parent)
    shutil.rmtree(folder)
    step += every
print(step)
"""


def survive(template: Path, what: str, every: int) -> int:
    command = [sys.executable, "-c", KILLER, str(template), what, str(every)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.split()[-1])


@pytest.fixture
def with_files(project: Project) -> Project:
    project.drop("1-edges.csv", "source,target,change\nn8,n0,add\nn1,n2,remove\n")
    project.drop("2-nodes.csv", "id,size,colour\nn8,5,red\nn1,99,red\n")
    project.drop("3-bad.csv", "source,target\nn0,nobody\n")
    return project


def test_some_steps_of_an_ingest(with_files: Project) -> None:
    assert survive(with_files.root, "ingest", 17) > 30


@pytest.mark.slow
def test_ingest(with_files: Project) -> None:
    assert survive(with_files.root, "ingest", 1) > 30


@pytest.mark.slow
def test_start(new_project: Project) -> None:
    assert survive(new_project.root, "start", 1) > 20


@pytest.mark.slow
def test_checkout(with_files: Project) -> None:
    with_files.ingest()
    assert survive(with_files.root, "checkout", 1) > 15
