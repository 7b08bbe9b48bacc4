"""What the latency benchmark times: the GNN, accelerated ways to run it, the student in each runtime, heuristics."""

from llp_core.contestants.listing import NAMES, Contestant, contestants

__all__ = ["NAMES", "Contestant", "contestants"]
