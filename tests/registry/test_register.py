"""What a version holds, and that it cannot change unnoticed."""

import dataclasses
import hashlib
import json
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
import torch
from candidate_project import ROOT, change, edit_json, nudge, sabotage

from llp_core import paths
from llp_core.config import load_params
from llp_core.datasets.columns import FeatureEncoder
from llp_core.datasets.files import read_nodes
from llp_core.errors import InputError, LLPError
from llp_core.gate import judge
from llp_core.hashing import node_hashes, pair_hashes
from llp_core.live import start
from llp_core.live.records import LIVE
from llp_core.models import NodeFeatures, load_model
from llp_core.names import SETTINGS
from llp_core.registry import candidate_hash, numbers, open_version, promote, register
from llp_core.registry.candidate import copy_candidate
from llp_core.registry.registering import data_version_of
from llp_core.registry.smoke import SmokeFailed, smoke_test, write_smoke
from llp_core.registry.versions import served_method
from llp_core.store import load, read_tensors
from llp_core.types import Graph, LinkSplit

V1 = Path("models/v0001")


def test_a_version_holds_all_that_is_needed(project: Path) -> None:
    verdict = judge(project, load_params(paths.PARAMS))
    number = register(project, verdict)
    version = open_version(project, number)
    assert (number, version.number, version.name) == (1, 1, "v0001")
    of_a_setting = {"metrics.json", "latency.json"} | {
        f"{method}/model.{end}" for method in ("label", "llp") for end in ("json", "safetensors")
    }
    whole = {"params.yaml", "encoder.json", "smoke.json", "trained_on.safetensors", "verdict.json", "CARD.md"}
    expected = whole | {f"{setting}/{name}" for setting in SETTINGS for name in of_a_setting}
    assert set(version.files) == expected
    for name, digest in version.files.items():
        assert hashlib.sha256((V1 / name).read_bytes()).hexdigest() == digest
    assert version.candidate == candidate_hash(project) == verdict.candidate
    assert (version.data.name, version.data.version, version.data.nodes, version.data.edges) == (
        "files",
        None,
        400,
        1075,
    )
    assert set(version.data.files) == {"nodes.csv", "edges.csv"}
    assert version.commit == "unknown"
    assert json.loads((V1 / "verdict.json").read_text()) == json.loads(json.dumps(verdict.to_json()))


def test_the_card_is_for_people(project: Path) -> None:
    register(project, judge(project, load_params(paths.PARAMS)))
    card = (V1 / "CARD.md").read_text()
    figures = json.loads((V1 / "production/metrics.json").read_text())["llp"]["new-new"]
    shown = " | ".join(f"{100 * figures[metric]:.1f}" for metric in ("hits_at_20", "mrr", "auc"))
    assert f"| production | new-new | llp | {shown} |" in card
    assert "| data | `files`: 400 nodes, 1,075 edges, 787 features |" in card
    assert "**The candidate passes all " in card


def test_the_card_of_plain_mlps_lists_them_once(project: Path) -> None:
    change(project, {"gate": {"method": "label"}})
    register(project)
    assert (V1 / "CARD.md").read_text().count("| production | all | label |") == 1


def test_hashes_of_what_it_was_trained_on(project: Path) -> None:
    register(project)
    seen = read_tensors(V1 / "trained_on.safetensors")
    assert set(seen) == set(SETTINGS)
    split, hashes = load(LinkSplit, paths.split("production")), node_hashes(load(Graph, paths.GRAPH).node_ids)
    assert bool((seen["production"].diff() > 0).all())
    for pairs, expected in ((split.train_edges, True), (split.valid_edges.flip(0), True), (split.test_edges, False)):
        assert torch.isin(pair_hashes(hashes, pairs), seen["production"]).tolist() == [expected] * pairs.shape[1]


def test_known_pairs_score_as_the_pipeline_scores_them(project: Path) -> None:
    register(project)
    known = json.loads((V1 / "smoke.json").read_text())
    graph = load(Graph, paths.GRAPH)
    position = {name: row for row, name in enumerate(graph.node_ids)}
    own = known["settings"]["cold_start"]
    assert len(own["pairs"]) == 24
    pairs = torch.tensor([[position[known["nodes"][end]] for end in pair] for pair in own["pairs"]]).T
    model = load_model(paths.student("cold_start", "llp"))
    logits = model.score(model.encode(NodeFeatures.of(graph.features)), pairs)
    torch.testing.assert_close(torch.tensor(own["logits"]["llp"]), logits)
    smoke_test(V1)


