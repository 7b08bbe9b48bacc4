"""Changes of params.yaml that go with a data set or hold in one setting: nothing is lost, half done or left behind."""

from pathlib import Path

import pytest
from typer.testing import CliRunner
from untuned_params import copy_untuned

from llp_core import tuned
from llp_core.cli.app import app
from llp_core.cli.params_file import NOT_SET, Change, change_params, parse_assignments
from llp_core.config import load_params
from llp_core.errors import InputError
from llp_core.names import SETTINGS
from llp_core.tuned import tuned_settings, write_tuned


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """params.yaml with nothing tuned, where cora has tuned settings in production and other data sets have none."""
    folder = tmp_path / "found"
    folder.mkdir()
    monkeypatch.setattr(tuned, "FOLDER", folder)
    for setting in SETTINGS:
        write_tuned("default", setting, {}, {})
    write_tuned("cora", "production", {"student": {"margin": 0.05, "learning_rate": 1e-05}}, {"trials": 100})
    monkeypatch.chdir(tmp_path)
    return copy_untuned(tmp_path)


def test_a_data_set_comes_with_what_was_found_for_it(path: Path) -> None:
    before = path.read_text()
    assert change_params(path, {}, "cora") == [
        Change("data.name", "debian", "cora"),
        Change("tuned.production.student.margin", NOT_SET, 0.05),
        Change("tuned.production.student.learning_rate", NOT_SET, 1e-05),
    ]
    at = before.index("  production:\n", before.index("\ntuned:"))
    empty, filled = "    student: {}\n", "    student:\n      margin: 0.05\n      learning_rate: 1.0e-05\n"
    expected = before[:at] + before[at:].replace(empty, filled, 1)
    assert path.read_text() == expected.replace("name: debian #", "name: cora   #")
    params = load_params(path)
    assert params.tuned.model_dump() == tuned_settings("cora")
    assert (params.student.margin, params.of("production").student.margin) == (0.5, 0.05)

    assert [change.key for change in change_params(path, {}, "files")] == [
        "data.name",
        "tuned.production.student.margin",
        "tuned.production.student.learning_rate",
    ]
    assert path.read_text() == before.replace("name: debian #", "name: files  #")


def test_the_present_data_set_takes_changes_back(path: Path) -> None:
    change_params(path, {}, "cora")
    found = path.read_text()
    change_params(path, {"tuned.production.student.margin": 0.3, "tuned.cold_start.teacher.candidates": 3})
    assert len(change_params(path, {}, "cora")) == 2
    assert path.read_text() == found
    assert change_params(path, {}, "cora") == []


def test_a_value_for_every_setting_ends_the_tuned_ones(path: Path) -> None:
    values = parse_assignments(["student.margin=0.2"])
    assert change_params(path, values, "cora") == [
        Change("data.name", "debian", "cora"),
        Change("student.margin", 0.5, 0.2),
        Change("tuned.production.student.learning_rate", NOT_SET, 1e-05),
    ]
    change_params(path, {"tuned.cold_start.student.margin": 0.3})
    assert change_params(path, values) == [Change("tuned.cold_start.student.margin", 0.3, NOT_SET)]
    assert {load_params(path).of(setting).student.margin for setting in SETTINGS} == {0.2}


@pytest.mark.parametrize("order", [1, -1])
def test_one_setting_wins_over_all_whatever_the_order(path: Path, order: int) -> None:
    change_params(path, parse_assignments(["tuned.production.student.margin=0.3", "student.margin=0.2"][::order]))
    margins = [load_params(path).of(setting).student.margin for setting in SETTINGS]
    assert margins == [0.2, 0.3, 0.2]


def test_names_of_columns_may_hold_dots(path: Path) -> None:
    change_params(path, {"data.files.columns.Petal.Length": "number", "data.files.columns.b": "ignore"})
    assert load_params(path).data.files.columns == {"Petal.Length": "number", "b": "ignore"}


def test_all_or_nothing(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"^with --dataset cora, student\.margin=-1, params\.yaml would not hold"):
        change_params(Path("params.yaml"), {"student.margin": -1}, "cora")
    with pytest.raises(InputError, match=r"data set 'coraa' is not known\. Did you mean cora"):
        change_params(path, {"student.margin": 0.2}, "coraa")
    assert path.read_bytes() == before


def test_values_of_one_setting_are_shown_beside_the_others(path: Path) -> None:
    change_params(path, {"tuned.cold_start.student.margin": 0.3}, "cora")
    output = CliRunner().invoke(app, ["params", "show"]).output
    assert "\nstudent.margin = 0.5 (production: 0.05, cold_start: 0.3)\n    Of the rank loss" in output
    assert "\nstudent.learning_rate = 0.005 (production: 1.0e-05)\n" in output
    assert "\ntuned.production.student = {margin: 0.05, learning_rate: 1.0e-05}\n" in output
    assert "\nteacher.layers = 2\n" in output


def test_comments_around_tuned_values_stay(path: Path) -> None:
    text = path.read_text().replace("  production:\n    teacher", "  # new nodes\n  production: # later\n    teacher")
    path.write_text(text + "# the end\n")
    before = path.read_text()
    change_params(
        path, {"tuned.transductive.student.margin": 0.5, "tuned.cold_start.student": {"negatives": 3, "patience": 8}}
    )
    change_params(path, {"student.patience": 8})
    for comment in ("\n  # new nodes\n  production: # later\n", "      negatives: 3\n# the end\n"):
        assert comment in path.read_text()
    change_params(path, {"student.margin": 0.5, "student.negatives": 1, "student.patience": 100})
    assert path.read_text() == before
