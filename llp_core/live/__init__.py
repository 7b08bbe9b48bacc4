"""The graph that changes daily: files in, a version out, and the way back.

from llp_core.live import ingest

report = ingest(Path.cwd(), None, load_params(PARAMS))
"""

from llp_core.live.history import checkout, current_version, extract, push, versions
from llp_core.live.ingesting import ingest, start
from llp_core.live.records import Counts, DataVersion, FileReport, IngestReport, Source

__all__ = [
    "Counts",
    "DataVersion",
    "FileReport",
    "IngestReport",
    "Source",
    "checkout",
    "current_version",
    "extract",
    "ingest",
    "push",
    "start",
    "versions",
]
