import os
import subprocess
import sys

import pytest

from flows.daemons import Daemon, wait_until
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


def test_it_does_not_start_twice(daemon):
    daemon.start(SLEEP, os.environ)
    with pytest.raises(InputError, match="sleeper: it runs already"):
        daemon.start(SLEEP, os.environ)


def test_one_that_was_killed_does_not_run(daemon):
    daemon.start(SLEEP, os.environ)
    os.kill(daemon.pid(), 9)
    assert wait_until(lambda: daemon.pid() is None, 60)


def test_one_that_ends_at_once_shows_its_log(daemon):
    daemon.start([sys.executable, "-c", "raise SystemExit('no such database')"], os.environ)
    with pytest.raises(LLPError, match=r"(?s)ended as soon as it started.*no such database"):
        daemon.wait_for(lambda: False, 60)


def test_one_that_is_never_ready(daemon):
    daemon.start(SLEEP, os.environ)
    with pytest.raises(LLPError, match="not ready after 1 seconds"):
        daemon.wait_for(lambda: False, 1)
