# ruff: noqa: RUF001 - dashes and minus signs as the tables show them
"""The tables, from rows made up so that each cell can be told by hand."""

import json

from paper_rows import row, rows_of

from llp_core.names import SETTINGS
from llp_core.paper import tables
from llp_core.paper.claims import claims_table
from llp_core.paper.plan import PLAN, REVISION, Cell
from llp_core.paper.results import Results
from llp_core.report.figures import METRICS

CORA = rows_of("cora", {"teacher": [0.5, 0.6, 0.7], "label": [0.4, 0.41, 0.42], "llp": [0.6, 0.7, 0.8]})
CITESEER = rows_of("citeseer", {"teacher": [0.3], "llp": [0.1]})


def test_quality() -> None:
    table = tables.quality_table(Results(CORA + CITESEER), "transductive")
    assert table.header == ("data set", "teacher", "plain MLP", "LLP")
    assert table.rows == (
        ("cora", "60.0 ± 24.8 (3)", "41.0 ± 2.5 (3)", "70.0 ± 24.8 (3)"),
        ("citeseer", "30.0 (1)", "–", "10.0 (1)"),
    )
    assert table.strong == {(0, 3), (1, 1)}


def test_what_was_measured_less_often_is_neither_best_nor_averaged() -> None:
    """On its one run the plain MLP is behind LLP; its mean is not."""
    rows = [row for name in ("cora", "debian") for row in rows_of(name, {"label": [0.6], "llp": [0.7, 0.3, 0.4]})]
    table = tables.quality_table(Results(rows), "transductive")
    assert table.rows[0] == ("cora", "60.0 (1)", "46.7 ± 51.7 (3)")
    assert table.rows[-1] == ("average of 2", "–", "46.7")
    assert table.strong == frozenset()


def test_runs_on_other_splits_do_not_compare() -> None:
    rows = rows_of("cora", {"teacher": [0.5, 0.6, 0.7], "llp": [0.6, 0.7, 0.8]})
    assert Results(rows).difference("cora", "production", "llp", "teacher") is not None
    other = json.dumps({"revision": REVISION, "split": {"test_share": 0.2}})
    apart = [one | {"settings": other} if one["method"] == "teacher" else one for one in rows]
    assert Results(apart).difference("cora", "production", "llp", "teacher") is None
    assert tables.quality_table(Results(apart), "production").strong == frozenset()
    table = tables.quality_table(Results([*apart, *rows_of("cora", {"label": [0.1, 0.2, 0.3]})]), "production")
    assert table.strong == {(0, 3)}  # LLP: with the plain MLP it has the splits that most have


def test_an_average_needs_every_method() -> None:
    complete = rows_of("debian", {"teacher": [0.2], "label": [0.3], "llp": [0.4]})
    table = tables.quality_table(Results(CORA + CITESEER + complete), "production")
    assert table.rows[-1] == ("average of 2", "40.0", "35.5", "55.0")
    assert (len(table.rows) - 1, 3) in table.strong


def test_comparisons() -> None:
    table = tables.comparison_table(Results(CORA + CITESEER), "cold_start")
    assert table.rows[0] == ("cora", "+10.0 ± 0.0 (3) win", "+29.0 ± 22.4 (3) win", "–", "–")
    assert table.rows[1] == ("citeseer", "−20.0 (1) too few runs", "–", "–", "–")
    assert table.rows[2] == ("average over data sets", "−5.0 (of 2)", "+29.0 (of 1)", "–", "–")
    assert table.rows[3] == ("verdicts", "win 1, too few runs 1", "win 1", "–", "–")


def test_groups_of_edges_that_a_setting_lacks_are_absent() -> None:
    cells = [Cell("cora", "production", method, 234, 0) for method in ("label", "llp")]
    values = ({"new-new.hits_at_20": 0.25}, {"new-new.hits_at_20": None})
    rows = [row(cell, 0.5, **own) for cell, own in zip(cells, values, strict=True)]
    assert tables.quality_table(Results(rows), "production", "new-new").rows == (("cora", "25.0 (1)", "–"),)


def test_every_metric_on_average() -> None:
    cells = [Cell("cora", "production", method, 234, seed) for seed in range(3) for method in ("teacher", "llp")]
    values = {"teacher": 0.9, "llp": 0.8}
    blank = {f"all.{metric}": None for metric in METRICS}
    rows = [row(cell, 0.5, **{**blank, "all.auc": values[cell.method] + 0.01 * cell.seed}) for cell in cells]
    table = tables.metrics_table(Results(rows))
    assert table.rows == (("Production", "AUC", "−10.0; loss 1", "–", "–", "–"),)


