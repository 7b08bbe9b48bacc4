"""Links in the docs lead somewhere, and what the docs tell to run exists. `make check` runs this too."""

import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from llp_core.cli.app import app

ROOT = Path(__file__).parents[1]

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"""\]\(\s*<?([^)\s>]+)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=["']([^"']+)["']""", re.MULTILINE)
HEADING = re.compile(r"^#+\s+(.*?)\s*#*$", re.MULTILINE)


def links(text: str) -> Iterator[str]:
    """Targets of Markdown and HTML links and pictures, outside of code."""
    for found in LINK.finditer(CODE.sub("", text)):
        yield next(target for target in found.groups() if target)


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown page's headings get: lower case, no punctuation, a hyphen for each space."""
    titles = HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(page: Path) -> list[str]:
    """Links of a page to files, or headings of pages, that do not exist. Addresses elsewhere are left alone."""
    dead = []
    for target in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            dead.append(target)
    return dead


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words of each command line of a program in a page's code, such as `make test`."""
    for code in CODE.finditer(text):
        for line in re.findall(rf"^[`$ ]*(?:\w+=\S* )*({program} [^`#|\n]+)", code[0], re.MULTILINE):
            yield shlex.split(line)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "other.md").write_text("# One `code`, two\n\n```\n# no heading\n```\n")
    return tmp_path / "page.md"


@pytest.mark.parametrize(
    "text",
    [
        "[x](other.md), ![x](other.md), [x](<other.md>)",
        "[x](other.md#one-code-two)",
        "# Here\n[x](#here)",
        "[x][1]\n\n[1]: other.md",
        '<img src="other.md" alt=""/>',
        "[x](https://example.org/none), <mailto:x@example.org>",
        "`[x](none.md)`\n\n```\n[x](none.md)\n```",
    ],
)
def test_links_that_lead_somewhere(page, text):
    page.write_text(text)
    assert dead_links(page) == []


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("[x](none.md)", "none.md"),
        ('[x](none.md "title")', "none.md"),
        ("![x](none.png)", "none.png"),
        ("[x](other.md#no-heading)", "other.md#no-heading"),
        ("[x](#here)", "#here"),
        ("[x][1]\n\n[1]: none.md", "none.md"),
        ('<img src="none.png">', "none.png"),
    ],
)
def test_dead_links_are_found(page, text, dead):
    page.write_text(text)
    assert dead_links(page) == [dead]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_is_dead(document):
    assert dead_links(document) == []


def test_the_index_lists_every_page():
    index = ROOT / "docs/index.md"
    listed = {(index.parent / target).resolve() for target in links(index.read_text(encoding="utf-8"))}
    pages = set((ROOT / "docs").rglob("*.md")) - {index}
    assert sorted(pages - listed) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_targets_of_make_exist(document):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {words[1] for words in commands(document.read_text(encoding="utf-8"), "make")} <= targets


def unknown_words(words: list[str]) -> list[str]:
    """Subcommands and options in a command line of llp that llp does not have."""
    command: Any = typer.main.get_command(app)
    unknown = []
    for word in words[1:]:
        if word.startswith("-"):
            known = {"--help", *(option for parameter in command.params for option in parameter.opts)}
            unknown += [word] if word.partition("=")[0] not in known else []
        elif hasattr(command, "commands"):
            unknown += [word] if word not in command.commands else []
            command = command.commands.get(word, command)
    return unknown


@pytest.mark.parametrize("line", ["llp", "llp --help", "llp stage NAME --setting X", "llp --debug run-flow full"])
def test_command_lines_that_exist(line):
    assert unknown_words(line.split()) == []


@pytest.mark.parametrize(
    ("line", "unknown"), [("llp none", "none"), ("llp stage NAME --none=1", "--none=1"), ("llp run-flow none", "none")]
)
def test_unknown_command_lines_are_found(line, unknown):
    assert unknown_words(line.split()) == [unknown]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_command_lines_of_llp_exist(document):
    lines = commands(document.read_text(encoding="utf-8"), "llp")
    assert [(words, unknown_words(words)) for words in lines if unknown_words(words)] == []


def test_the_citation_is_of_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    paper = citation["preferred-citation"]
    assert paper["title"] == "Linkless Link Prediction via Relational Distillation"
    assert [author["family-names"] for author in paper["authors"]] == [
        *("Guo", "Shiao", "Zhang", "Liu", "Chawla", "Shah", "Zhao")
    ]


def test_each_dependency_has_its_reason_and_its_exact_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = itertools.chain(project["dependencies"], *project["optional-dependencies"].values())
    names = {re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in required} - {project["name"]}
    record = (ROOT / "docs/adr/0001-dependencies.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in record} == set()

    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in pins}
    assert {name for name in names if name.lower() not in pinned} == set()
