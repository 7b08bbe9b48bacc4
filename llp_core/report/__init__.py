"""The report of a run: one HTML page that opens with no network, and its Markdown twin."""

from llp_core.report.context import ReportContext, load_context
from llp_core.report.page import quality_latency_png, quality_table, write_report

__all__ = ["ReportContext", "load_context", "quality_latency_png", "quality_table", "write_report"]
