"""dvc.yaml agrees with llp_core.paths, params.yaml and .gitignore."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from llp_core import paths
from llp_core.names import METHODS, SETTINGS, Setting
from llp_core.stages import STAGES as STAGE_FUNCTIONS

ROOT = Path(__file__).parents[1]

PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES: dict[str, dict[str, Any]] = PIPELINE["stages"]

OF_THE_GRAPH: dict[str, Path] = {
    "download": paths.RAW,
    "prepare": paths.GRAPH,
    "validate": paths.CHECKS,
    "report": paths.REPORT,
}
OF_A_SETTING: dict[str, Callable[[Setting], Path]] = {
    "split": paths.split,
    "teacher": paths.teacher,
    "contexts": paths.contexts,
    "teacher_scores": paths.teacher_scores,
    "student": paths.students,
    "evaluate": paths.evaluation,
    "latency": paths.latency,
}


def look_up(key: str) -> Any:
    """The value of `section.key` in params.yaml; KeyError if there is none."""
    value: Any = PARAMS
    for part in key.split("."):
        value = value[part]
    return value


def expand(text: str, setting: str) -> str:
    """What DVC makes of `${item.setting}` and `${section.key}`."""
    return re.sub(r"\$\{(.+?)\}", lambda hit: setting if hit[1] == "item.setting" else str(look_up(hit[1])), text)


def keys(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """`section` and `section.key` of all that params.yaml holds."""
    for name, value in values.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")


EACH_STAGE: list[tuple[str, Setting | None, dict[str, Any]]] = [
    (name, setting, stage)
    for name, stage in STAGES.items()
    for setting in (stage["matrix"]["setting"] if "matrix" in stage else [None])
]
OUTPUTS = [expand(out, setting or "") for _, setting, stage in EACH_STAGE for out in stage["outs"]]


def test_every_stage_has_its_path():
    assert set(STAGES) == OF_THE_GRAPH.keys() | OF_A_SETTING.keys()


def test_every_stage_has_its_function():
    assert {name: stage.per_setting for name, stage in STAGE_FUNCTIONS.items()} == {
        name: "matrix" in stage for name, stage in STAGES.items()
    }


def test_a_matrix_runs_over_all_settings():
    assert {name for name, stage in STAGES.items() if "matrix" in stage} == OF_A_SETTING.keys()
    assert all(stage["matrix"] == {"setting": list(SETTINGS)} for stage in STAGES.values() if "matrix" in stage)


@pytest.mark.parametrize(("name", "setting", "stage"), EACH_STAGE)
def test_a_stage_writes_to_its_path(name, setting, stage):
    path = OF_A_SETTING[name](setting) if setting else OF_THE_GRAPH[name]
    assert [expand(out, setting or "") for out in stage["outs"]] == [path.as_posix()]


@pytest.mark.parametrize(("name", "setting", "stage"), EACH_STAGE)
def test_a_stage_calls_itself(name, setting, stage):
    option = f" --setting {setting}" if setting else ""
    assert expand(stage["cmd"], setting or "") == f"llp stage {name}{option}"


@pytest.mark.parametrize(("name", "setting", "stage"), EACH_STAGE)
def test_a_stage_reads_what_another_writes_or_what_is_in_git(name, setting, stage):
    for dep in (expand(dep, setting or "") for dep in stage.get("deps", [])):
        in_git = Path(dep).is_relative_to(paths.EMBEDDED) and (ROOT / dep).exists()
        assert in_git or any(Path(out).is_relative_to(dep) for out in OUTPUTS), dep


@pytest.mark.parametrize(("name", "setting", "stage"), EACH_STAGE)
def test_a_stage_names_settings_that_exist(name, setting, stage):
    assert {expand(key, setting or "") for key in stage["params"]} <= set(keys(PARAMS))


def test_metrics_and_plots_are_written_by_a_stage():
    plotted = [file for plot in PIPELINE["plots"] for settings in plot.values() for file in settings["y"]]
    files = [*PIPELINE["metrics"], *plotted]
    assert [file for file in files if not any(Path(file).is_relative_to(out) for out in OUTPUTS)] == []
    assert set(PIPELINE["metrics"]) == {(paths.evaluation(setting) / "metrics.json").as_posix() for setting in SETTINGS}


def test_every_section_is_used_by_a_stage():
    assert {key.split(".")[0] for stage in STAGES.values() for key in stage["params"]} == PARAMS.keys()


@pytest.mark.parametrize("path", [*OUTPUTS, paths.CHECKPOINTS.as_posix(), paths.FAILED_CHECKS.as_posix()])
def test_what_stages_make_is_ignored_by_git(path):
    check = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False)
    assert check.returncode == 0


def test_checkpoints_and_failed_checks_lie_outside_every_output():
    kept = (paths.CHECKPOINTS, paths.FAILED_CHECKS)
    assert not [out for out in OUTPUTS for path in kept if path.is_relative_to(out) or Path(out).is_relative_to(path)]


@pytest.mark.parametrize("method", METHODS)
def test_a_student_lies_among_the_students(method):
    assert paths.student("production", method) == paths.students("production") / method
