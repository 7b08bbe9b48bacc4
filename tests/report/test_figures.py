# ruff: noqa: RUF001 (tables hold true minus signs and dashes)
"""What stands in the tables, worked out by hand from the project's literal figures."""

from dataclasses import replace

import pytest

from llp_core.report import ReportContext, quality_table
from llp_core.report import figures as shown
from llp_core.types import LatencyTable


def test_headline(context: ReportContext) -> None:
    table = shown.headline_table(context.settings)
    assert table.header[1:4] == ("teacher", "plain MLP", "LLP")
    assert table.header[4:] == ("LLP − teacher", "LLP − plain MLP", "LLP faster", "test edges")
    assert table.rows == (
        ("Transductive", "40.4", "40.0", "43.7", "+3.3", "+3.7", "4.0×", "900"),
        ("Production", "25.0", "21.4", "25.0", "0.0", "+3.6", "4.0×", "900"),
        ("Cold start", "0.0", "15.4", "18.5", "+18.5", "+3.1", "4.0×", "400"),
    )
    assert table.strong == {(0, 3), (1, 1), (1, 3), (2, 3)}


def test_metrics_with_differences(context: ReportContext) -> None:
    table = shown.metrics_table(context.settings[0])
    assert table.caption == "All 900 test edges against 900 negatives; percent, differences in points"
    assert table.rows[0] == ("teacher", "32.3", "40.4", "44.4", "48.5", "8.1", "70.2")
    assert table.rows[3] == ("plain MLP − teacher", "−0.3", "−0.4", "−0.4", "−0.5", "−0.1", "−0.2")
    assert [row[0] for row in table.rows[4:]] == ["LLP − teacher", "LLP − plain MLP"]
    assert table.faint == {3, 4, 5}


def test_groups_only_where_there_are_several(context: ReportContext) -> None:
    transductive, production, cold_start = context.settings
    assert shown.groups_table(transductive) is None
    assert shown.groups_table(production).header == ("method", "old-old (500)", "old-new (300)", "new-new (100)")
    assert shown.groups_table(cold_start).header == ("method", "old-new (300)", "new-new (100)")
    assert shown.degrees_table(cold_start).header == ("method", "0 (500)", "3+ (300)")


def test_a_group_without_figures_is_left_blank(context: ReportContext) -> None:
    result = context.settings[1]
    figures = {method: {**groups, "new-new": {}} for method, groups in result.evaluation.figures.items()}
    blank = replace(result, evaluation=replace(result.evaluation, figures=figures))
    assert [row[3] for row in shown.groups_table(blank).rows] == ["–"] * 6


def test_every_figure_is_somewhere(context: ReportContext) -> None:
    table = shown.all_figures_table(context.settings[1])
    assert len(table.rows) == 6 * 3
    assert table.rows[4] == ("old-old (500)", "plain MLP", "17.1", "21.4", "23.5", "25.7", "4.3", "60.7")


def test_latency_in_milliseconds(context: ReportContext) -> None:
    table = shown.latency_table(context.settings[0].latency)
    assert table.caption == "Milliseconds a request on cpu Abacus, 1 thread"
    assert table.rows[0] == ("online", "1", "teacher", "0.800", "4.00", "8.00", "16.0", "200", "–")
    assert table.rows[-1] == ("offline", "1,800", "LLP", "6.00", "8.00", "8.00", "4.00", "40", "4.0×")


@pytest.mark.parametrize(
    ("times", "text"),
    [
        ((None, None, None), "–"),
        ((5.28, None, None), "5.3×"),
        ((5.28, 5.11, 5.6), "5.3× (5.1–5.6)"),
        ((0.0434, 0.04, 0.9), "0.043× (0.04–0.9)"),
        ((1520.4, 99.96, 3900.0), "1,520× (100.0–3,900)"),
    ],
)
def test_times_with_interval(times: tuple[float | None, float | None, float | None], text: str) -> None:
    assert shown.times_with_interval(*times) == text


def test_no_ratio_without_a_teacher(context: ReportContext) -> None:
    result = context.settings[0]
    students = tuple(row for row in result.latency.rows if row.method != "teacher")
    alone = LatencyTable("transductive", "cpu Abacus", 2, students)
    assert shown.latency_table(alone).rows[0][-1] == "–"
    assert shown.headline_table([replace(result, latency=alone)]).rows[0][-2] == "–"


@pytest.mark.parametrize(("seconds", "text"), [(0.000117, "0.117"), (0.012, "12.0"), (0.0999, "99.9"), (1.5, "1,500")])
def test_milliseconds(seconds: float, text: str) -> None:
    assert shown.milliseconds(seconds) == text


def test_training(context: ReportContext) -> None:
    table = shown.training_table(context.settings[0].training)
    assert table.rows[0] == ("teacher", "12", "20", "45.4", "2 of 2")
    assert table.rows[2] == ("LLP", "12", "20", "48.7", "1 of 1")


def test_checks(context: ReportContext) -> None:
    passed = context.findings[0]
    observed = passed.model_copy(update={"observed": 3552.0})
    failed = passed.model_copy(
        update={"passed": False, "unexpected": 2, "offenders": ("numpy", "scipy"), "observed": 0.94988}
    )
    table = shown.checks_table("Graph", [passed, observed, failed])
    assert table.rows == (
        ("values are unique", "nodes, id", "no id twice", "0 break it", "passed"),
        ("values are unique", "nodes, id", "no id twice", "3,552", "passed"),
        ("values are unique", "nodes, id", "no id twice", "0.9499; 2 break it: numpy, scipy", "FAILED"),
    )
    assert table.strong == {(2, 4)}


def test_quality_table_is_markdown(context: ReportContext) -> None:
    lines = quality_table([result.evaluation for result in context.settings]).splitlines()
    assert lines[2].split("|")[1:4] == [" setting      ", " method    ", " Hits@10 "]
    assert len(lines) == 2 + 2 + 9
    assert " ".join(lines[6].split()) == "| Transductive | LLP | 35.0 | 43.7 | 48.1 | 52.4 | 8.7 | 71.9 |"
