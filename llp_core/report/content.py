"""What a report says, in which order. How it looks is up to the page."""

import math
from collections.abc import Iterator

import yaml

from llp_core.config import TunedSections
from llp_core.latency import REGIMES
from llp_core.names import ALL_EDGES
from llp_core.report import figures, pictures
from llp_core.report.blocks import Block, Code, Fold, Heading, Section, Table, Text
from llp_core.report.context import Check, ReportContext, without_folders

_SETTINGS_TEXT = (
    "Transductive: every node is known while training, some edges are held out. Production: new nodes and edges appear "
    "after training. Cold start: as production, but a new node has no edge yet, and only test edges that touch a new "
    "node count."
)
_METRICS_TEXT = (
    "Hits@K is the share of test edges scored above the K-th best of the negatives, pairs without an edge; ties "
    "count against the edge. As the number of negatives differs between graphs and settings, compare methods in "
    "one table, not figures of two."
)
_SEED_TEXT = (
    "These figures come from one split and one model seed. Another seed moves Hits@20 of such models by several "
    "points, so a small difference here proves nothing: repeat the run with other seeds before you rely on it."
)


def sections(context: ReportContext) -> tuple[Section, ...]:
    """The report, section by section."""
    return (
        Section("Result", _result(context)),
        Section("Quality", tuple(_quality(context))),
        Section("Latency", tuple(_latency(context))),
        Section("Training", tuple(_training(context))),
        Section("Checks", tuple(_checks(context))),
        Section("What ran", tuple(_what_ran(context))),
    )


def _result(context: ReportContext) -> tuple[Block, ...]:
    return (
        figures.headline_table(context.settings),
        pictures.quality_latency(context.settings),
        Text(_SETTINGS_TEXT),
        Text(f"{_SEED_TEXT} {_sampling_sentence(context)}"),
    )


def _sampling_sentence(context: ReportContext) -> str:
    """How far chance in the choice of test edges alone moves Hits@20: a standard error, in points."""
    told = []
    for result in context.settings:
        shares = [figures.figure(result.evaluation, method, ALL_EDGES) or 0.0 for method in result.methods]
        count = result.evaluation.positives[ALL_EDGES]
        error = max(math.sqrt(share * (1 - share) / count) for share in shares)
        told.append(f"{100 * error:.1f} points ({figures.SETTING_NAMES[result.setting].lower()}, {count:,} edges)")
    return f"The choice of test edges alone has a standard error of up to {', '.join(told)}."


def _quality(context: ReportContext) -> Iterator[Block]:
    yield Text(_METRICS_TEXT)
    for result in context.settings:
        yield Heading(figures.SETTING_NAMES[result.setting])
        yield figures.metrics_table(result)
        for table in (figures.groups_table(result), figures.degrees_table(result)):
            if table is not None:
                yield table
        title = f"All figures, {figures.SETTING_NAMES[result.setting].lower()}"
        yield Fold(title, (figures.all_figures_table(result),))


def _latency(context: ReportContext) -> Iterator[Block]:
    for regime, meaning in REGIMES.items():
        yield Text(f"{regime.capitalize()}: {meaning}.")
    yield Text(
        "All methods get the same requests in turn, a fast one more of them. p50, p95 and p99 leave out the first "
        "request, which has a column of its own; under 100 requests p99 is the slowest. The ratio compares medians, "
        "with a 95 % bootstrap interval."
    )
    for result in context.settings:
        yield Heading(figures.SETTING_NAMES[result.setting])
        yield figures.latency_table(result.latency)


def _training(context: ReportContext) -> Iterator[Block]:
    yield Text(
        "Of each model the epoch of the best validation score is kept, and of several teachers the best one. The score "
        "is the mean of Hits@10, 20, 30 and 50 on the validation edges. "
        "Losses of different methods are sums of different parts: compare their course, not their height. Nor is "
        "the validation score comparable with the figures of the test: it ranks other edges against other negatives."
    )
    for result in context.settings:
        yield Heading(figures.SETTING_NAMES[result.setting])
        yield pictures.training(result)
        yield figures.training_table(result.training)


def _checks(context: ReportContext) -> Iterator[Block]:
    ran: dict[str, tuple[Check, ...]] = {"Graph": context.findings}
    for result in context.settings:
        setting = figures.SETTING_NAMES[result.setting]
        ran |= {f"{setting}, {place}": checks for place, checks in result.findings.items()}
    failed = {place: [check for check in checks if not check.passed] for place, checks in ran.items()}
    number, failures = sum(map(len, ran.values())), sum(map(len, failed.values()))
    yield Text(f"{number - failures} of {number} checks passed.")
    for place, checks in failed.items():
        if checks:
            yield figures.checks_table(f"Failed: {place.lower()}", checks)
    yield Fold("All checks", tuple(figures.checks_table(place, checks) for place, checks in ran.items()))


def _what_ran(context: ReportContext) -> Iterator[Block]:
    data, here = context.data, context.machine
    yield _facts(
        "Data",
        [
            ("data set", data.name),
            ("nodes", f"{data.nodes:,}"),
            ("edges, undirected", f"{data.edges:,}"),
            ("features", f"{data.features:,}"),
            *((f"left out: {what}", f"{count:,}") for what, count in data.dropped.items()),
            ("SHA-256 of ids, features and edges", data.sha256),
        ],
    )
    run, split = context.params.run, context.params.split
    yield _facts(
        "Run",
        [
            ("commit", context.commit),
            ("files changed since that commit", {None: "unknown", False: "no", True: "yes"}[context.dirty]),
            ("seed", str(run.seed)),
            ("seed of the split", str(split.seed)),
        ],
    )
    yield _facts(
        "Machine",
        [
            ("processor", here.cpu),
            ("cores", str(here.cores)),
            ("memory, GiB", f"{here.memory_gb:.1f}"),
            ("GPU", here.gpu or "none"),
            *here.versions.items(),
        ],
    )
    yield from _tuned(context)
    values = without_folders(context.params.model_dump(mode="json", by_alias=True))
    yield Fold("All settings (params.yaml)", (Code(yaml.safe_dump(values, sort_keys=False, allow_unicode=True)),))


def _tuned(context: ReportContext) -> Iterator[Block]:
    """The settings that hold in one setting of link prediction or another, as each of them ran with."""
    names = [result.setting for result in context.settings]
    own = {name: getattr(context.params.tuned, name).model_dump() for name in names}
    ran = {name: context.params.of(name) for name in names}
    keys = {
        (section, key): None for section in TunedSections.model_fields for name in names for key in own[name][section]
    }
    if keys:
        rows = (
            (f"{section}.{key}", *(str(getattr(getattr(ran[name], section), key)) for name in names))
            for section, key in keys
        )
        header = ("key", *(figures.SETTING_NAMES[name] for name in names))
        yield Table("Settings tuned for this data set, as they ran", header, tuple(rows))


def _facts(title: str, rows: list[tuple[str, str]]) -> Table:
    return Table(title, ("what", "value"), tuple(rows))
