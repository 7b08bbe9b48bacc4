"""Each rule holds and breaks where it should."""

import json
import re
from pathlib import Path

import pytest
from candidate_project import edit_json

from llp_core import paths
from llp_core.config import GateParams, Params
from llp_core.errors import InputError
from llp_core.gate.rules import (
    above_floors,
    checks_green,
    enough_to_judge,
    fast_enough,
    not_worse,
    require_judgeable,
    small_enough,
)
from llp_core.gate.verdict import Comparison
from llp_core.names import SETTINGS
from llp_core.store import load
from llp_core.types import LatencyTable


def row(candidate: float, other: float, high: float, *, positives: int = 100, judged: bool = True) -> Comparison:
    return Comparison(
        "production", "all", "mrr", positives, 100, 0, candidate, other, candidate - other - 0.1, high, judged
    )


@pytest.fixture
def gate(params: Params) -> GateParams:
    return params.gate.model_copy(update={"request_pairs": 10})


@pytest.mark.parametrize(
    ("candidate", "high", "passed", "reason"),
    [
        (0.60, 0.2, True, r"\+10.0 points, 95 % interval .* to \+20.0$"),
        (0.49, -0.005, True, r"-1.0 points, .* to -0.5$"),  # surely worse, but within the tolerance
        (0.45, 0.001, True, r"-5.0 points, .* below the tolerance but within chance$"),
        (0.45, -0.001, False, r"45.0 % against 50.0 % of version 7: -5.0 points, .* worse by more than chance$"),
    ],
)
def test_not_worse_by_more_than_the_tolerance_and_chance(
    candidate: float, high: float, passed: bool, reason: str
) -> None:
    (rule,) = not_worse([row(candidate, 0.5, high)], 0.02, "version 7")
    assert rule.name == "production, all, MRR"
    assert (rule.passed, rule.bound) == (passed, -0.02)
    assert rule.measured == pytest.approx(candidate - 0.5)
    assert re.search(reason, rule.reason)


def test_a_group_too_small_is_not_judged_by() -> None:
    assert list(not_worse([row(0.1, 0.9, -0.5, positives=19, judged=False)], 0.02, "version 1")) == []


@pytest.mark.parametrize(("positives", "passed"), [(20, True), (19, False)])
def test_there_must_be_something_to_judge_by(positives: int, passed: bool) -> None:
    assert enough_to_judge([row(0.5, 0.5, 0, positives=positives)], "production").passed == passed


def test_nothing_to_judge_by_is_no_reason_to_pass() -> None:
    rule = enough_to_judge([], "production")
    assert (rule.passed, rule.measured) == (False, 0)
    assert rule.reason.startswith("no test edge, or fewer than 20 pairs without an edge, are left")


@pytest.mark.parametrize(("value", "passed"), [(0.01, True), (0.0099, False)])
def test_floors(value: float, passed: bool, gate: GateParams) -> None:
    (rule,) = above_floors([row(value, 0.5, 0)], gate)
    assert (rule.name, rule.passed, rule.bound) == ("production, floor of MRR", passed, gate.floor_mrr)


def test_latency_of_the_slowest_of_a_hundred(project: Path, gate: GateParams) -> None:
    p99 = 1e3 * load(LatencyTable, paths.latency("production")).row("llp", "online", 10).p99_seconds
    within, beyond = (gate.model_copy(update={"max_p99_ms": factor * p99}) for factor in (1.01, 0.99))
    assert fast_enough(project, within, "production").passed
    rule = fast_enough(project, beyond, "production")
    assert not rule.passed
    assert rule.measured == pytest.approx(p99)


def test_settings_that_no_run_could_answer(params: Params) -> None:
    require_judgeable(params)
    trains_less = params.model_copy(update={"student": params.student.model_copy(update={"methods": ("label",)})})
    with pytest.raises(InputError, match=r"gate\.method is llp, which student\.methods .*, or choose one of label\."):
        require_judgeable(trains_less)
    times_less = params.model_copy(update={"latency": params.latency.model_copy(update={"pairs": (1, 10)})})
    with pytest.raises(InputError, match=r"gate\.request_pairs is \d+, .* latency\.pairs .*, or choose one of 1, 10\."):
        require_judgeable(times_less)


def test_size_of_weights_and_encoder(project: Path, gate: GateParams) -> None:
    files = (project / "data/production/student/llp/model.safetensors", project / paths.ENCODER)
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    within, beyond = (gate.model_copy(update={"max_mb": factor * megabytes}) for factor in (1.01, 0.99))
    assert small_enough(project, within, "production").passed
    rule = small_enough(project, beyond, "production")
    assert (rule.passed, rule.measured) == (False, pytest.approx(megabytes))


def test_red_checks(project: Path) -> None:
    assert all(rule.passed for rule in checks_green(project, SETTINGS))
    assert len(list(checks_green(project, SETTINGS))) == 7

    findings = project / "data/production/split/checks/findings.json"
    checks = json.loads(findings.read_text())["checks"]
    edit_json(findings, passed=False, checks=[checks[0] | {"passed": False}, *checks[1:]])
    (project / paths.FAILED_CHECKS / "validate").mkdir(parents=True)  # of data that are not there any more
    broken = [rule for rule in checks_green(project, SETTINGS) if not rule.passed]
    assert [rule.name for rule in broken] == ["checks of split-production"]
    assert broken[0].reason == f"11 of 12 checks hold; broken: {checks[0]['check']}"
