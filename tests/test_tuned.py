"""What was found for data sets: how it is read, replaced, and what of it is committed."""

from pathlib import Path

import pytest
import yaml

from llp_core import tuned
from llp_core.config import Params, load_params
from llp_core.datasets import DATASETS
from llp_core.errors import InputError
from llp_core.names import SETTINGS
from llp_core.tuned import for_dataset, tuned_settings, write_tuned

ROOT = Path(__file__).parents[1]
COMMITTED = sorted((ROOT / "llp_core" / "tuned").glob("*.yaml"))
EMPTY = {"teacher": {}, "contexts": {}, "student": {}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of settings in place of the committed ones; its defaults are three teachers in production."""
    monkeypatch.setattr(tuned, "FOLDER", tmp_path)
    for setting in SETTINGS:
        write_tuned("default", setting, {"teacher": {"candidates": 3}} if setting == "production" else {}, {})
    return tmp_path


def test_params_yaml_holds_what_was_found_for_its_data_set() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.tuned.model_dump() == tuned_settings(params.data.name)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_what_is_committed_holds(path: Path, params: Params) -> None:
    for_dataset(params, path.stem)
    assert path.stem in {"default", *DATASETS}
    head = tuned._HEADER.format(dataset=path.stem)
    assert path.read_text().startswith("# Settings for data sets" if path.stem == "default" else head)
    held = list(yaml.safe_load(path.read_text()))
    assert held == [setting for setting in SETTINGS if setting in held or path.stem == "default"]


def test_the_defaults_are_what_docs_tuning_says(params: Params) -> None:
    assert tuned_settings("files")["transductive"] == EMPTY
    for setting in ("production", "cold_start"):
        found = for_dataset(params, "files").of(setting)
        for section in (found.teacher, found.student):
            assert (section.layers, section.decoder, section.dropout, section.feature_dropout) == (1, "linear", 0, 0.2)
            assert section.learning_rate == 0.001


def test_numbers_are_read_as_dvc_reads_them(folder: Path) -> None:
    write_tuned("cora", "production", {"student": {"learning_rate": 0.5}}, {})
    path = folder / "cora.yaml"
    path.write_text(path.read_text().replace("learning_rate: 0.5", "learning_rate: 1e-4"))
    assert tuned_settings("cora")["production"]["student"] == {"learning_rate": 0.0001}


def test_a_data_set_without_a_file_gets_the_defaults(folder: Path) -> None:
    assert tuned_settings("files") == tuned_settings("default")
    assert tuned_settings("files") == {"transductive": EMPTY, "production": EMPTY | {"teacher": {"candidates": 3}}} | {
        "cold_start": EMPTY
    }


def test_what_was_written_is_read(folder: Path) -> None:
    found = {"trials": 100, "score": 41.25, "seeds": [1, 2]}
    write_tuned("cora", "cold_start", {"student": {"learning_rate": 1e-05, "match": "logits"}}, found)
    assert tuned_settings("cora")["cold_start"] == EMPTY | {"student": {"learning_rate": 1e-05, "match": "logits"}}
    assert yaml.safe_load((folder / "cora.yaml").read_text())["cold_start"]["found"] == found


def test_a_setting_that_was_not_searched_gets_the_defaults(folder: Path) -> None:
    write_tuned("cora", "cold_start", {}, {})
    assert tuned_settings("cora")["production"] == EMPTY | {"teacher": {"candidates": 3}}


def test_one_setting_is_replaced_and_the_others_kept(folder: Path) -> None:
    write_tuned("cora", "production", {"student": {"margin": 0.2}}, {"trials": 5})
    write_tuned("cora", "transductive", {"contexts": {"walks": 7}}, {"trials": 6})
    write_tuned("cora", "production", {"teacher": {"dropout": 0.25}}, {"trials": 10})
    text = (folder / "cora.yaml").read_text()
    assert yaml.safe_load(text) == {
        "transductive": EMPTY | {"contexts": {"walks": 7}, "found": {"trials": 6}},
        "production": EMPTY | {"teacher": {"dropout": 0.25}, "found": {"trials": 10}},
    }
    assert text.index("transductive:\n") < text.index("production:\n")  # in the order of the settings
    assert text.startswith("# Settings for data set cora")
    assert sorted(path.name for path in folder.iterdir()) == ["cora.yaml", "default.yaml"]


def test_the_comment_at_the_head_of_a_file_stays(folder: Path) -> None:
    (folder / "cora.yaml").write_text(
        "# by hand\n# for a reason\nproduction: {teacher: {}, contexts: {}, student: {}, found: {}}\n"
    )
    write_tuned("cora", "production", {}, {})
    assert (folder / "cora.yaml").read_text().startswith("# by hand\n# for a reason\nproduction:\n")


def test_params_of_a_data_set(folder: Path, params: Params) -> None:
    chosen = for_dataset(params, "photos")
    assert chosen.data.name == "photos"
    assert [chosen.of(setting).teacher.candidates for setting in SETTINGS] == [
        params.teacher.candidates,
        3,
        params.teacher.candidates,
    ]


@pytest.mark.parametrize("name", ["coraa", "../cora", ""])
def test_a_data_set_that_is_not_known_is_named(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"data set '{name}' is not known"):
        tuned_settings(name)
    with pytest.raises(InputError, match=f"data set '{name}' is not known"):
        write_tuned(name, "production", {}, {})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"student": {"maring": 1}}, "cora: production.student.maring is not a setting"),
        ({"studnt": {}}, "cora: production.studnt is not a setting"),
        ({"student": {"methods": ["llp"]}}, "cora: production.student.methods: holds for every setting"),
    ],
)
def test_what_is_no_setting_is_not_written(folder: Path, values: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_tuned("cora", "production", values, {})
    assert not (folder / "cora.yaml").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("production: [", "not readable as YAML"),
        ("", "the file: Input should be a valid dictionary"),
        ("prod: {}", "prod: Input should be 'transductive', 'production' or 'cold_start'"),
        ("production: {teacher: {}, contexts: {}, found: {}}", "production.student is missing"),
        (
            "production: {teacher: {layer: 1}, contexts: {}, student: {}, found: {}}",
            "production.teacher.layer is not a setting",
        ),
    ],
)
def test_a_file_that_does_not_hold_is_named(folder: Path, content: str, message: str) -> None:
    (folder / "cora.yaml").write_text(content)
    with pytest.raises(InputError) as error:
        tuned_settings("cora")
    assert str(error.value).startswith(f"{folder / 'cora.yaml'}: {message}")
