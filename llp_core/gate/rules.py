"""The rules of the gate. Each gives what it measured, its bound, and a reason in words."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from llp_core import paths
from llp_core.config import GateParams, Params
from llp_core.errors import InputError
from llp_core.gate.bootstrap import HITS
from llp_core.gate.scoring import FEWEST_POSITIVES
from llp_core.gate.verdict import METRIC_NAMES, Comparison, Rule
from llp_core.names import ALL_EDGES, Setting
from llp_core.store import load, read_json
from llp_core.types import LatencyTable

MEGABYTE = 1_000_000


def require_judgeable(params: Params) -> None:
    """Refuses settings of the gate that no run of the pipeline could answer.

    Raises:
        InputError: the pipeline does not train what is judged, or does not time such requests.
    """
    gate, methods, pairs = params.gate, params.student.methods, params.latency.pairs
    if gate.method not in methods:
        raise InputError(
            f"gate.method is {gate.method}, which student.methods does not train. Add it there, or choose one of "
            f"{', '.join(methods)}."
        )
    if gate.request_pairs not in pairs:
        raise InputError(
            f"gate.request_pairs is {gate.request_pairs}, a size of requests that latency.pairs does not have. Add it "
            f"there, or choose one of {', '.join(map(str, pairs))}."
        )


def not_worse(rows: Sequence[Comparison], tolerance: float, against: str) -> Iterator[Rule]:
    """In no group farther below the rival than the tolerance, unless the interval of the difference reaches 0.

    Args:
        rows: of one setting.
        tolerance: a share.
        against: the rival, in words.
    """
    for row in [row for row in rows if row.judged]:
        near = row.difference >= -tolerance
        passed = near or row.high >= 0
        told = (
            f"{100 * row.candidate:.1f} % against {100 * row.other:.1f} % of {against}: {100 * row.difference:+.1f} "
            f"points, 95 % interval {100 * row.low:+.1f} to {100 * row.high:+.1f}"
        )
        how = "" if near else ", below the tolerance but within chance" if passed else ", worse by more than chance"
        name = f"{row.setting}, {row.group}, {METRIC_NAMES[row.metric]}"
        yield Rule(name, passed, row.difference, -tolerance, f"{told}{how}")


def enough_to_judge(rows: Sequence[Comparison], setting: Setting) -> Rule:
    """There are test edges that neither model was trained on: with none the rest would pass for want of a case."""
    found = max((row.positives for row in rows if row.group == ALL_EDGES), default=0)
    reason = f"{found} test edges that neither model was trained on; at least {FEWEST_POSITIVES} are needed"
    if not found:
        reason = f"no test edge, or fewer than {HITS} pairs without an edge, are left that neither model was trained on"
    return Rule(f"{setting}, enough test edges", found >= FEWEST_POSITIVES, found, FEWEST_POSITIVES, reason)


def above_floors(rows: Sequence[Comparison], gate: GateParams) -> Iterator[Rule]:
    """With no model in use: figures on all test edges of a setting are at least the floors."""
    floors = {"hits_at_20": gate.floor_hits_at_20, "mrr": gate.floor_mrr}
    for row in rows:
        if row.group == ALL_EDGES:
            floor = floors[row.metric]
            reason = f"{100 * row.candidate:.1f} %; with no model in use at least {100 * floor:.1f} % is asked"
            name = f"{row.setting}, floor of {METRIC_NAMES[row.metric]}"
            yield Rule(name, row.candidate >= floor, row.candidate, floor, reason)


def fast_enough(root: Path, gate: GateParams, setting: Setting) -> Rule:
    """The slowest of a hundred requests is within the budget."""
    table = load(LatencyTable, root / paths.latency(setting))
    row = table.row(gate.method, "online", gate.request_pairs)
    found = 1e3 * row.p99_seconds
    reason = (
        f"p99 of a request of {gate.request_pairs} pairs is {found:.3g} ms on {table.device}; at most "
        f"{gate.max_p99_ms:g} ms is allowed"
    )
    return Rule(f"{setting}, latency", found <= gate.max_p99_ms, found, gate.max_p99_ms, reason)


def small_enough(root: Path, gate: GateParams, setting: Setting) -> Rule:
    """The weights that are served, and the encoder, are within the bound."""
    files = [root / paths.student(setting, gate.method) / "model.safetensors", root / paths.ENCODER]
    found = sum(file.stat().st_size for file in files if file.is_file()) / MEGABYTE
    reason = f"weights and encoder take {found:.3g} MB; at most {gate.max_mb:g} MB is allowed"
    return Rule(f"{setting}, size", found <= gate.max_mb, found, gate.max_mb, reason)


def checks_green(root: Path, settings: Sequence[Setting]) -> Iterator[Rule]:
    """Every check of the graph, the splits and the teachers' scores holds."""
    made = {"validate": root / paths.CHECKS}
    for setting in settings:
        made[f"split-{setting}"] = root / paths.split(setting) / "checks"
        made[f"teacher_scores-{setting}"] = root / paths.teacher_scores(setting) / "checks"
    for stage, folder in made.items():
        checks = read_json(folder / "findings.json")["checks"]
        red = [check["check"] for check in checks if not check["passed"]]
        reason = f"{len(checks) - len(red)} of {len(checks)} checks hold"
        reason += f"; broken: {', '.join(red)}" if red else ""
        yield Rule(f"checks of {stage}", not red, len(red), 0, reason)
