"""The last stage: the page that shows a run."""

from pathlib import Path

from llp_core import paths
from llp_core.config import Params
from llp_core.names import SETTINGS
from llp_core.report import load_context, write_report
from llp_core.store import new_folder


def report(params: Params) -> None:
    """Writes the page and its Markdown twin."""
    context = load_context(Path(), SETTINGS)
    with new_folder(paths.REPORT, {"stage": "report", "data": params.data.name}) as folder:
        write_report(folder, context)
