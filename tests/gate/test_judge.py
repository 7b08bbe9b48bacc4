"""Candidates of a real pipeline, judged against versions that were really in use."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from candidate_project import change, edit_json, run_pipeline, sabotage, weights

from llp_core import paths
from llp_core.config import load_params
from llp_core.datasets.columns import FeatureEncoder
from llp_core.errors import InputError
from llp_core.gate import Verdict, judge
from llp_core.gate.scoring import Rival, champion_rival, compare, plain_rival
from llp_core.graph import select_rows
from llp_core.hashing import node_hashes, pair_hashes
from llp_core.metrics import hits_at_k, mean_reciprocal_rank
from llp_core.models import NodeFeatures, load_model
from llp_core.names import SETTINGS
from llp_core.registry import candidate_hash, open_version, promote, register
from llp_core.stages import run_stage
from llp_core.store import load, read_tensors, write_tensors
from llp_core.types import Evaluation, Graph, LinkSplit


def judged(root: Path) -> Verdict:
    return judge(root, load_params(root / "params.yaml"))


def in_use(root: Path) -> int:
    """Puts the candidate in use."""
    number = register(root)
    promote(root, number, "for a test")
    return number


def failed(verdict: Verdict) -> list[str]:
    return [rule.name for rule in verdict.failed]


def test_with_no_model_in_use_floors_decide(project: Path) -> None:
    verdict = judged(project)
    assert verdict.promoted, verdict.failed
    assert (verdict.champion, verdict.against) == (None, "the plain MLP of the same run")
    assert verdict.candidate == candidate_hash(project)
    for row in verdict.comparisons:
        figures = load(Evaluation, paths.evaluation(row.setting)).figures  # type: ignore[arg-type]
        assert row.candidate == pytest.approx(figures["llp"][row.group][row.metric])
        assert row.other == pytest.approx(figures["label"][row.group][row.metric])
        assert row.left_out == 0

    change(project, {"gate": {"floor_hits_at_20": 0.9}})
    verdict = judged(project)
    assert failed(verdict) == [f"{setting}, floor of Hits@20" for setting in SETTINGS]
    assert verdict.headline.endswith("and no model comes into use.")


def test_with_no_model_in_use_it_is_not_below_the_plain_mlp(project: Path) -> None:
    sabotage(project)
    change(project, {"gate": {"floor_hits_at_20": 0.0, "floor_mrr": 0.0}})
    assert "transductive, all, Hits@20" in failed(judged(project))


def test_without_a_plain_mlp_floors_alone_decide(project: Path) -> None:
    for setting in SETTINGS:
        shutil.rmtree(paths.student(setting, "label"))
    verdict = judged(project)
    assert verdict.against.startswith("itself: there is no model in use")
    assert verdict.promoted
    assert all(row.difference == 0 for row in verdict.comparisons)
    change(project, {"gate": {"floor_mrr": 0.9}})
    assert failed(judged(project)) == [f"{setting}, floor of MRR" for setting in SETTINGS]


def test_a_worse_candidate_is_refused_with_the_group_named(project: Path) -> None:
    number = in_use(project)
    sabotage(project)
    verdict = judged(project)
    assert not verdict.promoted
    assert verdict.champion == number
    assert {"transductive, all, Hits@20", "transductive, all, MRR", "production, old-old, Hits@20"} <= set(
        failed(verdict)
    )
    assert all(rule.reason.endswith("worse by more than chance") for rule in verdict.failed)
    assert verdict.headline.endswith("version 1 stays in use.")
    assert "- transductive, all, Hits@20: " in verdict.to_markdown()


def test_a_better_candidate_passes(project: Path, tmp_path: Path) -> None:
    good = [(path, path.read_bytes()) for path in weights(project)]
    sabotage(project)
    in_use(project)
    for path, content in good:
        path.write_bytes(content)
    verdict = judged(project)
    assert verdict.promoted, verdict.failed
    (row,) = (row for row in verdict.comparisons if (row.setting, row.metric) == ("transductive", "hits_at_20"))
    assert row.difference > 0.1
    assert row.low > 0


def test_the_same_again_passes_and_the_verdict_is_the_same(project: Path) -> None:
    in_use(project)
    verdict = judged(project)
    assert verdict.promoted
    assert all((row.difference, row.low, row.high) == (0, 0, 0) for row in verdict.comparisons)
    assert judged(project) == verdict


def test_another_method_is_compared_with_the_one_in_use(project: Path) -> None:
    in_use(project)
    change(project, {"gate": {"method": "label"}})
    verdict = judged(project)
    assert verdict.champion == 1
    for row in verdict.comparisons:
        figures = load(Evaluation, paths.evaluation(row.setting)).figures  # type: ignore[arg-type]
        assert row.candidate == pytest.approx(figures["label"][row.group][row.metric])
        assert row.other == pytest.approx(figures["llp"][row.group][row.metric])


def test_one_broken_rule_is_enough_to_refuse(project: Path) -> None:
    in_use(project)
    change(project, {"gate": {"max_mb": 0.001}})
    assert failed(judged(project)) == [f"{setting}, size" for setting in SETTINGS]
    change(project, {"gate": {"max_mb": 100.0, "max_p99_ms": 1e-6}})
    assert failed(judged(project)) == [f"{setting}, latency" for setting in SETTINGS]
    change(project, {"gate": {"max_p99_ms": 1000.0}})
    edit_json(paths.CHECKS / "findings.json", checks=[{"check": "made_up", "passed": False}])
    assert failed(judged(project)) == ["checks of validate"]


def test_pairs_that_either_was_trained_on_are_left_out(project: Path) -> None:
    in_use(project)
    before = load(LinkSplit, paths.split("transductive"))
    # Another split of the same graph: most of its test edges are what the model in use was trained on.
    change(project, {"split": {"seed": 5}})
    run_stage("split", "transductive")
    split, graph = load(LinkSplit, paths.split("transductive")), load(Graph, paths.GRAPH)
    trained = {tuple(pair) for pair in torch.cat((before.train_edges, before.valid_edges), dim=1).T.tolist()}
    fresh = [pair for pair in split.test_edges.T.tolist() if tuple(pair) not in trained]
    assert 0 < len(fresh) < 20
    verdict = judged(project)
    (row,) = (row for row in verdict.comparisons if (row.setting, row.metric) == ("transductive", "mrr"))
    assert (row.positives, row.left_out) == (len(fresh), split.test_edges.shape[1] - len(fresh))
    # What is left is scored as the metrics have it.
    params = load_params(paths.PARAMS)
    model = load_model(paths.student("transductive", params.gate.method))
    hidden = model.encode(NodeFeatures.of(graph.features))
    positive, negative = (model.score(hidden, pairs) for pairs in (torch.tensor(fresh).T, split.test_negatives))
    assert row.candidate == pytest.approx(mean_reciprocal_rank(positive, negative))
    # So few are not judged by, and that there are so few is why it is refused.
    assert not row.judged
    assert failed(verdict) == ["transductive, enough test edges"]


def test_a_small_group_is_reported_and_not_judged(project: Path) -> None:
    params, graph = load_params(paths.PARAMS), load(Graph, paths.GRAPH)
    split = load(LinkSplit, paths.split("production"))
    new_new = split.test_edges[:, split.test_group == 2]
    seen = pair_hashes(node_hashes(graph.node_ids), new_new[:, 19:])
    own = plain_rival(project, params, graph)
    rival = Rival(own.name, own.features, {"production": seen}, own.models)
    rows = {row.group: row for row in compare(project, params, graph, "production", rival) if row.metric == "mrr"}
    assert rows["new-new"].positives == 19
    assert rows["new-new"].left_out == new_new.shape[1] - 19
    assert {group for group, row in rows.items() if not row.judged} == {"new-new"}
    verdict = dataclasses.replace(judged(project), comparisons=(rows["new-new"],))
    assert "| 19 (too few to judge) |" in verdict.to_markdown()


def test_a_plain_mlp_is_not_said_to_be_compared_with_another(project: Path) -> None:
    params, graph = load_params(paths.PARAMS), load(Graph, paths.GRAPH)
    plain = params.model_copy(update={"gate": params.gate.model_copy(update={"method": "label"})})
    names = [plain_rival(project, each, graph).name for each in (params, plain)]
    assert names == [
        "the plain MLP of the same run",
        "itself: there is no model in use, and no plain MLP beside it",
    ]


def grow(root: Path) -> None:
    """Adds nodes with words that were never seen, and edges at them, to the user's files."""
    nodes, edges = (pd.read_csv(root / f"data/embedded/example/{name}.csv", dtype=str) for name in ("nodes", "edges"))
    rng = np.random.default_rng(0)
    new = nodes.sample(40, random_state=0).assign(id=[f"new-{number}" for number in range(40)])
    text = next(column for column in nodes.columns if nodes[column].str.contains(" ").mean() > 0.9)
    new[text] += " neverseenbefore"
    ends = [rng.choice(each, 120) for each in (new["id"].to_numpy(dtype=str), nodes["id"].to_numpy(dtype=str))]
    more = edges.iloc[:120].assign(source=ends[0], target=ends[1])
    pd.concat([nodes, new]).to_csv(root / "nodes.csv", index=False)
    pd.concat([edges, more]).to_csv(root / "edges.csv", index=False)
    files = load_params(root / "params.yaml").data.files.model_dump()
    change(root, {"data": {"files": files | {"nodes": "nodes.csv", "edges": "edges.csv"}}})


