"""The tables of docs/results.md."""

import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from llp_core.names import ALL_EDGES, EDGE_GROUPS, SETTINGS, TEACHER, Setting
from llp_core.paper.cells import Row
from llp_core.paper.results import Results, average_of
from llp_core.paper.statistics import Estimate, Verdict
from llp_core.report.blocks import Table
from llp_core.report.figures import ABSENT, METHOD_NAMES, METRICS, MINUS, SETTING_NAMES, signed

LLP = "llp"
OTHERS = (TEACHER, "label", "logit", "representation")
"""What LLP is compared with."""


def quality_table(results: Results, setting: Setting, group: str = ALL_EDGES) -> Table:
    """Hits@20 of each method, a row for each data set, and the average over those where all were measured.

    The best is one of the methods with the most runs of a data set: what others have on fewer, or on other edges, does
    not compare. So only methods with all runs everywhere have an average.
    """
    methods = results.methods(setting)
    edges = "all test edges" if group == ALL_EDGES else f"{group} test edges"
    caption = (
        f"{SETTING_NAMES[setting]}, {edges}: Hits@20 in percent, mean {PLUS_MINUS} half width of the 95 % interval "
        "(runs)"
    )
    rows: list[tuple[str, ...]] = []
    strong: set[tuple[int, int]] = set()
    complete: list[list[Estimate | None]] = []
    for name in results.datasets:
        found = [results.estimate(name, setting, method, group) for method in methods]
        if not any(found):
            continue
        rows.append((name, *map(_cell, found)))
        runs = [results.figures(name, setting, method, group).keys() for method in methods]
        most = max(runs, key=lambda one: (len(one), runs.count(one)))
        comparable = [one if own == most else None for one, own in zip(found, runs, strict=True)]
        strong |= {(len(rows) - 1, 1 + column) for column in _best(comparable)}
        if all(found):
            complete.append(comparable)
    if len(complete) > 1:
        columns = [[one for one in column if one is not None] for column in zip(*complete, strict=True)]
        averages = [average_of(column) if len(column) == len(complete) else None for column in columns]
        strong |= {(len(rows), 1 + column) for column in _best(averages)}
        shown = (ABSENT if one is None else f"{one.mean:.1f}" for one in averages)
        rows.append((f"average of {len(complete)}", *shown))
    return Table(caption, ("data set", *(METHOD_NAMES[method] for method in methods)), tuple(rows), frozenset(strong))


def comparison_table(results: Results, setting: Setting, group: str = ALL_EDGES) -> Table:
    """LLP minus the teacher and the baselines, paired by split and seed, with a verdict each."""
    found = {other: results.differences(setting, LLP, other, group) for other in OTHERS}
    names = [name for name in results.datasets if any(name in one for one in found.values())]
    rows = [(name, *(_difference(found[other].get(name)) for other in OTHERS)) for name in names]
    rows.append(("average over data sets", *(told_average(found[other].values()) for other in OTHERS)))
    rows.append(("verdicts", *(count_verdicts(found[other].values()) for other in OTHERS)))
    edges = "" if group == ALL_EDGES else f", {group} test edges"
    caption = (
        f"{SETTING_NAMES[setting]}{edges}: Hits@20 of LLP minus another method's, in points, mean {PLUS_MINUS} half "
        "width of the 95 % interval (pairs)"
    )
    header = ("data set", *(f"LLP {MINUS} {METHOD_NAMES[other]}" for other in OTHERS))
    return Table(caption, header, tuple(rows))


def metrics_table(results: Results) -> Table:
    """LLP minus the teacher and the baselines by every metric, on average over the data sets, with the verdicts."""
    rows = []
    for setting in SETTINGS:
        for metric, name in METRICS.items():
            found = [results.differences(setting, LLP, other, metric=metric) for other in OTHERS]
            if any(found):
                rows.append((SETTING_NAMES[setting], name, *map(_average, found)))
    caption = "LLP minus another method's, all test edges, in points: average over data sets, and verdicts"
    header = ("setting", "metric", *(f"LLP {MINUS} {METHOD_NAMES[other]}" for other in OTHERS))
    return Table(caption, header, tuple(rows))


