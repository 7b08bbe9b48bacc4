import fcntl
import os
import subprocess
import sys
import threading

import pytest

from flows.daemons import Daemon, wait_until
from flows.server import standing
from llp_core.errors import InputError, LLPError

SLEEP = [sys.executable, "-c", "import time; print('started', flush=True); time.sleep(600)"]
STUBBORN = [
    *(sys.executable, "-c"),
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('started', flush=True); time.sleep(600)",
]


@pytest.fixture
def daemon(tmp_path):
    daemon = Daemon("sleeper", tmp_path / "home")
    yield daemon
    daemon.stop(10)


def started(daemon):
    return "started" in daemon.tail()


@pytest.mark.parametrize("command", [SLEEP, STUBBORN], ids=["willing", "stubborn"])
def test_it_starts_and_stops(daemon, command):
    assert daemon.pid() is None
    daemon.start(command, os.environ)
    daemon.wait_for(lambda: started(daemon), 60)
    pid = daemon.pid()
    os.kill(pid, 0)
    daemon.stop(1)
    assert daemon.pid() is None
    daemon.start(command, os.environ)
    assert daemon.pid() not in (None, pid)


def test_it_outlives_the_process_that_started_it(daemon):
    program = (
        "import os, sys; from pathlib import Path; from flows.daemons import Daemon; "
        "Daemon(sys.argv[1], Path(sys.argv[2])).start(sys.argv[3:], os.environ)"
    )
    subprocess.run([sys.executable, "-c", program, daemon.name, str(daemon.folder), *SLEEP], check=True)
    daemon.wait_for(lambda: started(daemon), 60)
    assert os.getsid(daemon.pid()) == daemon.pid()


def test_it_is_known_where_its_starter_was_killed_before_it_could_note_the_number(daemon):
    program = (
        "import os, subprocess, sys; from pathlib import Path; from flows.daemons import Daemon\n"
        "popen = subprocess.Popen\n"
        "def start_and_die(*arguments, **options):\n"
        "    popen(*arguments, **options)\n"
        "    os.kill(os.getpid(), 9)\n"
        "subprocess.Popen = start_and_die\n"
        "Daemon(sys.argv[1], Path(sys.argv[2])).start(sys.argv[3:], os.environ)"
    )
    done = subprocess.run([sys.executable, "-c", program, daemon.name, str(daemon.folder), *SLEEP], check=False)
    assert done.returncode == -9
    assert wait_until(lambda: started(daemon), 60)
    pid = daemon.pid()
    assert os.getsid(pid) == pid
    daemon.stop(10)
    assert daemon.pid() is None


def test_one_that_is_just_being_started_has_no_number_yet(daemon):
    daemon.folder.mkdir()
    with (daemon.folder / "sleeper.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert daemon.pid() is None
        with pytest.raises(InputError, match="sleeper: it runs already"):
            daemon.start(SLEEP, os.environ)


def test_the_number_is_the_program_s_own(daemon):
    daemon.start([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"], os.environ)
    pid = daemon.pid()
    daemon.wait_for(lambda: daemon.tail() != "", 60)
    assert (daemon.tail(), daemon.pid()) == (str(pid), pid)


def test_a_program_that_is_not_there(daemon):
    daemon.start([daemon.folder / "none"], os.environ)
    with pytest.raises(LLPError, match=r"(?s)ended as soon as it started.*/none: "):
        daemon.wait_for(lambda: False, 60)


def test_it_starts_while_another_process_looks_at_it(daemon):
    daemon.folder.mkdir()
    with (daemon.folder / "sleeper.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (lock, fcntl.LOCK_UN)).start()
        daemon.start(SLEEP, os.environ)
    assert wait_until(lambda: started(daemon), 60)


def test_it_does_not_start_twice(daemon):
    daemon.start(SLEEP, os.environ)
    with pytest.raises(InputError, match="sleeper: it runs already"):
        daemon.start(SLEEP, os.environ)


def test_one_that_was_killed_does_not_run(daemon):
    daemon.start(SLEEP, os.environ)
    os.kill(daemon.pid(), 9)
    assert wait_until(lambda: daemon.pid() is None, 60)


def test_one_that_ends_just_before_it_is_stopped(daemon, monkeypatch):
    gone = subprocess.Popen(["true"])
    gone.wait()
    numbers = iter([gone.pid])
    monkeypatch.setattr(Daemon, "pid", lambda _: next(numbers, None))
    daemon.stop(1)
    assert next(numbers, "asked") == "asked"


def test_one_that_ends_at_once_shows_its_log(daemon):
    daemon.start([sys.executable, "-c", "raise SystemExit('no such database')"], os.environ)
    with pytest.raises(LLPError, match=r"(?s)ended as soon as it started.*no such database"):
        daemon.wait_for(lambda: False, 60)


def test_one_that_is_never_ready(daemon):
    daemon.start(SLEEP, os.environ)
    with pytest.raises(LLPError, match="not ready after 1 seconds"):
        daemon.wait_for(lambda: False, 1)


@pytest.mark.parametrize("text", ["{", '{"port": 1}', "[]"])
def test_a_note_of_the_server_that_is_damaged_tells_what_to_do(tmp_path, monkeypatch, text):
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    assert standing() is None
    (tmp_path / "server.json").write_text(text)
    with pytest.raises(
        InputError, match=f"{tmp_path}/server.json: it does not say where .* Remove it, then `llp server"
    ):
        standing()
