# ruff: noqa: RUF001 (tables hold true minus signs and dashes)
"""Blocks as Markdown."""

import pytest

from llp_core.report.blocks import Code, Fold, Heading, Picture, Section, Table, Text, escaped, to_markdown


def test_table_is_aligned_words_left_and_figures_right() -> None:
    table = Table("Shares", ("method", "n", "why"), (("teacher", "40.4", "a"), ("LLP", "–", "b")), frozenset({(1, 0)}))
    assert to_markdown(table).splitlines() == [
        "Shares:",
        "",
        "| method  |    n | why |",
        "| ------- | ---: | --- |",
        "| teacher | 40.4 | a   |",
        "| **LLP** |    – | b   |",
    ]


def test_a_row_with_too_few_cells_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 2 cells as in the header, got \[1\]"):
        Table("Shares", ("method", "n"), (("teacher",),))


def test_other_blocks() -> None:
    assert to_markdown(Heading("Cold start")) == "### Cold start"
    assert to_markdown(Code("a: 1\nb: 2")) == "    a: 1\n    b: 2"
    assert to_markdown(Picture("curves", "Loss by epoch", ())) == "![Loss by epoch](curves.svg)"
    assert to_markdown(Fold("More", (Text("one"), Text("two")))) == "#### More\n\none\n\ntwo"
    assert Section("What ran").anchor == "what-ran"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a|b", "a\\|b"),
        ("[x](javascript:y) *z* `q`", "\\[x\\](javascript:y) \\*z\\* \\`q\\`"),
        ("two\nlines", "two lines"),
    ],
)
def test_text_reads_as_it_is(text: str, expected: str) -> None:
    assert escaped(text) == expected
