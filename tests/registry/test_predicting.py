"""Scores of pairs and the likeliest partners: `llp score`, `llp recommend` and the class behind them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from candidate_project import change, edit_json
from typer.testing import CliRunner

from llp_core import paths
from llp_core.cli.app import app
from llp_core.config import load_params
from llp_core.datasets.tables import read_table
from llp_core.errors import InputError
from llp_core.models import LinkModel, ModelSpec, NodeFeatures
from llp_core.predicting import Predictor, _with_nodes
from llp_core.registry import promote, register
from llp_core.sampling import PairSpace, generator
from llp_core.store import load
from llp_core.types import Graph


@pytest.fixture
def served(project: Path) -> Path:
    """A project with version 1 in use."""
    promote(project, register(project), "the first")
    return project


@pytest.fixture
def predictor(served: Path) -> Predictor:
    return Predictor.open(served, 1)


@pytest.fixture
def every_pair(predictor: Predictor) -> torch.Tensor:
    """float32 [N, N]: the logit of each pair."""
    count = len(predictor.node_ids)
    pairs = torch.cartesian_prod(torch.arange(count), torch.arange(count)).T
    with torch.inference_mode():
        hidden = predictor.model.encode(NodeFeatures.of(predictor.features))
    return predictor.model.score(hidden, pairs).view(count, count)


def llp(*arguments: str) -> str:
    """What a command prints; its error is raised."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def of_another_version(root: Path) -> None:
    """Makes the graph one of a later run than the model's."""
    edit_json(root / paths.ENCODER, constant_columns=7)


def nodes_file(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / "data/embedded/example/nodes.csv", dtype=str, keep_default_na=False)


def test_pairs_score_as_the_model_scores_them(predictor: Predictor, every_pair: torch.Tensor) -> None:
    pairs = torch.tensor([[0, 5, 399, 7], [9, 0, 5, 7]])
    torch.testing.assert_close(predictor.score(pairs), every_pair[pairs[0], pairs[1]])


@pytest.mark.parametrize("among", [None, [3, 10, 11, 12, 60, 350], list(range(399, -1, -1))])
def test_the_best_of_all_pairs_without_a_link(
    predictor: Predictor, every_pair: torch.Tensor, among: list[int] | None
) -> None:
    chosen = torch.arange(len(predictor.node_ids)) if among is None else torch.tensor(among)
    allowed = torch.zeros_like(every_pair, dtype=torch.bool)
    allowed[:, chosen] = True
    allowed[predictor.edges[0], predictor.edges[1]] = allowed[predictor.edges[1], predictor.edges[0]] = False
    allowed.fill_diagonal_(False)
    asked = torch.tensor([10, 0, 42])
    found = predictor.recommend(asked, 4, None if among is None else chosen)
    for node in asked.tolist():
        mine = found.nodes == node
        expected = every_pair[node].where(allowed[node], -torch.inf).topk(4)
        torch.testing.assert_close(found.scores[mine], expected.values)
        torch.testing.assert_close(every_pair[node, found.partners[mine]], expected.values)
        assert bool(allowed[node, found.partners[mine]].all())
    assert found.nodes.tolist() == [10] * 4 + [0] * 4 + [42] * 4


def test_fewer_than_asked_where_there_are_fewer(predictor: Predictor) -> None:
    low, high = predictor.edges[:, 0].tolist()
    found = predictor.recommend(torch.tensor([low]), 10, torch.tensor([low, high]))
    assert found.nodes.numel() == found.partners.numel() == found.scores.numel() == 0


def test_nobody_has_no_partners() -> None:
    spec = ModelSpec(encoder="mlp", features=3, hidden=4, layers=1, dropout=0.0)
    model = LinkModel(spec, generator(0)).eval()
    predictor = Predictor(model, ("a", "b", "c"), torch.eye(3), torch.tensor([[0], [1]]), PairSpace(3))
    for found in (
        predictor.recommend(torch.empty(0, dtype=torch.int64), 2),
        predictor.recommend(torch.tensor([0]), 2, torch.empty(0, dtype=torch.int64)),
    ):
        assert [column.numel() for column in found] == [0, 0, 0]
        assert [column.dtype for column in found] == [torch.int64, torch.int64, torch.float32]


