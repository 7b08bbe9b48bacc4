"""What a report is made of, whatever it is written as: headings, text, tables, pictures, folds."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panel = Callable[["Axes"], None]
"""Draws one panel of a picture."""


@dataclass(frozen=True)
class Heading:
    """Of a part of a section."""

    kind: ClassVar = "heading"
    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text."""

    kind: ClassVar = "text"
    text: str


@dataclass(frozen=True)
class Code:
    """Lines to show as they are."""

    kind: ClassVar = "code"
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of plain text; the first column names the row.

    Attributes:
        caption: what the cells are, and their unit.
        header: one for each column.
        rows: as many cells each.
        strong: (row, column) of cells that stand out.
        faint: rows that follow from others, such as differences.
    """

    kind: ClassVar = "table"
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    strong: frozenset[tuple[int, int]] = frozenset()
    faint: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.rows} - {len(self.header)}
        if widths:
            raise ValueError(f"rows: expected {len(self.header)} cells as in the header, got {sorted(widths)}")

    @property
    def worded(self) -> frozenset[int]:
        """Columns that hold words, to be set from the left; the others hold figures."""
        columns = range(1, len(self.header))
        return frozenset({0, *(column for column in columns if any(row[column][:1].isalpha() for row in self.rows))})


@dataclass(frozen=True)
class Picture:
    """One or more panels.

    Attributes:
        name: of the file, without its ending.
        alt: what it shows, in words.
        panels: drawn side by side, or one below the other where there is no room.
        size: width and height of a panel, in inches.
    """

    kind: ClassVar = "picture"
    name: str
    alt: str
    panels: tuple[Panel, ...]
    size: tuple[float, float] = (4.0, 3.1)


@dataclass(frozen=True)
class Fold:
    """Details that few readers want."""

    kind: ClassVar = "fold"
    title: str
    blocks: tuple["Block", ...]


Block = Heading | Text | Code | Table | Picture | Fold


@dataclass(frozen=True)
class Section:
    """A part of the report with an entry in its list of contents."""

    title: str
    blocks: tuple[Block, ...] = ()

    @property
    def anchor(self) -> str:
        """Its name in links."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower())


def to_markdown(block: Block) -> str:
    """A block as Markdown; a picture as a link to `name`.svg beside it."""
    match block:
        case Heading():
            return f"### {escaped(block.text)}"
        case Text():
            return escaped(block.text)
        case Code():
            return "\n".join(f"    {line}" for line in block.text.splitlines())
        case Table():
            return f"{escaped(block.caption)}:\n\n{_markdown_table(block)}"
        case Picture():
            return f"![{escaped(block.alt)}]({block.name}.svg)"
        case Fold():
            return "\n\n".join([f"#### {escaped(block.title)}", *map(to_markdown, block.blocks)])


def escaped(text: str) -> str:
    """Text in which nothing reads as Markdown or HTML."""
    return re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(text, quote=False)).replace("\n", " ")


def _markdown_table(table: Table) -> str:
    """Columns are aligned, so that it reads well in a terminal too."""
    rows = [
        [_strong(escaped(cell), (number, column) in table.strong) for column, cell in enumerate(row)]
        for number, row in enumerate(table.rows)
    ]
    header = [escaped(name) for name in table.header]
    widths = [max(3, *(len(row[column]) for row in (header, *rows))) for column in range(len(header))]
    rule = ["-" * width if column in table.worded else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join(_line(row, widths, table.worded) for row in (header, rule, *rows))


def _strong(cell: str, is_strong: bool) -> str:
    return f"**{cell}**" if is_strong else cell


def _line(cells: Sequence[str], widths: Sequence[int], worded: frozenset[int]) -> str:
    padded = (
        cell.ljust(width) if column in worded else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"
