"""The stages one after the other on a small graph, as `dvc repro` runs them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from candidate_project import change
from small_project import figures, run_all

from llp_core import paths
from llp_core.config import load_params
from llp_core.errors import CheckFailed, InputError
from llp_core.names import SETTINGS
from llp_core.stages import run_stage
from llp_core.store import load, read_json
from llp_core.types import Evaluation, Graph, LatencyTable


def test_every_stage_twice_gives_the_same_to_the_last_digit(
    new_project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = [new_project(name) for name in ("first", "second")]
    for root in roots:
        monkeypatch.chdir(root)
        run_all()
    first, second = (figures(root) for root in roots)
    assert {name for name in first if first[name] != second[name]} == set()
    assert len(first) > 60

    for setting in SETTINGS:
        evaluation = load(Evaluation, paths.evaluation(setting))
        assert list(evaluation.figures) == ["teacher", "label", "llp", "logit", "representation"]
        assert read_json(paths.evaluation(setting) / "metrics.json") == evaluation.figures
        table = load(LatencyTable, paths.latency(setting))
        assert {(row.method, row.regime, row.pairs) for row in table.rows} >= {("teacher", "online", 10)}
        line = (paths.latency(setting) / "latency.json").read_text()
        assert line.count("\n") == 1
        assert json.loads(line)["setting"] == setting
        assert {record["candidate"] for record in read_json(paths.teacher(setting) / "history.json")} == {0, 1}
    assert not paths.CHECKPOINTS.exists() or not any(paths.CHECKPOINTS.iterdir())

    # Cold start is production's very models, scored on a graph without the new nodes' edges.
    for method in ("label", "llp"):
        weights = [paths.student(setting, method) / "model.safetensors" for setting in ("production", "cold_start")]
        assert weights[0].read_bytes() == weights[1].read_bytes()
    production, cold = (load(Evaluation, paths.evaluation(setting)) for setting in ("production", "cold_start"))
    for group in ("old-new", "new-new"):
        assert production.positives[group] == cold.positives[group]
        assert production.figures["llp"][group] == cold.figures["llp"][group]
    assert (paths.REPORT / "index.html").stat().st_size > 10_000


def test_a_stage_logs_its_seconds_and_memory(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "llp_core.stages")
    for name in ("download", "prepare", "validate"):
        run_stage(name)
    run_stage("split", "production")
    told = [record.getMessage() for record in caplog.records if record.name == "llp_core.stages"]
    assert [line.partition(":")[0] for line in told] == ["download", "prepare", "validate", "split@production"]
    assert re.fullmatch(r"split@production: \d+\.\d s, peak memory of this process \d{2,} MB", told[-1])


def test_prepare_tells_how_it_read_the_files(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "llp_core.stages.data")
    nodes = pd.read_csv("data/embedded/example/nodes.csv", dtype=str)
    nodes.loc[:2, "installed_kib"] = ""
    nodes.to_csv("nodes.csv", index=False)
    files = load_params(paths.PARAMS).data.files.model_dump() | {"nodes": "nodes.csv", "node_type": "architecture"}
    change(project, {"data": {"files": files}})
    for name in ("download", "prepare"):
        run_stage(name)
    count, graph = nodes["architecture"].value_counts(), load(Graph, paths.GRAPH)
    told = [record.getMessage() for record in caplog.records if record.name == "llp_core.stages.data"]
    assert told[0] == "nodes.csv: columns as words text, architecture category, installed_kib number (3 empty)"
    ends = nodes["architecture"].to_numpy()[graph.edges.numpy()]
    alike = int((ends[0] == ends[1]).sum())
    assert told[1].startswith(f"nodes.csv: nodes: {count['all']} all, {count['amd64']} amd64; edges: ")
    assert sum(int(part.split()[0]) for part in told[1].partition("edges: ")[2].split(", ")) == graph.num_edges
    assert f"{graph.num_edges - alike} all - amd64" in told[1]


def test_a_stage_runs_with_what_holds_in_its_setting(project: Path) -> None:
    change(project, {"tuned": {"production": {"teacher": {}, "contexts": {"walks": 7}, "student": {}}}})
    for name in ("download", "prepare", "validate"):
        run_stage(name)
    walks = {}
    for setting in SETTINGS:
        run_stage("split", setting)
        run_stage("contexts", setting)
        walks[setting] = read_json(paths.contexts(setting) / "made.json")["contexts"]["walks"]
    usual = load_params(paths.PARAMS).contexts.walks
    assert walks == {"transductive": usual, "production": 7, "cold_start": usual}


def test_a_failed_check_stops_the_stage_and_leaves_the_former_output(project: Path) -> None:
    for name in ("download", "prepare", "validate"):
        run_stage(name)
    before = (paths.CHECKS / "findings.json").read_bytes()
    change(project, {"validate": {"min_nodes": 401}})
    with pytest.raises(CheckFailed, match="401"):
        run_stage("validate")
    assert (paths.CHECKS / "findings.json").read_bytes() == before
    assert (paths.FAILED_CHECKS / "validate" / "index.html").is_file()
    assert sorted(path.name for path in Path("data").iterdir()) == [
        "checks", "embedded", "failed_checks", "graph", "raw",
    ]  # fmt: skip


def test_a_graph_too_small_to_evaluate_is_told(project: Path) -> None:
    nodes, edges = Path("nodes.csv"), Path("edges.csv")
    nodes.write_text("id,size\n" + "".join(f"{number},{number}\n" for number in range(30)))
    edges.write_text("source,target\n" + "".join(f"{number},{number + 1}\n" for number in range(29)))
    files = {"nodes": str(nodes), "edges": str(edges), "id": "id", "source": "source", "target": "target"}
    change(project, {"data": {"files": {**files, "weight": None, "time": None, "columns": {}, "max_words": 10}}})
    change(project, {"validate": {"min_nodes": 10, "min_edges": 10}})
    for name in ("download", "prepare", "validate"):
        run_stage(name)
    with pytest.raises(InputError, match=r"setting transductive: .*Hits@10 to 50 need at least 10 valid edges.* has 1"):
        run_stage("split", "transductive")


def test_stages_are_named_with_their_setting(project: Path) -> None:
    with pytest.raises(InputError, match=r"nothing: no such stage\. There are download, prepare"):
        run_stage("nothing")
    with pytest.raises(InputError, match="stage split runs once per setting"):
        run_stage("split")
    with pytest.raises(InputError, match="stage prepare does not depend on the setting"):
        run_stage("prepare", "production")


def test_a_stage_without_its_input_names_it(project: Path) -> None:
    with pytest.raises(InputError, match="data/graph: not found"):
        run_stage("validate")
