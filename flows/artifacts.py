"""What a flow shows in Prefect's page, beside its log."""

import base64
from collections.abc import Iterable, Mapping

from prefect.artifacts import create_markdown_artifact, create_table_artifact


def show_stages(rows: Iterable[Mapping[str, object]], seconds: float) -> None:
    """A table of what each stage did, a row each."""
    description = f"What each stage did; {seconds:.0f} seconds in all."
    create_table_artifact(key="stages", table=[dict(row) for row in rows], description=description)


def show_quality(table: str, picture: bytes | None) -> None:
    """The Markdown table of quality, and quality against latency (PNG) if there is a new one."""
    create_markdown_artifact(key="quality", markdown=table, description="Quality of each method in each setting.")
    if picture is None:
        return
    image = base64.b64encode(picture).decode("ascii")
    create_markdown_artifact(
        key="quality-latency",
        markdown=f"![Quality against latency](data:image/png;base64,{image})",
        description="Quality against latency.",
    )
