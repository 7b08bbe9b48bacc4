"""The library's log on the terminal: a line each on stderr, above the progress bars."""

import logging
import os
import sys


class _LineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


_handler = _LineHandler()


def _is_of_the_flow(record: logging.LogRecord) -> bool:
    told = ("flows", "llp_core.progress", "llp_core.stages.data")  # how one's own files are read
    return record.levelno > logging.INFO or record.name.startswith(told)


def show_flow_only() -> None:
    """Leaves out what the stages of a flow tell beside their progress; Prefect's page has all of it."""
    _handler.addFilter(_is_of_the_flow)


def show_log(debug: bool) -> None:
    """Shows what llp_core and flows log, and with `debug` what Prefect does."""
    _handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    for name in ("llp_core", "flows"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG if debug else logging.INFO)
        logger.addHandler(_handler)
        logger.propagate = not debug  # Prefect's own lines on the terminal would repeat these
    if debug:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "INFO")