def test_partners_are_of_types_that_links_join() -> None:
    spec = ModelSpec(encoder="mlp", features=5, hidden=4, layers=1, dropout=0.0)
    users_and_items = PairSpace(5, torch.tensor([0, 1, 0, 1, 1]), torch.tensor([[False, True], [True, False]]))
    ids, edges = ("u", "i", "v", "j", "k"), torch.tensor([[0], [1]])
    predictor = Predictor(LinkModel(spec, generator(0)).eval(), ids, torch.eye(5), edges, users_and_items)
    found = predictor.recommend(torch.arange(5), 5)
    partners = [set(found.partners[found.nodes == node].tolist()) for node in range(5)]
    assert partners == [{3, 4}, {2}, {1, 3, 4}, {0, 2}, {0, 2}], "u and i have a link already"
    asked = predictor.recommend(torch.tensor([0]), 5, torch.tensor([2, 3]))
    assert set(asked.partners.tolist()) == {2, 3}, "who is named may be a partner, whatever its type"


def test_new_nodes_have_partners_of_types_that_links_join(caplog: pytest.LogCaptureFixture) -> None:
    joined = torch.tensor([[False, True], [True, False]])
    # Of nodes 0 to 2 of the graph the second comes with another type; 3 is new, and 4 and its type are.
    rows = torch.tensor([0, 3, 2, 4, 5])
    space = _with_nodes(PairSpace(3, torch.tensor([0, 1, 0]), joined), torch.tensor([0, 1, -1]), rows)
    assert space.node_type is not None
    assert space.node_type.tolist() == [0, 0, 0, 1, 2]
    assert _with_nodes(PairSpace(3), torch.tensor([-1]), torch.arange(4)).node_type is None
    spec = ModelSpec(encoder="mlp", features=5, hidden=4, layers=1, dropout=0.0)
    edges = torch.empty(2, 0, dtype=torch.int64)
    predictor = Predictor(LinkModel(spec, generator(0)).eval(), tuple("abcde"), torch.eye(5), edges, space)
    found = predictor.recommend(torch.arange(5), 5)
    assert [set(found.partners[found.nodes == node].tolist()) for node in range(5)] == [{3}, {3}, {3}, {0, 1, 2}, set()]
    assert "1 of 5 nodes, such as 'e', are of no type that a link of the graph joins" in caplog.text


def test_score_keeps_the_file_s_columns_and_order(served: Path, predictor: Predictor) -> None:
    ids = predictor.node_ids
    pd.DataFrame({"why": ["a", "b"], "source": [ids[5], ids[0]], "target": [ids[0], ids[8]]}).to_csv(
        "pairs.csv", index=False
    )
    llp("score", "pairs.csv", "--output", "out/scored.parquet")
    scored = pd.read_parquet("out/scored.parquet")
    assert list(scored.columns) == ["why", "source", "target", "score"]
    assert scored["why"].tolist() == ["a", "b"]
    expected = predictor.score(torch.tensor([[5, 0], [0, 8]]))
    torch.testing.assert_close(torch.tensor(scored["score"].to_numpy()), expected)
    shown = llp("score", "pairs.csv").splitlines()
    assert shown[0] == "why,source,target,score"
    assert float(shown[1].split(",")[3]) == pytest.approx(float(expected[0]), rel=1e-4)


