"""What must hold of nodes, edges, splits and scores, and the pages that show what was found."""

from llp_core.checks.findings import Finding, Findings, write_findings
from llp_core.checks.suites import check_graph, check_scores, check_split

__all__ = ["Finding", "Findings", "check_graph", "check_scores", "check_split", "write_findings"]
