"""params.yaml becomes typed objects, and each fault is refused with the name of its setting."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from llp_core.config import Params, TunedParams, load_params, parse_params
from llp_core.errors import InputError
from llp_core.names import METHOD_LOSSES, METHODS

ROOT = Path(__file__).parents[1]


def changed(key: str, value: Any) -> dict[str, Any]:
    """The committed settings, nothing tuned, with one (`section.key`) set to another value."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["tuned"] = TunedParams.nothing().model_dump()
    *path, last = key.split(".")
    section = values
    for part in path:
        section = section[part]
    section[last] = value
    return values


def test_the_committed_settings_hold(params):
    assert params.data.name == "debian"
    assert params.student.methods == ("label", "llp")
    assert params.validate_.min_nodes == 100


def test_every_section_is_in_the_file_and_the_other_way_round():
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    dumped = load_params(ROOT / "params.yaml").model_dump(mode="json", by_alias=True)
    assert dumped == values


@pytest.mark.parametrize("key", ["run.seed", "data.files.nodes", "split.production.valid_share"])
def test_settings_are_frozen(params, key):
    *path, last = key.split(".")
    section = params
    for part in path:
        section = getattr(section, part)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(section, last, 1)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("run.sed", 1, "run.sed is not a setting. `llp params show` lists those that are"),
        ("sections", {}, "sections is not a setting. `llp params show` lists those that are"),
        ("validate.min_node", 1, "validate.min_node is not a setting. `llp params show` lists those that are"),
        ("run.seed", -1, "run.seed: Input should be greater than or equal to 0, got -1"),
        ("run.device", "tpu", "run.device: Input should be 'auto', 'cpu' or 'cuda', got 'tpu'"),
        ("run.threads", None, "run.threads: Input should be a valid integer, got None"),
        ("run", None, "run: Input should be a valid dictionary or instance of RunParams, got None"),
        (
            "data.files.columns",
            {"year": "date"},
            "data.files.columns.year: Input should be 'number', 'category', 'text' or 'ignore', got 'date'",
        ),
        ("validate.max_featureless_share", 1.1, "validate.max_featureless_share: Input should be less than or equal"),
        ("split.transductive.valid_share", 1, "split.transductive.valid_share: Input should be less than 1, got 1"),
        ("teacher.encoder", "gat", "teacher.encoder: Input should be 'sage' or 'gcn', got 'gat'"),
        ("teacher.learning_rate", 0, "teacher.learning_rate: Input should be greater than 0, got 0"),
        ("teacher.learning_rate", float("inf"), "teacher.learning_rate: Input should be a finite number, got inf"),
        ("student.rank_weight", float("nan"), "student.rank_weight: Input should be"),
        ("contexts.rounds", 2.5, "contexts.rounds: Input should be a valid integer"),
        ("data.files.target", "source", "data.files: source and target: both are column 'source'; name the column"),
        ("teacher.hidden", "256", "teacher.hidden: Input should be a valid integer, got '256'"),
        ("student.margin", True, "student.margin: Input should be a valid number, got True"),
        ("teacher.standardize", 1, "teacher.standardize: Input should be a valid boolean, got 1"),
        ("tuned.production.student", {"margin": "0.2"}, "tuned.production.student.margin: Input should be a valid num"),
        (
            "tuned.production.student",
            {"maring": 1},
            "tuned.production.student.maring is not a setting. `llp params show` lists those that are",
        ),
        ("tuned.production.student", {"margin": 0}, "tuned.production.student.margin: Input should be greater than 0"),
        ("tuned.cold_start.teacher", {"layers": None}, "tuned.cold_start.teacher.layers: Input should be a valid int"),
        ("tuned.cold_start.contexts", None, "tuned.cold_start.contexts: Input should be a valid dictionary, got None"),
        ("tuned.transductive", {"teacher": {}, "contexts": {}}, "tuned.transductive.student is missing"),
        ("tuned.tranductive", {}, "tuned.tranductive is not a setting"),
        (
            "tuned.production.student",
            {"methods": ["llp"]},
            "tuned.production.student.methods: holds for every setting of link prediction: put it in section student",
        ),
        (
            "tuned.production.student",
            {"label_weight": 0},
            "tuned.production.student: every loss of method label has weight 0; give one of them a weight",
        ),
        ("student.methods", [], "student.methods: Tuple should have at least 1 item"),
        ("student.methods", ["lpp"], "student.methods.0: Input should be 'label'"),
        ("student.methods", ["llp", "llp"], "student: methods: one is named twice in ['llp', 'llp']; choose from"),
        ("run.threads", 30000, "run.threads: Input should be less than or equal to 1024, got 30000"),
        ("contexts.rounds", 10**9, "contexts.rounds: Input should be less than or equal to 1000"),
        (
            "contexts.random_ratio",
            1000,
            "contexts: walks x length x (1 + random_ratio) are 6,006 context nodes of each",
        ),
        ("student.hidden", 512, "in transductive student.hidden is 512 and the teacher's is 256: the student cannot"),
        ("teacher.layers", 3, "in transductive student.layers is 2 and the teacher's is 3: the student cannot start"),
        ("tuned.cold_start.student", {"layers": 3}, "in cold_start student.layers is 3 and the teacher's is 2"),
        ("latency.pairs", [0], "latency.pairs.0: Input should be greater than or equal to 1, got 0"),
        (
            "split.transductive.valid_share",
            0.9,
            "split.transductive: valid_share and test_share must add up to less than 1",
        ),
        (
            "split.production.test_share",
            0.8,
            "split.production: test_share, valid_share and extra_share must add up to less than 1",
        ),
    ],
)
def test_refuses(key, value, message):
    with pytest.raises(InputError) as refusal:
        parse_params(changed(key, value), "params.yaml")
    assert str(refusal.value).startswith(f"params.yaml: {message}")