def test_score_leaves_the_file_s_values_as_they_are(served: Path, predictor: Predictor) -> None:
    """Six figures are for scores alone, and integers with gaps stay integers, as they are in Parquet."""
    first, second, third = predictor.node_ids[:3]
    given = pd.DataFrame(
        {
            "source": [first, second],
            "target": [second, third],
            "share": [0.123456789, 1234567.25],
            "count": pd.array([2**60 + 1, None], dtype="Int64"),
        }
    )
    given.to_parquet("pairs.parquet", index=False)
    lines = [line.split(",") for line in llp("score", "pairs.parquet").splitlines()]
    assert [line[:4] for line in lines] == [
        ["source", "target", "share", "count"],
        [first, second, "0.123456789", "1152921504606846977"],
        [second, third, "1234567.25", ""],
    ]
    scores = predictor.score(torch.tensor([[0, 1], [1, 2]])).tolist()
    assert [line[4] for line in lines[1:]] == [f"{score:.6g}" for score in scores]
    llp("score", "pairs.parquet", "--output", "scored.parquet")
    scored = pd.read_parquet("scored.parquet", dtype_backend="numpy_nullable")
    pd.testing.assert_frame_equal(scored[["share", "count"]], given[["share", "count"]].convert_dtypes())
    given.assign(share=["0.123456789", "1234567.250"], count=["7", ""]).to_csv("pairs.csv", index=False)
    llp("score", "pairs.csv", "--output", "scored.csv")
    text = [line.rpartition(",")[0] for line in Path("scored.csv").read_text().splitlines()]
    assert text == Path("pairs.csv").read_text().splitlines()


def test_columns_of_any_type_stay_in_parquet(served: Path, predictor: Predictor) -> None:
    first, second = predictor.node_ids[:2]
    given = pa.table(
        {
            "source": [first, second],
            "target": [second, first],
            "hash": pa.array([2**63 + 1, None], pa.uint64()),
            "small": pa.array([1, None], pa.int32()),
            "tags": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
            "bytes": pa.array([b"\xff", None]),
            "share": pa.array([float("nan"), 0.5]),
        }
    )
    pq.write_table(given, "pairs.parquet")
    llp("score", "pairs.parquet", "--output", "scored.parquet")
    scored = pq.read_table("scored.parquet")
    assert scored.drop(["score", "share"]).equals(given.drop(["share"]))
    assert scored["share"].null_count == 0
    with pytest.raises(InputError, match=r"pairs\.parquet, column 'bytes': CSV cannot hold bytes"):
        llp("score", "pairs.parquet")


def test_a_written_file_can_be_read_whatever_its_values_hold(served: Path, predictor: Predictor) -> None:
    first, second = predictor.node_ids[:2]
    why = ["x\ry", 'x"\n,y']
    pd.DataFrame({"source": [first, second], "target": [second, first], "why": why}).to_parquet("pairs.parquet")
    llp("score", "pairs.parquet", "--output", "scored.csv")
    table = read_table(Path("scored.csv"), "scored.csv")
    assert table.words("source").tolist() == [first, second]
    assert table.words("why").tolist() == why


@pytest.mark.parametrize("index", [["source"], ["source", "target"], ["why"], []])
def test_score_keeps_what_pandas_wrote_as_its_index(served: Path, predictor: Predictor, index: list[str]) -> None:
    ids = predictor.node_ids
    given = pd.DataFrame({"source": ids[:3], "target": ids[3:6], "why": ["a", "b", "c"]}).iloc[1:]
    (given.set_index(index) if index else given.iloc[::-1]).to_parquet("pairs.parquet")
    llp("score", "pairs.parquet", "--output", "scored.csv")
    scored = pd.read_csv("scored.csv")
    assert sorted(scored.columns) == ["score", "source", "target", "why"]
    assert set(scored["source"]) == {ids[1], ids[2]}


def test_scores_of_recommend_have_six_figures(served: Path, predictor: Predictor) -> None:
    asked = predictor.node_ids[0]
    found = predictor.recommend(torch.tensor([0]), 3)
    scores = [line.split(",")[2] for line in llp("recommend", asked, "--top", "3").splitlines()[1:]]
    assert scores == [f"{score:.6g}" for score in found.scores.tolist()]


