"""Prefect's server and a worker that go on in the background, and what runs next there.

All that is to survive them is in the server's database. Beside it, in PREFECT_HOME, lie a lock and a log for each
of the two, and `server.json`: the port, and where the database is.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flows.daemons import LOG_LINES, Daemon, wait_until
from flows.database import describe_database, server_environment, without_database
from llp_core.errors import InputError, LLPError
from llp_core.locks import locked

HOST = "127.0.0.1"
DEPLOYMENTS = Path("prefect.yaml")
START_SECONDS = 300.0
"""The first start makes the database: 10 seconds on a quiet machine."""
ANSWER_SECONDS = 60.0
"""A server that runs may be busy for so long."""
RUN_SECONDS = 60.0
"""A run that is told to end saves what it has."""
STOP_SECONDS = 20.0
_PREFECT = (sys.executable, "-m", "prefect", "--no-prompt")
_LOG_LEVELS = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO", "PREFECT_INTERNAL_LOGGING_LEVEL": "ERROR"}


@dataclass(frozen=True)
class Standing:
    """How server and worker stand.

    Attributes:
        port: of the server, on this machine.
        database: where it keeps its runs, without user and password.
        server: its process number, None where it does not run.
        worker: its process number, None where it does not run.
    """

    port: int
    database: str
    server: int | None
    worker: int | None

    @property
    def page(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.port}"

    @property
    def api(self) -> str:
        """Address for programs: PREFECT_API_URL."""
        return f"{self.page}/api"

    def answers(self) -> bool:
        """Whether the server does its work."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def standing() -> Standing | None:
    """How server and worker of the current project stand; None where neither was ever started.

    Raises:
        InputError: server.json does not say it.
    """
    path = _home() / "server.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        port, database = int(about["port"]), str(about["database"])
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{path}: it does not say where Prefect's server is ({error}). Remove it, then `llp server down` and "
            "`llp server up`."
        ) from None
    return Standing(port, database, _server().pid(), worker().pid())


def up(port: int, tell: Callable[[str], None]) -> tuple[Standing, bool]:
    """Starts what does not run of server and worker, and deploys prefect.yaml with the server.

    The current folder is the project's: runs of the deployments take place there.

    Args:
        port: for a server that is started now.
        tell: takes a line on each step.

    Returns:
        How they stand, and whether there was nothing to do.

    Raises:
        InputError: the port is taken, there is no prefect.yaml, or LLP_DATABASE_URL does not hold what it must.
        LLPError: the server or the worker did not come up, or a deployment is not accepted. What this call
            started is stopped again.
    """
    with locked(_home() / "commands.lock"):
        now = standing()
        if now and now.server:
            _require_answer(now)
            if now.worker:
                return now, True
        started: list[Daemon] = []
        try:
            if not (now and now.server):
                now = _new_server(port, now, started, tell)
            tell(f"Deploying what {DEPLOYMENTS} names")
            _deploy(now.api)
            if not worker().pid():
                _start_worker(now, started, tell)
        except BaseException:
            for daemon in reversed(started):
                daemon.stop(STOP_SECONDS)
            raise
        return replace(now, server=_server().pid(), worker=worker().pid()), False


def down(tell: Callable[[str], None]) -> bool:
    """Stops worker and server, and the runs that a worker started, also one that was killed. The database stays.

    Returns:
        Whether anything ran.

    Raises:
        LLPError: one of them cannot be stopped.
    """
    with locked(_home() / "commands.lock"):
        now = standing()
        if now and now.server and now.answers():
            _end_runs(now, tell)
        running = [daemon for daemon in (worker(), _server()) if daemon.pid()]
        for daemon in running:
            tell(f"Stopping the {daemon.name}")
            daemon.stop(STOP_SECONDS)
    return bool(running)


def _end_runs(now: Standing, tell: Callable[[str], None]) -> None:
    from flows.deployments import cancel_runs, give_up_lost_runs, terminate_runs

    tell("Ending the runs of the worker")
    (cancel_runs if now.worker else terminate_runs)(now.api, RUN_SECONDS)
    give_up_lost_runs(now.api)


def _require_answer(now: Standing) -> None:
    if not wait_until(now.answers, ANSWER_SECONDS):
        raise LLPError(
            f"The server, process {now.server}, does not answer at {now.page}. See {_server().log}, then "
            "`llp server down` and `llp server up`."
        )


def _new_server(port: int, former: Standing | None, started: list[Daemon], tell: Callable[[str], None]) -> Standing:
    from llp_core.store import write_json

    if not DEPLOYMENTS.is_file():
        raise InputError(f"{DEPLOYMENTS.resolve()}: not found. Run llp in the project's folder, the one that holds it.")
    home = _home()
    now = Standing(port, describe_database(home), None, None)
    _require_free(port)
    if former and former.worker and former.port != port:
        tell("Stopping the worker, which looks for the server elsewhere")
        worker().stop(STOP_SECONDS)
    tell(f"Starting the server. Its database: {now.database}")
    environment = without_database(dict(os.environ)) | _LOG_LEVELS | server_environment()
    environment |= {"PREFECT_SERVER_UI_API_URL": now.api, "PREFECT_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    write_json(home / "server.json", {"port": port, "database": now.database})
    started.append(_server())
    _server().start((*_PREFECT, "server", "start", "--host", HOST, "--port", str(port)), environment)
    _server().wait_for(now.answers, START_SECONDS)
    return now


def _start_worker(now: Standing, started: list[Daemon], tell: Callable[[str], None]) -> None:
    from flows.deployments import POOL, give_up_lost_runs, worker_is_online

    tell("Starting the worker")
    give_up_lost_runs(now.api)
    since = datetime.now(UTC)
    started.append(worker())
    command = (*_PREFECT, "worker", "start", "--pool", POOL, "--type", "process", "--name", POOL)
    worker().start(command, _client_environment(now.api))
    worker().wait_for(lambda: worker_is_online(now.api, since), START_SECONDS)


def _deploy(api: str) -> None:
    """Deploys with Prefect's own command: what deployments may hold is its matter."""
    from flows.deployments import prepare_pool

    prepare_pool(api)
    done = subprocess.run(  # noqa: S603
        [*_PREFECT, "deploy", "--all", "--prefect-file", str(DEPLOYMENTS)],
        env=_client_environment(api),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise InputError(
            f"{DEPLOYMENTS}: Prefect does not accept it:\n" + "\n".join(done.stdout.splitlines()[-LOG_LINES:])
        )


def _client_environment(api: str) -> dict[str, str]:
    """For programs that talk with the server. prefect.yaml names the project's folder as PWD."""
    return without_database(dict(os.environ)) | _LOG_LEVELS | {"PREFECT_API_URL": api, "PWD": str(Path.cwd())}


def _require_free(port: int) -> None:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError as error:
            raise InputError(
                f"Port {port}: another program has it ({error.strerror}). `llp server up --port N` takes another one."
            ) from None


def _home() -> Path:
    return Path(os.environ["PREFECT_HOME"])


def _server() -> Daemon:
    return Daemon("server", _home())


def worker() -> Daemon:
    """The worker of the current project, whether it runs or not."""
    return Daemon("worker", _home())
