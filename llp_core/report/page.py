"""A report as files: a page of HTML that needs nothing else, and Markdown with its pictures beside it."""

from collections.abc import Sequence
from pathlib import Path

from llp_core.report import figures, pictures
from llp_core.report.blocks import Picture, Section, escaped, to_markdown
from llp_core.report.content import sections
from llp_core.report.context import ReportContext
from llp_core.types import Evaluation


def write_report(folder: Path, context: ReportContext) -> None:
    """Writes index.html, report.md and the pictures of the latter into a folder that exists."""
    parts = sections(context)
    write_page(folder, _title(context), _subtitle(context), parts)
    (folder / "report.md").write_text(_markdown(context, parts), encoding="utf-8")


def write_page(folder: Path, title: str, subtitle: str, parts: Sequence[Section]) -> None:
    """Writes index.html, and each picture as an SVG file of its own, into a folder that exists."""
    (folder / "index.html").write_text(_html(title, subtitle, parts), encoding="utf-8")
    for part in parts:
        for block in part.blocks:
            if isinstance(block, Picture):
                (folder / f"{block.name}.svg").write_bytes(pictures.svg_file(block))


def quality_table(evaluations: Sequence[Evaluation]) -> str:
    """Every metric on all test edges as a Markdown table, a row for each setting and method."""
    return to_markdown(figures.quality_table_of(evaluations))


def quality_latency_png(context: ReportContext) -> bytes:
    """The picture of quality against latency as a PNG on a white ground."""
    return pictures.png_file(pictures.quality_latency(context.settings))


def _title(context: ReportContext) -> str:
    return f"Linkless link prediction on {context.data.name}"


def _subtitle(context: ReportContext) -> str:
    data = context.data
    commit = context.commit[:12] + (" with changes" if context.dirty else "")
    return f"{data.nodes:,} nodes, {data.edges:,} edges, {data.features:,} features; commit {commit}"


def _html(title: str, subtitle: str, parts: Sequence[Section]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def svgs(picture: Picture) -> list[Markup]:
        return [Markup(svg) for svg in pictures.page_svgs(picture)]  # noqa: S704 (matplotlib escapes its text)

    page = environment.get_template("page.html.jinja")
    return page.render(title=title, subtitle=subtitle, sections=parts, svgs=svgs)


def _markdown(context: ReportContext, parts: Sequence[Section]) -> str:
    blocks = [f"# {escaped(_title(context))}", escaped(_subtitle(context))]
    for part in parts:
        blocks += [f"## {part.title}", *map(to_markdown, part.blocks)]
    return "\n\n".join(blocks) + "\n"
