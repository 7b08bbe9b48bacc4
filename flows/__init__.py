"""Prefect, and only here: the flows that run the pipeline, and the bookkeeping they share with DVC.

Prefect reads its settings when it is imported, so their defaults are set here, before any module of this
package can import it. A variable that is set already stays as it is.
"""

import os
from pathlib import Path

_DEFAULTS = {
    # Prefect's database and logs stay in the project's folder.
    "PREFECT_HOME": str(Path.cwd() / ".prefect"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # By default any page that a browser shows may call the server, which starts commands.
    "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "http://127.0.0.1:4200,http://localhost:4200",
    # The first start of a temporary server makes its database: seconds on a quiet machine, more on a busy one.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # What the library and the flows log appears in the page of the run that it belongs to.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "llp_core,flows",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # The terminal shows the lines of the command line instead of Prefect's.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
}

for _name, _value in _DEFAULTS.items():
    os.environ.setdefault(_name, _value)


def _use_running_server() -> None:
    """Has Prefect use the project's server, if `llp server up` started one; else it starts a temporary one."""
    from flows.server import standing

    now = standing()
    if now and now.server:
        os.environ.setdefault("PREFECT_API_URL", now.api)


_use_running_server()
