"""The flow of the project that a real server serves: notes that it runs, and sleeps."""

import os
import time
from pathlib import Path

from prefect import flow


@flow
def tiny(name: str, seconds: float = 0.0) -> None:
    secrets = [variable for variable in os.environ if "DATABASE" in variable]
    with Path("runs.log").open("a") as log:
        log.write(f"{name} {os.getpid()} {secrets}\n")
    time.sleep(seconds)
    print("done", flush=True)  # noqa: T201 - to the worker, if it is there still