def test_the_model_in_use_takes_a_grown_graph_by_its_own_encoder(project: Path) -> None:
    number = in_use(project)
    before = load(Graph, paths.GRAPH)
    grow(project)
    short = {"max_epochs": 2}
    change(project, {"teacher": short, "student": short})
    run_pipeline(project)
    after, params = load(Graph, paths.GRAPH), load_params(paths.PARAMS)
    assert after.num_nodes == before.num_nodes + 40
    assert after.features.shape[1] != before.features.shape[1]

    rival = champion_rival(project, open_version(project, number), params, after)
    position = {name: row for row, name in enumerate(after.node_ids)}
    rows = torch.tensor([position[name] for name in before.node_ids])
    assert select_rows(rival.features, rows).to_dense().equal(before.features.to_dense())
    verdict = judged(project)
    assert not verdict.promoted
    # Splits follow the ids: few of the new test edges are ones that the former model was trained on.
    assert {row.left_out for row in verdict.comparisons if row.setting == "transductive"} == {8}
    # The model in use is scored as it would score itself.
    split = load(LinkSplit, paths.split("cold_start"))
    model = load_model(project / "models/v0001/cold_start/llp")
    encoder = FeatureEncoder.load(project / "models/v0001/encoder.json")
    assert rival.features.shape == (after.num_nodes, model.spec.features)
    assert encoder != FeatureEncoder.load(paths.ENCODER)
    hidden = model.encode(NodeFeatures.of(rival.features))
    positive, negative = (model.score(hidden, pairs) for pairs in (split.test_edges, split.test_negatives))
    cold = ("cold_start", "all", "hits_at_20")
    (row,) = (row for row in verdict.comparisons if (row.setting, row.group, row.metric) == cold)
    assert row.left_out == 0
    assert row.other == pytest.approx(hits_at_k(positive, negative, 20))


