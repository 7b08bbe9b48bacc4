"""What the log shows on the terminal."""

import subprocess
import sys

SHOW = """
import logging
from llp_core.cli.log import show_flow_only, show_log
show_log(debug=False)
show_flow_only()
for name in ("flows.full", "llp_core.progress", "llp_core.stages.data", "llp_core.training.runs"):
    logging.getLogger(name).info("told by %s", name)
    logging.getLogger(name).warning("warned by %s", name)
"""


def test_a_flow_shows_its_progress_how_files_were_read_and_all_warnings() -> None:
    lines = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True).stderr.splitlines()
    flow = ("flows.full", "llp_core.progress", "llp_core.stages.data")
    expected = [f"{how} by {name}" for name in flow for how in ("told", "warned")]
    assert [line.split(" ", 1)[1] for line in lines] == [*expected, "warned by llp_core.training.runs"]
