"""The gate: whether what the pipeline's last run left takes the place of the model in use."""

from llp_core.gate.judging import judge
from llp_core.gate.verdict import Comparison, Rule, Verdict

__all__ = ["Comparison", "Rule", "Verdict", "judge"]
