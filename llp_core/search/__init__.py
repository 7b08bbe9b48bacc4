"""A search for good settings of one data set in one setting, that never sees what the reported split tests on.

from llp_core.search import search

found = search(graph, split, params, trials=100, folder=Path("data/tune/mine"))
"""

from llp_core.search.as_published import published
from llp_core.search.phases import Found, PhaseResult, search
from llp_core.search.spaces import PHASES, Phase

__all__ = ["PHASES", "Found", "Phase", "PhaseResult", "published", "search"]
