"""The page as a reader gets it."""

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from untuned_params import NOTHING_TUNED

from llp_core.cli.params_file import change_params
from llp_core.names import SETTINGS
from llp_core.report import ReportContext, load_context, quality_latency_png, write_report
from llp_core.report.pictures import page_svgs, quality_latency, svg_file, training

VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Tags with their attributes, and the text; every tag must be closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, make_project: Callable[..., None]) -> Path:
    root, folder = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("report")
    make_project(root)
    write_report(folder, load_context(root, SETTINGS))
    return folder


def test_files(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == [
        "index.html",
        "quality_latency.svg",
        "report.md",
        "training_cold_start.svg",
        "training_production.svg",
        "training_transductive.svg",
    ]


def test_page_needs_nothing_from_elsewhere(written: Path) -> None:
    source = (written / "index.html").read_text(encoding="utf-8")
    page = Page(source)
    assert page.open == []
    assert not {"script", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    links = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "data", "action")
    ]
    assert links
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert "url(" not in re.sub(r"url\(#", "", source)
    assert "@import" not in source


def test_ids_are_unique_and_links_lead_somewhere(written: Path) -> None:
    page = Page((written / "index.html").read_text(encoding="utf-8"))
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert {name: count for name, count in ids.items() if count > 1} == {}
    targets = {attributes[name] for _, attributes in page.tags for name in ("href", "xlink:href") if name in attributes}
    assert {target[1:] for target in targets if target.startswith("#")} <= set(ids)


@pytest.mark.parametrize("file", ["index.html", "report.md"])
def test_both_twins_tell_the_same(written: Path, file: str) -> None:
    source = (written / file).read_text(encoding="utf-8")
    text = Page(source).text if file == "index.html" else source
    for told in (
        "Linkless link prediction on debian",
        "3 nodes, 2 edges, 4 features; commit unknown",
        "+3.3",
        "old-new (300)",
        "left out: duplicate edges",
        "5,278",
        "7 of 7 checks passed.",
        "proves nothing",
        "standard error of up to 1.7 points (transductive, 900 edges), 1.4 points (production, 900 edges)",
        "rank_weight:",
        "Milliseconds a request on cpu Abacus, 1 thread",
    ):
        assert told in text


def test_markdown_shows_the_pictures_beside_it(written: Path) -> None:
    source = (written / "report.md").read_text(encoding="utf-8")
    named = re.findall(r"!\[[^]]+\]\(([^)]+)\)", source)
    assert len(named) == 4
    assert all((written / name).is_file() for name in named)


def test_tuned_settings_are_shown_as_they_ran(project: Path) -> None:
    own = {"tuned.production.student.margin": 0.0625, "tuned.cold_start.teacher.candidates": 3, "student.margin": 0.25}
    change_params(project / "params.yaml", NOTHING_TUNED)
    change_params(project / "params.yaml", {"teacher.candidates": 2} | own)
    write_report(project, load_context(project, SETTINGS))
    text = (project / "report.md").read_text(encoding="utf-8")
    table = text[text.index("Settings tuned for this data set, as they ran") : text.index("All settings (params.yaml)")]
    rows = [line.replace("|", " ").split() for line in table.splitlines() if line.startswith("|")]
    assert rows[0] == ["key", "Transductive", "Production", "Cold", "start"]
    assert rows[2:] == [["teacher.candidates", "2", "2", "3"], ["student.margin", "0.25", "0.0625", "0.25"]]

    change_params(project / "params.yaml", NOTHING_TUNED)
    write_report(project, load_context(project, SETTINGS))
    assert "Settings tuned" not in (project / "report.md").read_text(encoding="utf-8")


def test_names_are_text_never_markup(tmp_path: Path, make_project: Callable[..., None]) -> None:
    name = "<script>alert('debian')</script>|[x](y)"
    make_project(tmp_path, name=name)
    context = load_context(tmp_path, ["production"])
    write_report(tmp_path, context)
    source = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script" not in source
    assert name in Page(source).text
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "<script" not in markdown
    assert "\\|\\[x\\](y)" in markdown


@pytest.mark.usefixtures("failed_check")
def test_failed_checks_are_shown_first(project: Path) -> None:
    write_report(project, load_context(project, SETTINGS))
    text = (project / "report.md").read_text(encoding="utf-8")
    assert "6 of 7 checks passed." in text
    failed = text[text.index("Failed: graph") : text.index("#### All checks")]
    assert "2 break it: numpy, scipy" in failed


def test_nothing_tells_where_things_lay(project: Path, tmp_path: Path) -> None:
    settings = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(settings.replace("mirror: null", f"mirror: {tmp_path}/mirror"), "utf-8")
    write_report(tmp_path, load_context(project, ["production"]))
    for file in tmp_path.iterdir():
        if file.is_file():
            source = file.read_text(encoding="utf-8")
            assert str(tmp_path) not in source
            assert str(Path.home()) + "/" not in source
    assert "…/mirror" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_pictures_are_the_same_each_time_and_in_each_thread(context: ReportContext) -> None:
    pictures = [training(context.settings[0]), training(context.settings[1])] * 2
    with ThreadPoolExecutor(4) as pool:
        first, second, third, fourth = pool.map(svg_file, pictures)
    assert first == third != second == fourth
    assert b"<dc:date" not in first


def test_the_curve_of_the_teacher_that_was_kept_is_thick(context: ReportContext) -> None:
    for panel in training(context.settings[0]).panels:
        axes = Figure().subplots()
        panel(axes)
        widths = {line.get_label(): line.get_linewidth() for line in axes.lines}
        assert widths["teacher 2"] == widths["LLP"] > widths["teacher 1"]


def test_picture_of_quality_against_latency(context: ReportContext) -> None:
    panels = page_svgs(quality_latency(context.settings))
    assert len(panels) == 3
    for panel, title in zip(panels, ("Transductive", "Production", "Cold start"), strict=True):
        ElementTree.fromstring(panel)  # noqa: S314 (drawn above)
        texts = re.findall(r"<text[^>]*>([^<]*)</text>", panel)
        assert {title, "teacher", "plain MLP", "LLP", "Hits@20, %"} <= set(texts)
        assert "milliseconds for 100 pairs, online, median" in texts
        assert "currentColor" in panel


def test_png_for_pages_elsewhere(context: ReportContext) -> None:
    assert quality_latency_png(context).startswith(b"\x89PNG\r\n\x1a\n")
    assert quality_latency_png(context) == quality_latency_png(context)