def test_where_it_falls_short() -> None:
    table = tables.shortfall_table(Results(CORA + CITESEER))
    assert [line[:3] for line in table.rows] == [
        (name, "citeseer", "teacher") for name in ("Transductive", "Production", "Cold start")
    ]
    assert table.rows[0][3:] == ("10.0 (1)", "30.0 (1)", "−20.0 (1) too few runs")
    assert tables.shortfall_table(Results(CORA)).rows == ()


def test_costs_leave_out_what_was_continued_and_what_a_gpu_did() -> None:
    cells = [Cell("cora", "production", "llp", 234, seed) for seed in range(4)]
    rows = [
        row(cells[0], 0.5, cpu_seconds=4.0),
        row(cells[1], 0.5, cpu_seconds=6.0, peak_memory_mb=700.0),
        row(cells[2], 0.5, cpu_seconds=0.1, resumed=True),
        row(cells[3], 0.5, cpu_seconds=0.1, peak_memory_mb=9000.0, gpu="a GPU"),
    ]
    assert tables.seconds_table(Results(rows)).rows == (("cora", "5.0"),)
    assert tables.memory_table(Results(rows)).rows == (("cora", "700"),)


def test_test_edges_are_counted() -> None:
    rows = [row(Cell("cora", setting, "llp", 234, 0), 0.5) for setting in SETTINGS]
    rows[1] |= {"old-old.positives": 1200, "old-new.positives": 30, "new-new.positives": 4}
    assert tables.edges_table(Results(rows)).rows == (("cora", "100", "100", "1,200", "30", "4", "100"),)


def ten(lowest: float) -> list[float]:
    """As many runs as any data set has in the plan."""
    return [lowest + 0.001 * run for run in range(10)]


BASELINES = {"label": ten(0.3), "logit": ten(0.3), "representation": ten(0.2)}


class TestClaims:
    def answers(self, hits: dict[str, list[float]], names: list[str]) -> list[str]:
        rows = [one for name in names for one in rows_of(name, hits)]
        rows = [one | {"new-new.hits_at_20": one["all.hits_at_20"]} for one in rows]
        return [line[-1] for line in claims_table(Results(rows)).rows]

    def test_all_reached(self) -> None:
        hits = {"teacher": ten(0.1), "llp": ten(0.5), **BASELINES}
        assert self.answers(hits, list(PLAN)) == ["yes"] * 9

    def test_none_reached(self) -> None:
        hits = {"teacher": ten(0.5), "llp": ten(0.1), **BASELINES}
        assert self.answers(hits, list(PLAN)) == ["no"] * 9

    def test_goals_of_averages(self) -> None:
        """20 points above the teacher, 5 above the plain MLP."""
        hits = {"teacher": ten(0.15), "llp": ten(0.35), **BASELINES}
        assert self.answers(hits, list(PLAN)) == ["yes"] * 4 + ["no", "no", "yes", "yes", "no"]

    def test_part_of_the_data_sets(self) -> None:
        hits = {"teacher": ten(0.1), "llp": ten(0.5), **BASELINES}
        assert self.answers(hits, ["cora", "citeseer"]) == ["yes, so far: 2 of 7 data sets complete"] * 9

    def test_three_of_ten_planned_runs(self) -> None:
        """Enough for a verdict and, of two data sets, for all that is planned."""
        hits = {name: runs[:3] for name, runs in ({"teacher": ten(0.1), "llp": ten(0.5)} | BASELINES).items()}
        assert self.answers(hits, list(PLAN)) == ["yes, so far: 2 of 7 data sets complete"] * 9

    def test_ahead_within_the_interval_is_level(self) -> None:
        """20 points above the plain MLP on every other data set and 10 below on the rest: 7 on average."""
        rows = []
        for number, name in enumerate(PLAN):
            rows += rows_of(name, {"label": ten(0.5), "llp": ten(0.4 if number % 2 else 0.7)})
        line = claims_table(Results(rows)).rows[7]
        assert line[0] == "Production, against the plain MLP, average"
        assert line[3:] == ("+7.1 ± 14.8 (of 7); win 4, loss 3", "level")

    def test_comparisons_of_a_single_run_are_not_known(self) -> None:
        hits = {"teacher": ten(0.1), "llp": ten(0.5), **BASELINES, "logit": [0.3]}
        assert self.answers(hits, ["cs"])[1] == "yes, 1 of 3 not known, so far: 1 of 7 data sets complete"

    def test_too_few_runs(self) -> None:
        hits = {
            method: values[:2] for method, values in ({"teacher": [0.1, 0.2], "llp": [0.5, 0.6]} | BASELINES).items()
        }
        assert self.answers(hits, list(PLAN))[:4] == ["not known yet"] * 4

    def test_nothing_measured(self) -> None:
        assert [line[-1] for line in claims_table(Results([])).rows] == ["not known yet"] * 9
