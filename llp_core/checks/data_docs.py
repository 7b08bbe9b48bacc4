"""Data Docs: what Great Expectations has to say of each table, on one page that needs no network.

The sections are rendered by Great Expectations with its own templates. Its pages as a whole are not used, since
their styles and scripts are loaded from the internet; `assets/` holds a page and a style sheet of our own.
"""

from pathlib import Path
from typing import Any

from llp_core.checks.expectations import import_great_expectations
from llp_core.checks.findings import Findings

ASSETS = Path(__file__).parent / "assets"


def data_docs(findings: Findings) -> str:
    """The page as HTML: a table of all checks, then the sections of each table. Same findings, same page."""
    import_great_expectations()
    from great_expectations.render.components import RenderedDocumentContent
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    renderer = ValidationResultsPageRenderer()
    sections: list[Any] = []
    starts: dict[int, str] = {}  # position of a table's first section -> the table
    for result in findings.results:
        starts[len(sections)] = result.suite_name
        sections += renderer.render(result).sections[1:]  # the first holds the time of the run
    document = RenderedDocumentContent(page_title="Data Docs", sections=sections)
    view = DefaultJinjaPageView(custom_views_directory=str(ASSETS))
    page: str = view.render(document, template="data_docs.html", findings=findings, starts=starts)  # type: ignore[no-untyped-call]
    return page
