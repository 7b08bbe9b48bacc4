"""What a flow shows in Prefect's page, beside its log."""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

if TYPE_CHECKING:
    from llp_core.drift import DriftReport
    from llp_core.gate import Verdict
    from llp_core.live import IngestReport


def show_stages(rows: Iterable[Mapping[str, object]], seconds: float) -> None:
    """A table of what each stage did, a row each."""
    description = f"What each stage did; {seconds:.0f} seconds in all."
    create_table_artifact(key="stages", table=[dict(row) for row in rows], description=description)


def show_quality(table: str, picture: bytes | None) -> None:
    """The Markdown table of quality, and quality against latency (PNG) if there is a new one."""
    create_markdown_artifact(key="quality", markdown=table, description="Quality of each method in each setting.")
    if picture is None:
        return
    create_markdown_artifact(
        key="quality-latency",
        markdown=_picture("Quality against latency", picture),
        description="Quality against latency.",
    )


def show_data(report: "IngestReport") -> None:
    """What became of each file of new data."""
    told = f"The data is version {report.after}" + (
        "; nothing changed." if report.after == report.before else f"; it was version {report.before}."
    )
    rows = [
        {"file": file.name, "what became of it": file.status, "changed": str(file.counts), "why": file.reason or ""}
        for file in report.files
    ]
    create_table_artifact(key="new-data", table=rows, description=told)


def show_drift(drift: "DriftReport") -> None:
    """How the data differs from that of the model in use."""
    told = f"The data beside that of the model in use; the largest index is {drift.max_psi:.3f}."
    create_markdown_artifact(key="drift", markdown=drift.to_markdown(), description=told)


def show_verdict(verdict: "Verdict") -> None:
    """What the gate decided, with its reasons, the comparison, and a picture of it."""
    from llp_core.gate.picture import verdict_png

    picture = _picture(f"Candidate minus {verdict.against}", verdict_png(verdict))
    markdown = f"{picture}\n\n{verdict.to_markdown()}"
    create_markdown_artifact(key="verdict", markdown=markdown, description=verdict.headline)


def show_report(page: Path) -> None:
    """A link to the report; a browser opens it from the machine that it lies on."""
    create_link_artifact(key="report", link=page.as_uri(), link_text=str(page), description="The report of this run.")


def _picture(alt: str, png: bytes) -> str:
    """A picture within Markdown."""
    return f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"
