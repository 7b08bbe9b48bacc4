"""Figures of a run as tables: what stands in a cell, and in which words."""

from collections.abc import Iterable, Mapping, Sequence

from llp_core.latency import times_faster
from llp_core.names import ALL_EDGES, EDGE_GROUPS, TEACHER, Setting
from llp_core.report.blocks import Table
from llp_core.report.context import Check, SettingResult, Training
from llp_core.types import Evaluation, LatencyTable

METRICS: Mapping[str, str] = {
    "hits_at_10": "Hits@10",
    "hits_at_20": "Hits@20",
    "hits_at_30": "Hits@30",
    "hits_at_50": "Hits@50",
    "mrr": "MRR",
    "auc": "AUC",
}
HEADLINE = "hits_at_20"

METHOD_NAMES: Mapping[str, str] = {
    TEACHER: "teacher",
    "label": "plain MLP",
    "logit": "logit matching",
    "representation": "representation matching",
    "rank": "rank (LLP_R)",
    "distribution": "distribution (LLP_D)",
    "llp": "LLP",
}
SETTING_NAMES: Mapping[Setting, str] = {
    "transductive": "Transductive",
    "production": "Production",
    "cold_start": "Cold start",
}
ABSENT = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
_DEGREE = "degree "


def share(value: float | None) -> str:
    """A share in percent, one digit after the point, without the sign."""
    return ABSENT if value is None else f"{100 * value:.1f}"


def points(better: float | None, worse: float | None) -> str:
    """The difference of two shares in points, with its sign."""
    return ABSENT if better is None or worse is None else signed(100 * (better - worse))


def signed(difference: float) -> str:
    """A difference in points, with its sign."""
    rounded = round(difference, 1)
    return f"{rounded:+.1f}".replace("-", MINUS) if rounded else "0.0"


def milliseconds(seconds: float) -> str:
    """A duration in milliseconds, to three digits."""
    value = 1e3 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def times_with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """How many times, with its interval in brackets where there is one."""
    if value is None:
        return ABSENT
    interval = "" if low is None or high is None else f" ({_ratio(low)}{ABSENT}{_ratio(high)})"
    return f"{_ratio(value)}{TIMES}{interval}"