def test_a_smoke_test_sees_other_scores(project: Path) -> None:
    register(project)
    known = json.loads((V1 / "smoke.json").read_text())
    known["settings"]["production"]["logits"]["llp"][3] += 0.5
    edit_json(V1 / "smoke.json", **known)
    with pytest.raises(SmokeFailed, match="v0001, production, llp: 1 of 24 known pairs do not score as recorded, such"):
        smoke_test(V1)
    encoder = json.loads((V1 / "encoder.json").read_text())
    number = next(column for column in encoder["columns"] if column["kind"] == "text")
    number["idf"] = [2 * weight if word % 2 else weight for word, weight in enumerate(number["idf"])]
    edit_json(V1 / "encoder.json", **encoder)
    with pytest.raises(SmokeFailed, match="v0001, transductive, label"):
        smoke_test(V1)


def test_features_that_come_as_they_are_go_with_the_version(project: Path) -> None:
    folder = project / "version"
    folder.mkdir()
    for setting in SETTINGS:
        shutil.copytree(paths.students(setting), folder / setting)
    write_smoke(project, folder, load(Graph, paths.GRAPH), load_params(paths.PARAMS))
    known = json.loads((folder / "smoke.json").read_text())
    assert known["columns"] is None
    assert read_tensors(folder / "smoke.safetensors")["features"].shape == (len(known["nodes"]), 787)
    smoke_test(folder)


def test_decimals_of_parquet_are_among_the_known_pairs(project: Path) -> None:
    nodes = pd.read_csv(paths.RAW / "nodes.csv", dtype={"id": str})
    nodes["installed_kib"] = nodes["installed_kib"].map(Decimal)
    nodes.to_parquet(paths.RAW / "nodes.parquet", index=False)
    (paths.RAW / "nodes.csv").unlink()
    files = load_params(paths.PARAMS).data.files.model_dump()
    change(project, {"data": {"files": files | {"nodes": "nodes.parquet"}}})
    register(project)
    assert isinstance(json.loads((V1 / "smoke.json").read_text())["columns"]["installed_kib"][0], float)
    smoke_test(V1)


def test_gaps_are_among_the_known_pairs(project: Path) -> None:
    nodes = pd.read_csv(paths.RAW / "nodes.csv", dtype=str)
    nodes.loc[::2, ["installed_kib", "words"]] = ""
    nodes.to_csv(paths.RAW / "nodes.csv", index=False)
    params, folder = load_params(paths.PARAMS), project / "version"
    for setting in SETTINGS:
        shutil.copytree(paths.students(setting), folder / setting)
    shutil.copy(paths.ENCODER, folder / "encoder.json")
    features = FeatureEncoder.load(paths.ENCODER).apply(read_nodes(paths.RAW, params.data.files))
    write_smoke(project, folder, dataclasses.replace(load(Graph, paths.GRAPH), features=features), params)
    columns = json.loads((folder / "smoke.json").read_text())["columns"]
    assert None in columns["installed_kib"]
    assert "" in columns["words"]
    smoke_test(folder)


def test_the_same_candidate_is_one_version(project: Path) -> None:
    assert register(project) == register(project) == 1
    nudge(project)
    assert register(project) == 2
    assert numbers(project) == [1, 2]
    assert open_version(project, 1).candidate != open_version(project, 2).candidate


def test_settings_that_change_no_weights_make_no_version(project: Path) -> None:
    register(project)
    paths.PARAMS.write_text(paths.PARAMS.read_text().replace("tolerance: 0.02", "tolerance: 0.03"))
    assert load_params(paths.PARAMS).gate.tolerance == 0.03
    assert register(project) == 1


def test_another_served_method_is_another_version(project: Path) -> None:
    register(project)
    change(project, {"gate": {"method": "label"}})
    assert register(project) == register(project) == 2
    assert [served_method(project, number) for number in (1, 2)] == ["llp", "label"]
    change(project, {"gate": {"method": "llp"}})
    assert register(project) == 1


def test_what_was_not_judged_becomes_no_version(project: Path) -> None:
    verdict = judge(project, load_params(paths.PARAMS))
    params = paths.PARAMS.read_bytes()
    change(project, {"gate": {"tolerance": 0.03}})
    with pytest.raises(LLPError, match=r"params\.yaml changed since the gate judged\. .* `llp model promote`"):
        register(project, verdict)
    nudge(project)
    with pytest.raises(LLPError, match=r"the candidate's models and params\.yaml changed since"):
        register(project, verdict)
    paths.PARAMS.write_bytes(params)
    with pytest.raises(LLPError, match=r"the candidate's models changed since the gate judged"):
        register(project, verdict)
    assert numbers(project) == []
    assert register(project, judge(project, load_params(paths.PARAMS))) == 1


