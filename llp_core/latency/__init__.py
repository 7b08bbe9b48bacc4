"""How long a request takes: models that must visit the graph, against students, which need none."""

from llp_core.latency.measuring import REGIMES, Timed, measure, to_rows
from llp_core.latency.scorers import Scorer
from llp_core.latency.statistics import Interval, percentile, ratio
from llp_core.latency.text import times_faster, to_json_line, to_text

__all__ = [
    "REGIMES",
    "Interval",
    "Scorer",
    "Timed",
    "measure",
    "percentile",
    "ratio",
    "times_faster",
    "to_json_line",
    "to_rows",
    "to_text",
]
