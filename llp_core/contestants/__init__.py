"""What the latency benchmark times: the GNN, accelerated ways to run it, the student in each runtime, heuristics."""

from llp_core.contestants.listing import NAMES, Contestant, contestants
from llp_core.contestants.onnx_file import onnx_model, write_onnx

__all__ = ["NAMES", "Contestant", "contestants", "onnx_model", "write_onnx"]