def test_settings_that_change_during_the_copy_are_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed_meanwhile(root: Path, folder: Path) -> None:
        change(root, {"gate": {"tolerance": 0.03}})
        copy_candidate(root, folder)

    monkeypatch.setattr("llp_core.registry.registering.copy_candidate", changed_meanwhile)
    with pytest.raises(LLPError, match=r"or params\.yaml changed while they were copied"):
        register(project)
    assert numbers(project) == []


def test_a_graph_of_columns_without_its_encoder_is_told(project: Path) -> None:
    paths.ENCODER.unlink()
    with pytest.raises(InputError, match=r"data/graph/encoder\.json: not found.* `llp run-flow full` makes"):
        register(project)


def test_a_number_is_never_given_twice(project: Path) -> None:
    promote(project, register(project), "first")
    sabotage(project)
    promote(project, register(project), "second")
    shutil.rmtree("models/v0002")
    sabotage(project, seed=1)
    assert register(project) == 3


def test_only_names_of_versions_count_as_versions(project: Path) -> None:
    register(project)
    shutil.copytree(V1, "models/v0001.bak")
    Path("models/v0007.old.dvc").touch()
    Path("models/v0005.dvc").touch()
    assert numbers(project) == [1]
    nudge(project)
    assert register(project) == 6


def test_what_a_run_writes_itself_is_no_change_of_the_project(project: Path) -> None:
    def git(*arguments: str) -> str:
        name = ("-c", "user.name=x", "-c", "user.email=x")
        return subprocess.run(["git", *name, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    shutil.copy(ROOT / ".gitignore", project)
    Path("dvc.lock").touch()
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "x")
    Path("data/versions").mkdir()
    for name in ("dvc.lock", "data/live.dvc", "data/versions/x.json"):
        Path(name).write_text("{}")
    promote(project, register(project), "first")
    nudge(project)
    version = open_version(project, register(project))
    assert (version.commit, version.changed_since) == (git("rev-parse", "HEAD"), False)
    nudge(project)
    change(project, {"gate": {"tolerance": 0.03}})
    assert open_version(project, register(project)).changed_since is True


def test_a_version_knows_which_version_of_the_live_data_it_was_trained_on(project: Path) -> None:
    from dvc.repo import Repo

    Repo.init(str(project), no_scm=True).close()
    start(project, load_params(paths.PARAMS))
    live = {name: hashlib.sha256((LIVE / name).read_bytes()).hexdigest() for name in ("nodes.parquet", "edges.parquet")}
    assert data_version_of(project, live) == 1
    assert data_version_of(project, live | {"nodes.parquet": "0"}) is None
    assert data_version_of(project, {}) is None
    for name in ("nodes", "edges"):
        (paths.RAW / f"{name}.csv").unlink()
        shutil.copy(LIVE / f"{name}.parquet", paths.RAW)
    files = load_params(paths.PARAMS).data.files.model_dump()
    change(project, {"data": {"files": files | {name: str(LIVE / f"{name}.parquet") for name in ("nodes", "edges")}}})
    assert open_version(project, register(project)).data.version == 1


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (
            lambda: (V1 / "encoder.json").write_text("{}"),
            r"models/v0001: it is not as it .*: encoder\.json was changed\.",
        ),
        (lambda: (V1 / "production/llp/model.json").unlink(), r"production/llp/model\.json is missing"),
        (lambda: (V1 / "more.txt").write_text("x"), r"more\.txt was added"),
        (
            lambda: edit_json(V1 / "manifest.json", commit="0"),
            r"manifest\.json was changed since this version came into",
        ),
        (lambda: (V1 / "manifest.json").write_text("{}"), r"v0001/manifest\.json: it does not describe a version"),
        (lambda: (V1 / "manifest.json").write_text("{"), r"v0001/manifest\.json: it does not .* `llp model pull`"),
        (lambda: (V1 / "manifest.json").unlink(), r"v0001/manifest\.json: it does not .* remove the folder"),
        (lambda: shutil.rmtree(V1), r"version 1 of the models: not found in models; there is none\."),
    ],
)
def test_a_version_cannot_be_changed_unnoticed(project: Path, harm, message: str) -> None:
    promote(project, register(project), "first")
    open_version(project, 1)
    harm()
    with pytest.raises(InputError, match=message):
        open_version(project, 1)
    with pytest.raises(InputError, match=message):
        promote(project, 1, "again")


def test_a_version_that_is_not_there(project: Path) -> None:
    with pytest.raises(InputError, match="version 4 of the models: not found in models; there is none"):
        open_version(project, 4)


def test_leftovers_of_a_killed_run_are_cleared(project: Path) -> None:
    left = project / "models/.v0001.new"
    left.mkdir(parents=True)
    (left / "half").write_text("x")
    sabotage(project)
    assert register(project) == 1
    assert sorted(path.name for path in Path("models").iterdir()) == [".lock", "v0001"]