def test_a_node_that_the_graph_has_never_seen(served: Path, predictor: Predictor) -> None:
    """It has the features of a known one, so the same scores; with those of another it has that one's."""
    known = nodes_file(served)
    twin = known.iloc[[5]].assign(id="twin")
    twin.to_csv("new.csv", index=False)
    rows = [line.split(",") for line in llp("recommend", "--nodes", "new.csv", "--top", "400").splitlines()[1:]]
    assert {row[0] for row in rows} == {"twin"}
    assert len(rows) == len(predictor.node_ids)  # it has no link yet, and its twin is one of them
    scores = {row[1]: float(row[2]) for row in rows}
    others = torch.tensor([0, 1, 2, 3])
    expected = predictor.score(torch.stack((torch.full((4,), 5), others)))
    assert [scores[predictor.node_ids[node]] for node in others] == pytest.approx(expected.tolist(), rel=1e-4)
    known.iloc[[5]].assign(id=predictor.node_ids[9]).to_parquet("changed.parquet")
    changed = Predictor.open(served, 1, nodes=Path("changed.parquet"))
    assert changed.node_ids == predictor.node_ids
    torch.testing.assert_close(changed.score(torch.stack((torch.full((4,), 9), others))), expected)


def test_every_node_and_who_may_be_a_partner(served: Path, predictor: Predictor) -> None:
    ids = predictor.node_ids
    pd.DataFrame({"id": [ids[1], ids[2], ids[3]]}).to_csv("among.csv", index=False)
    llp("recommend", "--among", "among.csv", "--top", "2", "--output", "all.csv")
    found = pd.read_csv("all.csv")
    assert list(found.columns) == ["source", "target", "score"]
    assert set(found["target"]) == set(ids[1:4])
    assert found.groupby("source").size().max() == 2
    assert found["source"].nunique() > len(ids) - 10
    links = {frozenset((ids[a], ids[b])) for a, b in load(Graph, paths.GRAPH).edges.T.tolist()}
    assert not links & {frozenset(pair) for pair in zip(found["source"], found["target"], strict=True)}


def test_those_of_one_file_among_those_of_another(served: Path, predictor: Predictor) -> None:
    ids = predictor.node_ids
    pd.DataFrame({"id": [ids[9], ids[4]]}).to_csv("users.csv", index=False)
    pd.DataFrame({"id": ids[20:40]}).to_parquet("items.parquet")
    llp("recommend", "--of", "users.csv", "--among", "items.parquet", "--top", "3", "--output", "some.csv")
    found = pd.read_csv("some.csv")
    assert found["source"].tolist() == [ids[9]] * 3 + [ids[4]] * 3
    assert set(found["target"]) <= set(ids[20:40])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recommend", "a", "--of", "few.csv"], "a, --of few.csv: both say whose partners. Leave one out."),
        (["recommend", "--of", "few.csv"], "few.csv, column 'id', line 3: expected an id of the graph's nodes, found"),
        (["recommend", "nobody"], "'nobody': no node of the last run's graph has this id (1 of 1 are unknown)"),
        (["recommend", "--output", "all.txt"], "all.txt: expected a file that ends in .csv or .parquet"),
        (["recommend", "--output", "ends.csv/all.csv"], "ends.csv is no folder that can be written to"),
        (["recommend", "--version", "7"], "version 7 of the models: not found"),
        (["score", "none.csv"], "none.csv: no such file"),
        (["score", "stranger.csv"], "line 3: expected an id of the graph's nodes, found 'nobody'"),
        (["score", "scored.csv"], "scored.csv, line 1: it has a column 'score' already"),
        (["score", "ends.csv"], "expected a column 'target'"),
        (
            ["recommend", "--among", "few.csv"],
            "few.csv, column 'id', line 3: expected an id of the graph's nodes, found 'n",
        ),
        (["recommend", "--nodes", "bare.csv"], "expected a column 'words', which the features were learnt from"),
        (["recommend", "--nodes", "twice.csv"], "line 3: expected every id once"),
    ],
)
def test_what_is_refused(served: Path, predictor: Predictor, arguments: list[str], message: str) -> None:
    first, second = predictor.node_ids[:2]
    Path("stranger.csv").write_text(f"source,target\n{first},{second}\n{first},nobody\n")
    Path("scored.csv").write_text(f"source,target,score\n{first},{second},1\n")
    Path("ends.csv").write_text(f"source,to\n{first},{second}\n")
    Path("few.csv").write_text(f"id\n{first}\nnobody\n")
    Path("bare.csv").write_text("id\nnew\n")
    Path("twice.csv").write_text("id\nnew\nnew\n")
    before = sorted(Path().iterdir())
    result = CliRunner().invoke(app, arguments)
    assert type(result.exception) is InputError
    assert message in str(result.exception)
    assert sorted(Path().iterdir()) == before