def test_models_that_cannot_be_compared_are_told(project: Path) -> None:
    number = in_use(project)
    version, params, graph = open_version(project, number), load_params(paths.PARAMS), load(Graph, paths.GRAPH)
    other = params.model_copy(update={"data": params.data.model_copy(update={"name": "cora"})})
    with pytest.raises(InputError, match="trained on data set files, the present one is cora"):
        champion_rival(project, version, other, graph)
    (project / "models/v0001/encoder.json").unlink()
    narrower = Graph("files", graph.node_ids, graph.features.to_dense()[:, :5], graph.edges)
    with pytest.raises(InputError, match=r"takes 787 features, the present nodes have 5\."):
        champion_rival(project, version, params, narrower)


def test_a_model_in_use_that_was_changed_is_not_compared_with(project: Path) -> None:
    in_use(project)
    path = project / "models/v0001/production/llp/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(InputError, match=r"production/llp/model\.safetensors was changed"):
        judged(project)


def test_scores_that_are_not_finite_are_told(project: Path) -> None:
    path = next(weights(project))
    tensors = {name: torch.full_like(values, torch.nan) for name, values in read_tensors(path).items()}
    write_tensors(path, dict(tensors))
    with pytest.raises(InputError, match=r"scores of test pairs are not finite"):
        judged(project)


def test_a_pipeline_that_has_not_run_in_each_setting_is_told(project: Path) -> None:
    shutil.rmtree(paths.evaluation("cold_start"))
    with pytest.raises(
        InputError, match=r"data/cold_start/evaluation/metrics\.json: not found\. .* `llp run-flow full`"
    ):
        judged(project)
