"""The message of a failed check, findings.json and the page."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from llp_core.checks import Findings, check_graph, write_findings
from llp_core.checks.findings import Finding
from llp_core.checks.rules import graph_rules, score_rules, score_size_rules, split_rules, training_rules
from llp_core.config import ValidateParams
from llp_core.errors import CheckFailed
from llp_core.types import Graph

PARAMS = ValidateParams(min_nodes=3, min_edges=2, max_featureless_share=0.0, min_component_share=0.5)
STAR_EDGES = torch.stack((torch.zeros(8, dtype=torch.int64), torch.arange(1, 9)))


def star(features: torch.Tensor) -> Graph:
    """A node in the middle and eight around it. The names hold what HTML must not take for a tag."""
    return Graph("star", tuple(f"<b>{node}</b>" for node in range(9)), features, STAR_EDGES)


@pytest.fixture(scope="module")
def good() -> Findings:
    return check_graph(star(torch.ones(9, 1)), PARAMS)


@pytest.fixture(scope="module")
def bad() -> Findings:
    """Seven nodes without features, and too few edges."""
    features = torch.tensor([[1.0]] * 2 + [[0.0]] * 7)
    return check_graph(star(features), PARAMS.model_copy(update={"min_edges": 9}))


def test_findings_that_hold_require_nothing(good: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    good.require("validate")

    assert not list(tmp_path.iterdir())


def test_a_failure_names_check_column_count_five_offenders_and_the_page(
    bad: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(CheckFailed) as caught:
        bad.require("validate")

    assert str(caught.value).splitlines() == [
        "validate: 2 of 12 checks failed; to look at: data/failed_checks/validate/index.html",
        "- features_not_zero (table nodes, column has_nonzero_feature): expected that at least 100 % of the nodes have "
        "a feature other than zero; 7 of 9 rows break this, such as <b>2</b>; <b>3</b>; <b>4</b>; <b>5</b>; <b>6</b>. "
        "Add feature columns that describe these nodes, or raise validate.max_featureless_share.",
        "- enough_edges (table edges): expected that there are at least 9 edges; found 8. "
        "Take a larger graph, or lower validate.min_edges.",
    ]
    assert caught.value.exit_code == 4
    assert (tmp_path / "data/failed_checks/validate/index.html").exists()
    assert json.loads((tmp_path / "data/failed_checks/validate/findings.json").read_text())["passed"] is False


def test_the_page_of_a_failure_goes_when_the_checks_hold_again(
    good: Findings, bad: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for stage in ("split-production", "split-cold_start"):
        with pytest.raises(CheckFailed):
            bad.require(stage)

    good.require("split-production")

    assert [folder.name for folder in (tmp_path / "data/failed_checks").iterdir()] == ["split-cold_start"]


def test_findings_are_written_as_json(bad: Findings, tmp_path: Path) -> None:
    write_findings(bad, tmp_path)

    written = json.loads((tmp_path / "findings.json").read_text())
    checks = {each["check"]: each for each in written["checks"]}
    assert written["passed"] is False
    assert len(checks) == 12
    assert checks["features_not_zero"] == {
        "check": "features_not_zero",
        "table": "nodes",
        "column": "has_nonzero_feature",
        "passed": False,
        "unexpected": 7,
        "rows": 9,
        "offenders": [f"<b>{node}</b>" for node in range(2, 7)],
        "observed": None,
        "expected": "at least 100 % of the nodes have a feature other than zero",
        "remedy": "Add feature columns that describe these nodes, or raise validate.max_featureless_share.",
    }
    assert (checks["enough_edges"]["observed"], checks["enough_edges"]["column"]) == (8, "rows")
    assert checks["largest_component"]["observed"] == 1.0


class Resources(HTMLParser):
    """Collects what a page loads or links to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.targets: list[str] = []
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "srcset", "action", "data"):
                self.targets.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_without_a_network(bad: Findings, tmp_path: Path) -> None:
    write_findings(bad, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    found = Resources()
    found.feed(page)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["findings.json", "index.html"]
    assert not re.search(r"https?://|//[a-z]+\.[a-z]|@import|url\(", page)
    assert not {"script", "img", "iframe", "object"} & set(found.tags)
    for target in found.targets:
        assert target == "data:," or target.removeprefix("#") in found.ids
    assert page.count("<style>") == 1
    assert len(page) < 100_000


def test_the_page_shows_every_check_and_escapes_names(bad: Findings, tmp_path: Path) -> None:
    write_findings(bad, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    found = Resources()
    found.feed(page)

    assert "2 of 12 checks failed" in found.text
    for finding in bad.checks:
        # In the table of all checks, and in the section by Great Expectations.
        assert found.text.count(finding.expected) == 2
    assert "<b>2</b>" in found.text
    assert "<b>" not in page


def test_the_same_findings_give_the_same_bytes(bad: Findings, tmp_path: Path) -> None:
    again = check_graph(star(torch.tensor([[1.0]] * 2 + [[0.0]] * 7)), PARAMS.model_copy(update={"min_edges": 9}))
    for name, findings in (("first", bad), ("second", again), ("third", bad)):
        (tmp_path / name).mkdir()
        write_findings(findings, tmp_path / name)

    for file in ("index.html", "findings.json"):
        first, second, third = ((tmp_path / name / file).read_bytes() for name in ("first", "second", "third"))
        assert first == second == third


def test_checks_run_side_by_side_in_threads(good: Findings) -> None:
    graphs = [star(torch.full((9, 1), float(value))) for value in (1, 0, 2, 0)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda graph: check_graph(graph, PARAMS).passed, graphs))

    assert results == [True, False, True, False]


def test_findings_add_up(good: Findings, bad: Findings) -> None:
    both = good + bad

    assert both.checks == good.checks + bad.checks
    assert not both.passed


def test_a_finding_that_names_all_its_offenders_says_so() -> None:
    finding = Finding(
        check="no_self_loops",
        table="edges",
        column="self_loop",
        passed=False,
        unexpected=1,
        rows=8,
        offenders=("a - a",),
        observed=None,
        expected="no edge joins a node to itself",
        remedy="Run `prepare` again.",
    )

    assert str(finding) == (
        "no_self_loops (table edges, column self_loop): expected that no edge joins a node to itself; "
        "1 of 8 rows break this: a - a. Run `prepare` again."
    )


def test_every_check_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
    rules = [
        *graph_rules(PARAMS, weighted=True),
        *split_rules("cold_start"),
        *training_rules(),
        *score_size_rules(),
        *score_rules(),
    ]
    assert len({(rule.table, rule.check) for rule in rules}) == len(rules)
    for rule in rules:
        assert f"| `{rule.table}` | `{rule.check}` |" in text