def test_a_model_of_another_data_set_or_none_in_use(project: Path) -> None:
    with pytest.raises(InputError, match="No model is in use"):
        CliRunner().invoke(app, ["recommend"], catch_exceptions=False)
    promote(project, register(project), "the first")
    change(project, {"data": {"name": "cora"}})
    with pytest.raises(InputError, match="v0001: it was trained on data set files, the present one is cora"):
        Predictor.open(project, 1)


def test_the_next_run_s_raw_files_do_not_matter(served: Path, predictor: Predictor) -> None:
    """It is at work, or has failed; or params.yaml names other files now, as after `llp data start`."""
    expected = predictor.features.to_dense()
    (served / paths.RAW / "nodes.csv").write_text("id,words\nnobody,\n")
    assert torch.equal(Predictor.open(served, 1).features.to_dense(), expected)
    shutil.rmtree(served / paths.RAW)
    assert torch.equal(Predictor.open(served, 1).features.to_dense(), expected)


def test_raw_files_that_the_graph_was_not_made_of(served: Path) -> None:
    of_another_version(served)
    raw = served / paths.RAW / "nodes.csv"
    lines = raw.read_text().splitlines(keepends=True)
    for changed in (lines[:-1], [*lines[:-2], lines[-1], lines[-2]]):  # one node fewer; another order
        raw.write_text("".join(changed))
        with pytest.raises(
            InputError, match=r"data/raw: its nodes are not those of data/graph: .* `llp run-flow full`"
        ):
            Predictor.open(served, 1)
    files = load_params(paths.PARAMS).data.files.model_dump()
    change(served, {"data": {"files": files | {"nodes": "other/nodes.parquet"}}})
    with pytest.raises(
        InputError, match=r"data/raw/nodes\.parquet: not found, though data\.files\.nodes .* is other/nodes\.parquet\."
    ):
        Predictor.open(served, 1)


def test_files_that_changed_since_the_last_run_are_told(served: Path, caplog: pytest.LogCaptureFixture) -> None:
    Predictor.open(served, 1)
    assert "changed since" not in caplog.text
    edges = served / "data/embedded/example/edges.csv"
    edges.write_text(edges.read_text().rsplit("\n", 2)[0] + "\n")
    Predictor.open(served, 1)
    assert "data/embedded/example/edges.csv changed since the last run" in caplog.text


def test_a_column_that_the_model_in_use_needs(served: Path) -> None:
    of_another_version(served)
    raw = served / "data/raw/nodes.csv"
    pd.read_csv(raw, dtype=str).drop(columns="architecture").to_csv(raw, index=False)
    told = r"v0001 does not fit the present nodes: .* expected a column 'architecture'.* Move models away"
    with pytest.raises(InputError, match=told):
        Predictor.open(served, 1)


def test_nodes_of_a_data_set_without_columns(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llp_core.predicting.encoder_of", lambda root, version: None)
    with pytest.raises(InputError, match=r"new\.csv: data set files is not made of columns"):
        Predictor.open(served, 1, nodes=Path("new.csv"))


def test_a_name_that_is_nearly_right(predictor: Predictor) -> None:
    known = predictor.node_ids[7]
    with pytest.raises(InputError, match=f"graph has this id .* Is .*'{known}'.* meant"):
        predictor.find([predictor.node_ids[0], f"{known}x"])


def test_of_many_ids_those_beside_an_unknown_one_are_looked_at(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = tuple(reversed([f"{number:02}-of-the-nodes" for number in range(60)]))
    many = replace(predictor, node_ids=ids)
    monkeypatch.setattr("llp_core.predicting.IDS_LOOKED_AT", 4)
    with pytest.raises(InputError, match="Is '30-of-the-nodes' or '31-of-the-nodes' or '29-of-the-nodes' meant"):
        many.find(["30-of-the-node"])
    with pytest.raises(InputError, match="Is '59-of-the-nodes'"):
        many.find(["59-of-the-nodesx"])
