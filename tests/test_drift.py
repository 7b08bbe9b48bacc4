"""Drift on graphs small enough to work out by hand."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from llp_core import drift
from llp_core.config import DataParams, Params
from llp_core.datasets.tables import Table
from llp_core.drift import DriftReport, divergence, drift_between, drift_report, stability_index
from llp_core.types import Graph


def graph(ids: str, edges: list[tuple[str, str]]) -> Graph:
    """A graph whose nodes are called by one letter each."""
    pairs = sorted(tuple(sorted((ids.index(a), ids.index(b)))) for a, b in edges)
    ends = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    return Graph("hand", tuple(ids), torch.ones(len(ids), 1), ends)


def compared(before: Graph, after: Graph) -> DriftReport:
    """Without a column beside the ids."""
    table = Table("nodes.csv", Path("nodes.csv"), pa.table({}))
    return drift_report(before, after, (table, table), {})


def test_the_index_is_what_one_works_out() -> None:
    # (0.25 - 0.5) ln(0.25 / 0.5) + (0.75 - 0.5) ln(0.75 / 0.5) = 0.17329 + 0.10137
    assert stability_index(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(0.27465, abs=1e-5)
    assert stability_index(np.array([0.3, 0.7]), np.array([0.3, 0.7])) == 0
    # An empty bin counts with 0.0001: (0.5 - 0.0001) ln 5000 + (0.5 - 1) ln 0.5
    expected = 0.4999 * math.log(5000) + 0.5 * math.log(2)
    assert stability_index(np.array([0.0, 1.0]), np.array([0.5, 0.5])) == pytest.approx(expected)


def test_the_divergence_is_what_one_works_out() -> None:
    # The middle is (0.75, 0.25): half of 1 log2(1 / 0.75), and half of 0.5 log2(0.5 / 0.75) + 0.5 log2(0.5 / 0.25).
    expected = 0.5 * math.log2(4 / 3) + 0.25 * math.log2(2 / 3) + 0.25
    assert divergence(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(expected)
    assert divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def test_what_came_and_went_is_counted_by_ids() -> None:
    before = graph("abcd", [("a", "b"), ("b", "c"), ("c", "d")])
    # d goes, with its edge; e and f come; in another order.
    after = graph("febca", [("a", "b"), ("b", "c"), ("a", "c"), ("e", "f"), ("e", "a")])
    report = compared(before, after)
    assert (report.new_nodes, report.removed_nodes) == (2, 1)
    assert (report.new_edges, report.removed_edges, report.among_new) == (3, 1, 1)
    assert report.shares == {
        "new nodes": 2 / 5,
        "removed nodes": 1 / 4,
        "new edges": 3 / 5,
        "removed edges": 1 / 3,
        "new edges among new nodes": 1 / 3,
    }


def test_degrees_move_between_buckets() -> None:
    before = graph("abcd", [("a", "b"), ("c", "d")])  # every degree is 1
    after = graph("abcd", [("a", "b"), ("a", "c"), ("a", "d")])  # one is 3, which is another bucket
    assert compared(before, before).max_psi == 0
    shift = compared(before, after).degree
    assert shift.psi == pytest.approx(-0.25 * math.log(0.75) + (0.25 - 1e-4) * math.log(2500), abs=1e-6)
    assert compared(before, after).max_psi == shift.psi


@pytest.fixture
def between(tmp_path: Path, params: Params) -> object:
    """Compares two tables of nodes, each with an edge between its first two."""

    def run(before: pd.DataFrame, after: pd.DataFrame, **columns: str) -> DriftReport:
        folders = []
        for name, nodes in (("before", before), ("after", after)):
            folders.append(tmp_path / name)
            folders[-1].mkdir()
            nodes = nodes.assign(id=[f"n{row}" for row in range(len(nodes))])
            nodes.to_parquet(folders[-1] / "nodes.parquet")
            pd.DataFrame({"source": ["n0"], "target": ["n1"]}).to_parquet(folders[-1] / "edges.parquet")
        files = params.data.files.model_dump() | {"nodes": "n.parquet", "edges": "e.parquet", "columns": columns}
        return drift_between(folders[0], folders[1], DataParams(name="files", mirror=None, files=files))

    return run


def test_columns_of_ones_own_table_are_compared(between) -> None:
    before = pd.DataFrame(
        {"size": [1.0, 1, 2, 2], "colour": ["red", "red", "blue", "blue"], "about": ["a b", "a b", "a b", "a b"]}
    )
    after = pd.DataFrame(
        {"size": [1.0, 2, 2, 2], "colour": ["red", "red", "blue", "green"], "about": ["a b", "b a", "b b", "b b"]}
    )
    report = between(before, after, colour="category", about="text")
    psi = {shift.name: shift.psi for shift in report.features}
    assert psi["size"] == pytest.approx(0.27465, abs=1e-5)
    assert psi["about"] == pytest.approx(0.27465, abs=1e-5)  # words: a 4 and b 4, then 2 and 6
    # red stays at 0.5, blue goes from 0.5 to 0.25, and 0.25 are values that were not there.
    assert psi["colour"] == pytest.approx(0.25 * math.log(2) + (0.25 - 1e-4) * math.log(2500), abs=1e-6)
    assert [shift.name for shift in report.features] == sorted(psi, key=psi.get, reverse=True)


def test_of_numbers_it_takes_values_or_deciles(between) -> None:
    evenly = np.arange(20.0)
    moved = np.where(evenly < 10, evenly, 19.0)  # the upper half now lies in the last tenth
    few, more = ([0.0] * count + [1.0] * (20 - count) for count in (10, 5))
    report = between(pd.DataFrame({"many": evenly, "few": few}), pd.DataFrame({"many": moved, "few": more}))
    expected = 4 * (0.1 - 1e-4) * math.log(1000) + 0.4 * math.log(5)
    assert [shift.name for shift in report.features] == ["many", "few"]
    assert report.features[0].psi == pytest.approx(expected, abs=1e-6)
    assert report.features[1].psi == pytest.approx(0.27465, abs=1e-5)


@pytest.mark.parametrize("values", [[1.0, 1, 2, 2], np.arange(20.0)], ids=["few", "many"])
def test_gaps_are_a_bin_of_their_own(between, values) -> None:
    filled = pd.Series(values)
    halved = filled.where(filled.index % 2 == 0)  # of each bin every other value is missing
    report = between(pd.DataFrame({"size": filled, "same": halved}), pd.DataFrame({"size": halved, "same": halved}))
    psi = {shift.name: shift.psi for shift in report.features}
    assert psi["size"] == pytest.approx(0.5 * math.log(2) + (0.5 - 1e-4) * math.log(5000), abs=1e-6)
    assert psi["same"] == 0


def test_texts_that_are_gone_are_a_word_that_was_not_there(between) -> None:
    before, after = pd.DataFrame({"about": ["a", "b", "a", "b"]}), pd.DataFrame({"about": ["a", "b", "", None]})
    (shift,) = between(before, after, about="text").features
    assert shift.psi == pytest.approx(0.5 * math.log(2) + (0.5 - 1e-4) * math.log(5000), abs=1e-6)


def test_ignored_columns_and_ids_are_left_out_and_others_named(between) -> None:
    before = pd.DataFrame({"size": [1.0, 2], "note": [1, 2], "old": [1, 2]})
    after = pd.DataFrame({"size": [1.0, 2], "note": [5, 6], "young": [1, 2]})
    report = between(before, after, note="ignore")
    assert [shift.name for shift in report.features] == ["size"]
    assert report.columns_gone == ("old", "young")


def test_at_most_twenty_are_named(between) -> None:
    columns = {f"x{number:02}": [1.0, 2, 1, 2] for number in range(30)}
    after = columns | {"x29": [1.0, 1, 1, 2]}
    report = between(pd.DataFrame(columns), pd.DataFrame(after))
    assert (len(report.features), report.features_compared) == (drift.NAMED, 30)
    assert report.features[0].name == "x29"
    assert "The 20 of 30 features that moved most." in report.to_markdown()


def test_names_of_columns_stay_text_in_markdown(between) -> None:
    report = between(pd.DataFrame({"a|b<img>": [1, 2], "<i>": [1, 2]}), pd.DataFrame({"a|b<img>": [1, 2], "`": [1, 2]}))
    lines = report.to_markdown().splitlines()
    assert "| a\\|b&lt;img&gt; | 0.000 | 0.000 |" in lines
    assert lines[-1] == "Only one of the two graphs has: &lt;i&gt;, \\`."


def test_the_report_as_markdown_and_json() -> None:
    before, after = graph("abc", [("a", "b")]), graph("abcd", [("a", "b"), ("c", "d")])
    report = compared(before, after)
    lines = report.to_markdown().splitlines()
    assert lines[:2] == ["Nodes: 3, now 4.", "Edges: 1, now 2."]
    assert "| new nodes | 1 | 25.0 % |" in lines
    assert "| new edges | 1 | 50.0 % |" in lines
    values = report.to_json()
    assert values["max_psi"] == report.degree.psi > 0
    assert values["degree"] == {"name": "degree", "psi": report.degree.psi, "divergence": report.degree.divergence}