def shortfall_table(results: Results) -> Table:
    """Where the mean of LLP is below that of the teacher or the plain MLP, the largest difference first."""
    found = [
        (difference, setting, name, other)
        for setting in SETTINGS
        for other in OTHERS[:2]
        for name, difference in results.differences(setting, LLP, other).items()
        if difference.mean < 0
    ]
    rows = tuple(
        (
            SETTING_NAMES[setting],
            name,
            METHOD_NAMES[other],
            _cell(results.estimate(name, setting, LLP)),
            _cell(results.estimate(name, setting, other)),
            _difference(difference),
        )
        for difference, setting, name, other in sorted(found, key=lambda item: item[0].mean)
    )
    caption = f"Hits@20 in percent and differences in points, mean {PLUS_MINUS} half width of the 95 % interval (runs)"
    return Table(caption, ("setting", "data set", "below", "LLP", "the other", "difference"), rows)


def edges_table(results: Results) -> Table:
    """How many test edges each figure rests on: on the first split, since the splits differ by a few."""
    columns: list[tuple[Setting, str]] = [("transductive", ALL_EDGES)]
    columns += [("production", group) for group in (ALL_EDGES, *EDGE_GROUPS)]
    columns += [("cold_start", ALL_EDGES)]

    def cells(name: str) -> Iterable[str]:
        for setting, group in columns:
            rows = results.of(name, setting)
            count = rows[0][f"{group}.positives"] if rows else None
            yield ABSENT if count is None else f"{count:,}"

    header = [SETTING_NAMES[setting] if group == ALL_EDGES else group for setting, group in columns]
    rows = tuple((name, *cells(name)) for name in results.datasets)
    return Table("Test edges of the first split", ("data set", *header), rows)


def seconds_table(results: Results) -> Table:
    """Processor time of a training."""

    def median(rows: Sequence[Row]) -> str:
        seconds = [row["cpu_seconds"] for row in rows if not row["resumed"] and row["gpu"] is None]
        return f"{statistics.median(seconds):,.1f}" if seconds else ABSENT

    return _costs(results, "CPU seconds of a training, all threads together, median of all runs and settings", median)


def memory_table(results: Results) -> Table:
    """Peak memory of a training."""

    def most(rows: Sequence[Row]) -> str:
        memory = [row["peak_memory_mb"] for row in rows if row["gpu"] is None]
        return f"{max(memory):,.0f}" if memory else ABSENT

    return _costs(results, "Peak memory of the process in MiB, the most of all runs and settings", most)


def told_average(differences: Collection[Estimate]) -> str:
    """Over data sets, with its interval and how many there are."""
    average = average_of(differences)
    return ABSENT if average is None else f"{signed(average.mean)}{_width(average)} (of {average.runs})"


def count_verdicts(differences: Iterable[Estimate]) -> str:
    """Such as "win 3, level 1"."""
    order: tuple[Verdict, ...] = ("win", "level", "loss", "too few runs")
    counts = Counter(difference.verdict for difference in differences)
    return ", ".join(f"{verdict} {counts[verdict]}" for verdict in order if counts[verdict]) or ABSENT


PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


def _costs(results: Results, caption: str, figure: Callable[[Sequence[Row]], str]) -> Table:
    methods = results.methods()
    rows = tuple((name, *(figure(results.of(name, method=method)) for method in methods)) for name in results.datasets)
    return Table(caption, ("data set", *(METHOD_NAMES[method] for method in methods)), rows)


def _cell(one: Estimate | None) -> str:
    return ABSENT if one is None else f"{one.mean:.1f}{_width(one)} ({one.runs})"


def _difference(one: Estimate | None) -> str:
    return ABSENT if one is None else f"{signed(one.mean)}{_width(one)} ({one.runs}) {one.verdict}"


def _width(one: Estimate) -> str:
    return "" if one.half_width is None else f" {PLUS_MINUS} {one.half_width:.1f}"


def _average(differences: Mapping[str, Estimate]) -> str:
    average = average_of(differences.values())
    return ABSENT if average is None else f"{signed(average.mean)}; {count_verdicts(differences.values())}"


def _best(found: Sequence[Estimate | None]) -> set[int]:
    """Positions of the highest mean as shown, ties too; none where there is nothing to choose from."""
    shown = {position: round(one.mean, 1) for position, one in enumerate(found) if one is not None}
    if len(shown) < 2:
        return set()
    return {position for position, mean in shown.items() if mean == max(shown.values())}
