"""docs/results.md and its picture, made from the results alone."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from llp_core.errors import InputError
from llp_core.names import EDGE_GROUPS, SETTINGS
from llp_core.paper import tables
from llp_core.paper.cells import RESULTS, Row, read_rows
from llp_core.paper.claims import claims_table
from llp_core.paper.picture import hits_by_dataset
from llp_core.paper.results import Results
from llp_core.report.blocks import Table, to_markdown
from llp_core.report.pictures import svg_file
from llp_core.store import atomic_file

PAGE = Path("docs/results.md")
PICTURE = Path("docs/img/results.svg")
TEMPLATE = Path(__file__).parent / "results.md.jinja"
"""The prose is in there."""


def write_page(results: Path = RESULTS) -> None:
    """Writes the page and its picture below the current folder.

    Raises:
        InputError: there are no results, or they are not readable.
    """
    if not results.exists():
        raise InputError(f"{results}: not found. `llp run-flow paper` makes it.")
    found = Results(list(read_rows(results).values()))
    with atomic_file(PICTURE) as temporary:
        temporary.write_bytes(svg_file(hits_by_dataset(found)))
    with atomic_file(PAGE) as temporary:
        temporary.write_text(markdown(found), encoding="utf-8")


def markdown(results: Results) -> str:
    """The page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - it writes Markdown
        loader=FileSystemLoader(TEMPLATE.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["table"] = _table
    return environment.get_template(TEMPLATE.name).render(
        results=results,
        settings=[setting for setting in SETTINGS if any(row["setting"] == setting for row in results.rows)],
        groups=EDGE_GROUPS[::-1],
        tables=tables,
        claims=claims_table(results),
        machines=_counted(map(_machine, results.rows)),
        commits=_counted(_short(row["commit"]) for row in results.rows),
    )


def _table(table: Table) -> str:
    return to_markdown(table) if table.rows else "None."


def _machine(row: Row) -> str:
    gpu = f", {row['gpu']}" if row["gpu"] else ""
    return f"{row['cpu']}, {row['cores']} cores{gpu}, PyTorch {row['torch']}"


def _counted(names: Iterable[str]) -> str:
    """Each name once, with how many cells it stands for, the most first."""
    return "; ".join(f"{name} ({count:,} cells)" for name, count in Counter(names).most_common())


def _short(commit: str) -> str:
    return commit[:7] + "+" * commit.endswith("+")