def _ratio(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def figure(evaluation: Evaluation, method: str, group: str, metric: str = HEADLINE) -> float | None:
    """A figure, or None where there is no such method, group or metric."""
    return evaluation.figures.get(method, {}).get(group, {}).get(metric)


def comparisons(methods: Sequence[str]) -> list[tuple[str, str]]:
    """Which methods to subtract: the teacher from each student, and the plain MLP from LLP."""
    pairs = [(method, TEACHER) for method in methods if method != TEACHER and TEACHER in methods]
    if {"llp", "label"} <= set(methods):
        pairs.append(("llp", "label"))
    return pairs


def middle_size(result: SettingResult) -> int:
    """Pairs in the request whose latency stands for the rest: the middle of the sizes that were timed."""
    sizes = sorted({row.pairs for row in result.latency.rows if row.regime == "online"})
    return sizes[len(sizes) // 2]


def headline_table(results: Sequence[SettingResult]) -> Table:
    """Hits@20 on all test edges and how much faster LLP is, a row for each setting."""
    methods = [method for method in METHOD_NAMES if any(method in result.methods for result in results)]
    pairs = [(one, other) for one, other in comparisons(methods) if one == methods[-1]]
    header = ["setting", *(METHOD_NAMES[method] for method in methods)]
    header += [f"{METHOD_NAMES[one]} {MINUS} {METHOD_NAMES[other]}" for one, other in pairs]
    header += [f"{METHOD_NAMES[methods[-1]]} faster", "test edges"]
    rows, strong = [], set()
    for number, result in enumerate(results):
        values = {method: figure(result.evaluation, method, ALL_EDGES) for method in methods}
        strong |= {(number, 1 + column) for column in _best(list(values.values()))}
        rows.append(
            (
                SETTING_NAMES[result.setting],
                *map(share, values.values()),
                *(points(values[one], values[other]) for one, other in pairs),
                _faster(result.latency, methods[-1], middle_size(result)),
                f"{result.evaluation.positives[ALL_EDGES]:,}",
            )
        )
    caption = (
        "Hits@20 in percent, differences in points; faster: than the teacher, median online request of "
        f"{middle_size(results[0]):,} pairs"
    )
    return Table(caption, tuple(header), tuple(rows), frozenset(strong))


def _faster(table: LatencyTable, method: str, pairs: int) -> str:
    try:
        ratio = times_faster(table, table.row(method, "online", pairs))
    except KeyError:
        return ABSENT
    return ABSENT if ratio is None or method == TEACHER else f"{ratio:.1f}{TIMES}"


def metrics_table(result: SettingResult) -> Table:
    """Every metric on all test edges: a row for each method, then the differences."""
    columns = [(ALL_EDGES, metric) for metric in METRICS]
    caption = f"All {_counts(result.evaluation, ALL_EDGES)}; percent, differences in points"
    return _methods_by_columns(result, caption, columns, list(METRICS.values()))


def groups_table(result: SettingResult) -> Table | None:
    """Hits@20 by how many ends of a test edge are new; None where all edges are of one kind."""
    groups = [group for group in EDGE_GROUPS if result.evaluation.positives.get(group)]
    if len(groups) < 2:
        return None
    caption = "Hits@20 by kind of test edge (how many); percent, differences in points"
    return _by_group(result, caption, groups)


def degrees_table(result: SettingResult) -> Table | None:
    """Hits@20 by degree of the anchor; None where nothing was sorted by degree."""
    groups = [group for group in result.evaluation.positives if group.startswith(_DEGREE)]
    caption = (
        "Hits@20 by degree of the anchor in the graph at inference (how many; each edge counts at both ends); "
        "percent, differences in points"
    )
    return _by_group(result, caption, groups) if groups else None


def _by_group(result: SettingResult, caption: str, groups: Sequence[str]) -> Table:
    titles = [f"{group.removeprefix(_DEGREE)} ({result.evaluation.positives[group]:,})" for group in groups]
    return _methods_by_columns(result, caption, [(group, HEADLINE) for group in groups], titles)


def _methods_by_columns(
    result: SettingResult, caption: str, columns: Sequence[tuple[str, str]], titles: Sequence[str]
) -> Table:
    values = {method: [figure(result.evaluation, method, *column) for column in columns] for method in result.methods}
    rows = [(METHOD_NAMES[method], *map(share, row)) for method, row in values.items()]
    for one, other in comparisons(result.methods):
        differences = map(points, values[one], values[other])
        rows.append((f"{METHOD_NAMES[one]} {MINUS} {METHOD_NAMES[other]}", *differences))
    strong = {
        (row, 1 + column) for column in range(len(columns)) for row in _best([each[column] for each in values.values()])
    }
    faint = range(len(values), len(rows))
    return Table(caption, ("method", *titles), tuple(rows), frozenset(strong), frozenset(faint))


def all_figures_table(result: SettingResult) -> Table:
    """Every metric of every group and method."""
    evaluation = result.evaluation
    rows = [
        (
            f"{group} ({positives:,})",
            METHOD_NAMES[method],
            *(share(figure(evaluation, method, group, metric)) for metric in METRICS),
        )
        for group, positives in evaluation.positives.items()
        for method in result.methods
    ]
    caption = f"Test edges by group (how many), each against {evaluation.negatives:,} negatives; percent"
    return Table(caption, ("group", "method", *METRICS.values()), tuple(rows))


def latency_table(table: LatencyTable) -> Table:
    """Milliseconds of every row, and how many times faster than the teacher."""
    rows = []
    for row in table.rows:
        seconds = (row.p50_seconds, row.p95_seconds, row.p99_seconds, row.first_seconds)
        times = map(milliseconds, seconds)
        faster = None if row.method == TEACHER else times_faster(table, row)
        ratio = times_with_interval(faster, row.faster_low, row.faster_high)
        rows.append(
            (row.regime, f"{row.pairs:,}", METHOD_NAMES.get(row.method, row.method), *times, f"{row.requests:,}", ratio)
        )
    threads = f"{table.threads} thread{'s' * (table.threads > 1)}"
    return Table(
        f"Milliseconds a request on {table.device}, {threads}",
        ("regime", "pairs", "method", "p50", "p95", "p99", "first", "requests", "faster than teacher"),
        tuple(rows),
    )


def training_table(training: Mapping[str, Training]) -> Table:
    """Which epoch of which model was kept."""
    rows = [
        (
            METHOD_NAMES[method],
            str(one.chosen.best_epoch),
            str(one.chosen.epochs),
            share(one.chosen.valid_score),
            f"{one.chosen.candidate + 1} of {len(one.candidates)}",
        )
        for method, one in training.items()
    ]
    header = ("model", "best epoch", "epochs", "validation score", "candidate")
    return Table("The weights that were kept, chosen by validation; percent", header, tuple(rows))


def checks_table(caption: str, checks: Iterable[Check]) -> Table:
    """What was checked in one place, and what was found there."""
    rows = [
        (
            check.check,
            f"{check.table}, {check.column}",
            check.expected,
            _found(check),
            "passed" if check.passed else "FAILED",
        )
        for check in checks
    ]
    strong = frozenset((number, 4) for number, row in enumerate(rows) if row[4] == "FAILED")
    return Table(caption, ("check", "table, column", "expected", "found", "result"), tuple(rows), strong)


def _observed(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _found(check: Check) -> str:
    told = [] if check.observed is None else [_observed(check.observed)]
    if check.unexpected or not told:
        told.append(f"{check.unexpected:,} break it")
    named = f": {', '.join(check.offenders)}" if check.offenders else ""
    return "; ".join(told) + named


def quality_table_of(evaluations: Sequence[Evaluation]) -> Table:
    """Every metric on all test edges: a row for each setting and method."""
    rows = [
        (
            SETTING_NAMES[evaluation.setting],
            METHOD_NAMES.get(method, method),
            *(share(figure(evaluation, method, ALL_EDGES, metric)) for metric in METRICS),
        )
        for evaluation in evaluations
        for method in evaluation.figures
    ]
    return Table("All test edges, percent", ("setting", "method", *METRICS.values()), tuple(rows))


def _counts(evaluation: Evaluation, group: str) -> str:
    return f"{evaluation.positives[group]:,} test edges against {evaluation.negatives:,} negatives"


def _best(values: Sequence[float | None]) -> list[int]:
    """Positions of the largest value as it is shown, where there is something to compare."""
    shown = [None if value is None else round(1000 * value) for value in values]
    known = [value for value in shown if value is not None]
    return [number for number, value in enumerate(shown) if value == max(known)] if len(known) > 1 else []