def test_a_missing_setting_is_named():
    values = changed("run.seed", 0)
    del values["run"]["seed"], values["latency"]
    with pytest.raises(InputError, match=r"^here: run\.seed is missing; latency is missing$"):
        parse_params(values, "here")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_needs_a_loss_that_weighs(method):
    values = changed("student.methods", [method])
    values["student"] |= {f"{loss}_weight": 0.0 for loss in METHOD_LOSSES[method]}
    with pytest.raises(InputError, match=f"student: every loss of method {method} has weight 0"):
        parse_params(values, "params.yaml")


def test_a_plain_mlp_may_have_sizes_of_its_own():
    values = changed("student.hidden", 512)
    values["student"]["methods"] = ["label"]
    assert parse_params(values, "params.yaml").student.hidden == 512


def test_loss_weights_are_those_of_the_method():
    values = changed("student.rank_weight", 3)
    values["student"] |= {"label_weight": 0.1, "distribution_weight": 2}
    student = parse_params(values, "params.yaml").student
    assert student.loss_weights("label") == {"label": 0.1}
    assert student.loss_weights("llp") == {"label": 0.1, "rank": 3.0, "distribution": 2.0}


def test_null_shares_become_the_data_set_s_own():
    split = parse_params(changed("split.production.test_share", 0.2), "params.yaml").split
    production = split.with_shares_of(new_node_share=0.3, test_share=0.3).production
    assert (production.new_node_share, production.test_share, production.valid_share) == (0.3, 0.2, 0.1)


def test_a_data_set_s_own_shares_must_leave_edges_to_train_on():
    split = parse_params(changed("split.production.extra_share", 0.6), "params.yaml").split
    with pytest.raises(InputError) as refusal:
        split.with_shares_of(new_node_share=0.1, test_share=0.3)
    assert str(refusal.value) == (
        "split.production: test_share, valid_share and extra_share must add up to less than 1; "
        "the data set's own test_share is 0.3"
    )


def test_params_of_a_setting() -> None:
    own = {"teacher": {"candidates": 3}, "contexts": {}, "student": {"learning_rate": 1e-4}}
    params = parse_params(changed("tuned.production", own), "params.yaml")
    production, cold_start = params.of("production"), params.of("cold_start")
    assert (production.teacher.candidates, production.student.learning_rate) == (3, 0.0001)
    assert production.teacher.model_copy(update={"candidates": params.teacher.candidates}) == params.teacher
    unchanged = {"teacher", "contexts", "student", "run", "data", "validate_", "split", "latency"}
    assert cold_start.model_dump(include=unchanged) == params.model_dump(include=unchanged)
    assert production.of("cold_start") == production  # what is merged is not merged again


def test_context_sizes():
    values = changed("contexts", {"walks": 3, "length": 2, "random_ratio": 4, "rounds": 1})
    contexts = parse_params(values, "params.yaml").contexts
    assert (contexts.near, contexts.size) == (6, 30)


@pytest.mark.parametrize(
    ("setting", "variable", "expected"),
    [
        (None, None, None),
        (None, "/from/variable", "/from/variable"),
        ("/from/setting", "/from/variable", "/from/setting"),
    ],
)
def test_mirror_folder(monkeypatch, setting, variable, expected):
    monkeypatch.delenv("LLP_DATA_MIRROR", raising=False)
    if variable:
        monkeypatch.setenv("LLP_DATA_MIRROR", variable)
    folder = parse_params(changed("data.mirror", setting), "params.yaml").data.mirror_folder()
    assert (str(folder) if folder else None) == expected


def test_a_missing_file_says_where_to_be(tmp_path):
    with pytest.raises(InputError, match=r"params\.yaml: not found\. Run llp in the project's folder"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    "content", [b"run: [", b"\xff\xfe\x00", b"run: 2026-13-45"], ids=["not YAML", "not text", "no date"]
)
def test_an_unreadable_file_is_named(tmp_path, content):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(InputError, match=r"params\.yaml: not readable as YAML"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("content", ["", "[]", "3"])
def test_a_file_without_sections_is_refused(tmp_path, content):
    (tmp_path / "params.yaml").write_text(content)
    with pytest.raises(InputError, match="the file: Input should be a valid dictionary"):
        load_params(tmp_path / "params.yaml")


def test_every_setting_says_what_it_means():
    def undescribed(section: type[Any], path: str) -> list[str]:
        found = []
        for name, field in section.model_fields.items():
            key = f"{path}{field.alias or name}"
            if hasattr(field.annotation, "model_fields"):
                found += undescribed(field.annotation, f"{key}.")
            elif not field.description:
                found.append(key)
        return found

    assert undescribed(Params, "") == []


def test_losses_of_a_method_have_a_weight_each(params):
    weights: Mapping[str, Any] = params.student.model_dump()
    assert set(METHOD_LOSSES) == set(METHODS)
    assert all(f"{loss}_weight" in weights for losses in METHOD_LOSSES.values() for loss in losses)
