"""Every check, seen to hold and seen to fail. All graphs are small enough to check by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from llp_core.checks import Finding, Findings, check_graph, check_scores, check_split, write_findings
from llp_core.checks.expectations import run_checks
from llp_core.checks.frames import context_score_table, split_table, training_table
from llp_core.checks.rules import Rule, score_rules, training_rules
from llp_core.config import ValidateParams
from llp_core.splits import training_graph
from llp_core.types import Contexts, Graph, LinkSplit, TeacherScores

PARAMS = ValidateParams(min_nodes=6, min_edges=5, max_featureless_share=0.2, min_component_share=0.5)

# Six nodes: a ring 0-1-2-3 with the chord 1-3, a tail 3-4-5, and the edge 0-5 that closes a larger ring.
EDGES = torch.tensor([[0, 1, 2, 0, 1, 3, 4, 0], [1, 2, 3, 3, 3, 4, 5, 5]])
GRAPH = Graph(
    name="ring",
    node_ids=("ann", "bob", "cid", "dan", "eve", "fay"),
    features=torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0], [1.0, 1.0], [3.0, 0.0], [0.0, 4.0]]),
    edges=EDGES,
    edge_weight=torch.ones(8),
)

# Nodes 4 and 5 are new.
PRODUCTION = LinkSplit(
    setting="production",
    is_new=torch.tensor([False, False, False, False, True, True]),
    train_edges=torch.tensor([[0, 1], [1, 2]]),
    valid_edges=torch.tensor([[2], [3]]),
    valid_negatives=torch.tensor([[0], [2]]),
    inference_edges=torch.tensor([[0, 1, 1, 3], [1, 2, 3, 4]]),
    test_edges=torch.tensor([[0, 4], [3, 5]]),
    test_negatives=torch.tensor([[1, 2], [5, 5]]),
)
TRANSDUCTIVE = LinkSplit(
    setting="transductive",
    is_new=torch.zeros(6, dtype=torch.bool),
    train_edges=torch.tensor([[0, 1, 1], [1, 2, 3]]),
    valid_edges=torch.tensor([[2], [3]]),
    valid_negatives=torch.tensor([[0], [2]]),
    inference_edges=torch.tensor([[0, 1, 1], [1, 2, 3]]),
    test_edges=torch.tensor([[0, 4], [3, 5]]),
    test_negatives=torch.tensor([[1, 2], [5, 5]]),
)
COLD_START = replace(
    PRODUCTION,
    setting="cold_start",
    inference_edges=torch.tensor([[0, 1, 1], [1, 2, 3]]),
    test_edges=torch.tensor([[4, 0], [5, 5]]),
)

CONTEXTS = Contexts(nodes=torch.tensor([[[1, 2], [0, 3], [1, 0], [2, 1]]], dtype=torch.int32))
SCORES = TeacherScores(
    context_logits=torch.tensor([[[2.0, -1.0], [0.5, 0.0], [1.0, -3.0], [4.0, 0.0]]]),
    edge_logits=torch.tensor([3.0, 2.0]),
    negatives=torch.tensor([[[0, 1], [2, 3]]], dtype=torch.int32),
    negative_logits=torch.tensor([[-3.0, -2.0]]),
    representations=torch.ones(4, 3),
)


def made_wrong(valid: Any, **values: Any) -> Any:
    """A copy of an object with other values, which its class would refuse."""
    wrong = object.__new__(type(valid))
    for name, value in {**vars(valid), **values}.items():
        object.__setattr__(wrong, name, value)
    return wrong


def failed(findings: Findings) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings.failed}


def test_a_good_graph_passes() -> None:
    findings = check_graph(GRAPH, PARAMS)

    assert findings.passed, findings.failed
    assert [finding.check for finding in findings.checks] == [
        "enough_nodes",
        "ids_present",
        "ids_unique",
        "features_present",
        "features_finite",
        "features_not_zero",
        "largest_component",
        "enough_edges",
        "source_known",
        "target_known",
        "no_self_loops",
        "no_duplicates",
        "weights_finite",
    ]


def test_a_graph_without_weights_has_no_check_of_weights() -> None:
    findings = check_graph(replace(GRAPH, edge_weight=None), PARAMS)

    assert "weights_finite" not in {finding.check for finding in findings.checks}


def edges(*pairs: tuple[int, int]) -> torch.Tensor:
    return torch.tensor(pairs).T


@pytest.mark.parametrize(
    ("check", "values", "unexpected", "offenders"),
    [
        ("ids_present", {"node_ids": ("ann", "bob", " ", "dan", "", "fay")}, 2, ("node 2", "node 4")),
        ("ids_present", {"node_ids": ("ann", "bob", "cid", "dan", "eve")}, 1, ("node 5",)),
        ("ids_unique", {"node_ids": ("ann", "bob", "cid", "bob", "eve", "fay")}, 2, ("bob", "bob")),
        ("features_present", {"node_ids": (*GRAPH.node_ids, "gus")}, 1, ("gus",)),
        ("source_known", {"edges": edges((-1, 0), (0, 1), (1, 2), (2, 3), (3, 4))}, 1, ("node -1 - ann",)),
        ("target_known", {"edges": edges((0, 6), (0, 1), (1, 2), (2, 3), (3, 4))}, 1, ("ann - node 6",)),
        ("no_self_loops", {"edges": edges((2, 2), (0, 1), (1, 2), (2, 3), (3, 4))}, 1, ("cid - cid",)),
        ("no_duplicates", {"edges": edges((0, 1), (0, 1), (1, 2), (2, 3), (3, 4))}, 1, ("ann - bob",)),
        ("no_duplicates", {"edges": edges((0, 1), (1, 0), (1, 2), (2, 3), (3, 4))}, 1, ("bob - ann",)),
    ],
)
def test_what_the_class_refuses_is_found_in_a_broken_graph(
    check: str, values: dict[str, Any], unexpected: int, offenders: tuple[str, ...]
) -> None:
    finding = failed(check_graph(made_wrong(GRAPH, **values), PARAMS))[check]

    assert (finding.unexpected, finding.offenders) == (unexpected, offenders)


def test_a_graph_too_small_fails_with_its_sizes() -> None:
    findings = failed(check_graph(GRAPH, PARAMS.model_copy(update={"min_nodes": 7, "min_edges": 9})))

    assert list(findings) == ["enough_nodes", "enough_edges"]
    assert (findings["enough_nodes"].observed, findings["enough_edges"].observed) == (6, 8)


@pytest.mark.parametrize("sparse", [False, True])
def test_features_that_are_not_finite_fail(sparse: bool) -> None:
    features = GRAPH.features.clone()
    features[1, 1], features[5, 1] = float("nan"), float("inf")
    findings = failed(check_graph(replace(GRAPH, features=features.to_sparse_csr() if sparse else features), PARAMS))

    assert list(findings) == ["features_finite"]
    assert findings["features_finite"].offenders == ("bob", "fay")


@pytest.mark.parametrize("sparse", [False, True])
def test_nodes_without_features_fail_beyond_the_stated_share(sparse: bool) -> None:
    features = GRAPH.features.clone()
    features[4] = 0
    graph = replace(GRAPH, features=features.to_sparse_csr() if sparse else features)

    # Two of six nodes are without features: more than 0.2 and less than 0.35.
    finding = failed(check_graph(graph, PARAMS))["features_not_zero"]
    assert (finding.unexpected, finding.offenders) == (2, ("cid", "eve"))
    assert finding.observed == pytest.approx(4 / 6)
    assert check_graph(graph, PARAMS.model_copy(update={"max_featureless_share": 0.35})).passed


def test_a_share_of_features_just_met_passes() -> None:
    ids = tuple(str(node) for node in range(10))
    features = torch.tensor([[0.0]] * 7 + [[1.0]] * 3)
    graph = Graph("ten", ids, features, edges(*((0, node) for node in range(1, 10))))

    assert check_graph(graph, PARAMS.model_copy(update={"max_featureless_share": 0.7})).passed


def test_a_graph_in_pieces_fails() -> None:
    # Components {0, 1, 2}, {3, 4} and {5}: the largest holds half of the nodes.
    pieces = replace(GRAPH, edges=edges((0, 1), (1, 2), (0, 2), (3, 4)), edge_weight=None)
    params = PARAMS.model_copy(update={"min_edges": 4})

    assert check_graph(pieces, params).passed
    finding = failed(check_graph(pieces, params.model_copy(update={"min_component_share": 0.51})))["largest_component"]
    assert (finding.observed, finding.offenders) == (0.5, ("dan", "eve", "fay"))


def test_weights_that_are_not_finite_fail() -> None:
    weight = torch.tensor([1.0, float("inf"), 1.0, 1.0, float("nan"), 1.0, 1.0, 1.0])
    findings = failed(check_graph(replace(GRAPH, edge_weight=weight), PARAMS))

    assert list(findings) == ["weights_finite"]
    assert findings["weights_finite"].offenders == ("bob - cid", "bob - dan")


def test_an_empty_graph_fails_without_an_error() -> None:
    empty = Graph("empty", (), torch.zeros(0, 2), torch.zeros(2, 0, dtype=torch.int64))

    assert {"enough_nodes", "enough_edges"} <= set(failed(check_graph(empty, PARAMS)))


@pytest.mark.parametrize("split", [TRANSDUCTIVE, PRODUCTION, COLD_START])
def test_a_good_split_passes(split: LinkSplit) -> None:
    findings = check_split(split, GRAPH)

    assert findings.passed, findings.failed
    assert ("new_nodes_isolated" in {finding.check for finding in findings.checks}) == (split.setting == "cold_start")
    assert [finding.check for finding in findings.checks[-2:]] == ["only_old_nodes", "one_feature_row_each"]


@pytest.mark.parametrize(
    ("split", "check", "values", "offenders"),
    [
        (PRODUCTION, "ends_known", {"test_negatives": edges((1, 5), (2, 6))}, ("test_negatives: cid - node 6",)),
        (PRODUCTION, "no_self_pairs", {"test_negatives": edges((1, 5), (2, 2))}, ("test_negatives: cid - cid",)),
        (PRODUCTION, "no_repeated_pairs", {"test_negatives": edges((1, 5), (5, 1))}, ("test_negatives: fay - bob",)),
        (PRODUCTION, "no_repeated_pairs", {"train_edges": edges((0, 1), (0, 1))}, ("train_edges: ann - bob",)),
        (PRODUCTION, "no_repeated_pairs", {"test_negatives": edges((0, 2))}, ("test_negatives: ann - cid",)),
        (
            TRANSDUCTIVE,
            "parts_disjoint",
            {"train_edges": edges((0, 1), (3, 2))},
            ("train_edges: dan - cid", "valid_edges: cid - dan"),
        ),
        (
            TRANSDUCTIVE,
            "parts_disjoint",
            {"test_edges": edges((2, 3), (4, 5))},
            ("valid_edges: cid - dan", "test_edges: cid - dan"),
        ),
        (TRANSDUCTIVE, "no_held_out_messages", {"train_edges": edges((0, 1), (3, 0))}, ("train_edges: dan - ann",)),
        (TRANSDUCTIVE, "no_held_out_messages", {"train_edges": edges((0, 1), (2, 3))}, ("train_edges: cid - dan",)),
        (PRODUCTION, "no_held_out_messages", {"inference_edges": edges((5, 4))}, ("inference_edges: fay - eve",)),
        (PRODUCTION, "no_held_out_messages", {"inference_edges": edges((2, 3))}, ("inference_edges: cid - dan",)),
        (PRODUCTION, "positives_are_edges", {"test_edges": edges((0, 3), (2, 4))}, ("test_edges: cid - eve",)),
        (PRODUCTION, "negatives_are_no_edges", {"test_negatives": edges((5, 0))}, ("test_negatives: fay - ann",)),
        (PRODUCTION, "negatives_are_no_edges", {"valid_negatives": edges((1, 3))}, ("valid_negatives: bob - dan",)),
        (PRODUCTION, "training_without_new_nodes", {"train_edges": edges((0, 1), (3, 4))}, ("train_edges: dan - eve",)),
        (PRODUCTION, "training_without_new_nodes", {"valid_edges": edges((3, 4))}, ("valid_edges: dan - eve",)),
        (
            PRODUCTION,
            "training_without_new_nodes",
            {"valid_negatives": edges((2, 4))},
            ("valid_negatives: cid - eve",),
        ),
        (COLD_START, "new_nodes_isolated", {"inference_edges": edges((3, 4))}, ("inference_edges: dan - eve",)),
        (
            PRODUCTION,
            "right_sizes",
            {"valid_edges": edges((0, 0))[:, :0]},
            ("valid_edges: expected at least 1, found 0",),
        ),
        (
            PRODUCTION,
            "right_sizes",
            {"is_new": PRODUCTION.is_new[:5]},
            ("labelled nodes: expected 6, found 5",),
        ),
        (
            PRODUCTION,
            "right_sizes",
            {"is_new": TRANSDUCTIVE.is_new},
            ("new nodes: expected at least 1, found 0",),
        ),
        (TRANSDUCTIVE, "right_sizes", {"is_new": PRODUCTION.is_new}, ("new nodes: expected 0, found 2",)),
    ],
)
def test_a_broken_split_fails(split: LinkSplit, check: str, values: dict[str, Any], offenders: tuple[str, ...]) -> None:
    findings = failed(check_split(made_wrong(split, **values), GRAPH))

    assert findings[check].offenders == offenders
    assert findings[check].unexpected == len(offenders)


def test_a_negative_between_types_that_no_edge_joins_fails() -> None:
    types = replace(GRAPH, node_type=torch.tensor([0, 1, 0, 1, 0, 1]), type_names=("a", "b"))
    joined = edges((0, 1), (0, 3), (1, 2), (2, 5), (3, 4))
    split = made_wrong(PRODUCTION, test_negatives=edges((0, 2), (0, 5)), valid_negatives=edges((1, 3)))
    rows = split_table(split, replace(types, edges=joined, edge_weight=None)).rows
    assert rows["unlike_an_edge"].sum() == 2, "0 - 2 and 1 - 3"
    findings = failed(check_split(split, replace(types, edges=joined, edge_weight=None)))
    assert findings["negatives_join_types_that_edges_join"].unexpected == 2


def test_a_flag_concerns_its_own_parts_alone() -> None:
    rows = split_table(PRODUCTION, GRAPH).rows

    # Production's inference edges touch a new node and its test edges are held out: neither breaks a rule.
    assert rows["new_node_at_inference"].sum() == 1
    assert not rows[["held_out", "in_another_part", "repeated", "is_an_edge", "not_an_edge"]].any(axis=None)


@pytest.mark.parametrize(
    ("check", "values", "offenders"),
    [
        ("only_old_nodes", {"nodes": torch.tensor([0, 1, 2, 4])}, ("eve",)),
        ("only_old_nodes", {"nodes": torch.tensor([0, 1, 2, 6])}, ("node 6",)),
        ("one_feature_row_each", {"features": GRAPH.features[:3]}, ("dan",)),
        ("one_feature_row_each", {"features": GRAPH.features[:5]}, ("a row of features without a node",)),
    ],
)
def test_a_new_node_in_what_training_sees_fails(check: str, values: dict[str, Any], offenders: tuple[str, ...]) -> None:
    training = made_wrong(training_graph(PRODUCTION, GRAPH), **values)
    findings = failed(run_checks([training_table(training, PRODUCTION, GRAPH)], training_rules()))

    assert findings[check].offenders == offenders


def test_good_scores_pass() -> None:
    findings = check_scores(SCORES, CONTEXTS, PRODUCTION)

    assert findings.passed, findings.failed
    assert {finding.table for finding in findings.checks} == {"score_sizes", "context_scores", "edge_scores"}


@pytest.mark.parametrize(
    ("values", "offenders"),
    [
        (
            {"context_logits": SCORES.context_logits[:, :, :1]},
            ("context_logits, size: expected 2, found 1",),
        ),
        ({"edge_logits": torch.ones(3)}, ("edge_logits, train edges: expected 2, found 3",)),
        ({"negatives": SCORES.negatives[..., :1]}, ("negatives, train edges: expected 2, found 1",)),
        ({"negative_logits": torch.zeros(2, 2)}, ("negative_logits, rounds: expected 1, found 2",)),
        ({"representations": torch.ones(3, 3)}, ("representations, anchors: expected 4, found 3",)),
    ],
)
def test_scores_of_another_count_fail(values: dict[str, Any], offenders: tuple[str, ...]) -> None:
    findings = check_scores(made_wrong(SCORES, **values), CONTEXTS, PRODUCTION)

    assert failed(findings)["right_sizes"].offenders == offenders


def test_contexts_of_another_split_fail() -> None:
    findings = check_scores(SCORES, CONTEXTS, replace(PRODUCTION, is_new=torch.tensor([False] * 5 + [True])))

    assert failed(findings)["right_sizes"].offenders == ("contexts, anchors: expected 5, found 4",)


def with_value(tensor: torch.Tensor, position: tuple[int, ...], value: float) -> torch.Tensor:
    changed = tensor.clone()
    changed[position] = value
    return changed


@pytest.mark.parametrize(
    ("table", "check", "values", "offenders"),
    [
        (
            "context_scores",
            "logits_finite",
            {"context_logits": with_value(SCORES.context_logits, (0, 2, 1), float("inf"))},
            ("node 2",),
        ),
        (
            "context_scores",
            "probabilities_in_range",
            {"context_logits": with_value(SCORES.context_logits, (0, 2, 1), float("nan"))},
            ("node 2",),
        ),
        (
            "context_scores",
            "representations_finite",
            {"representations": with_value(SCORES.representations, (3, 0), float("nan"))},
            ("node 3",),
        ),
        ("context_scores", "scores_differ", {"context_logits": torch.full((1, 4, 2), 0.7)}, ()),
        (
            "edge_scores",
            "logits_finite",
            {"edge_logits": torch.tensor([float("-inf"), 2.0])},
            ("train edge 0 - 1 and its negatives",),
        ),
        (
            "edge_scores",
            "probabilities_in_range",
            {"negative_logits": torch.tensor([[1.0, float("nan")]])},
            ("train edge 1 - 2 and its negatives",),
        ),
        (
            "edge_scores",
            "negatives_known",
            {"negatives": torch.tensor([[[0, 1], [2, 4]]], dtype=torch.int32)},
            ("train edge 1 - 2 and its negatives",),
        ),
        (
            "edge_scores",
            "negatives_no_self_pairs",
            {"negatives": torch.tensor([[[3, 1], [3, 3]]], dtype=torch.int32)},
            ("train edge 0 - 1 and its negatives",),
        ),
        (
            "edge_scores",
            "negatives_are_no_edges",
            {"negatives": torch.tensor([[[2, 1], [1, 3]]], dtype=torch.int32)},
            ("train edge 0 - 1 and its negatives",),
        ),
    ],
)
def test_broken_scores_fail(table: str, check: str, values: dict[str, Any], offenders: tuple[str, ...]) -> None:
    findings = check_scores(made_wrong(SCORES, **values), CONTEXTS, PRODUCTION)

    assert [(found.table, found.offenders) for found in findings.failed if found.check == check] == [(table, offenders)]


def test_negatives_are_compared_in_the_numbers_of_training() -> None:
    # Node 0 is new: train edges 1 - 2 and 2 - 3 are 0 - 1 and 1 - 2 to training.
    split = replace(
        PRODUCTION,
        is_new=torch.tensor([True, False, False, False, False, True]),
        train_edges=edges((1, 2), (2, 3)),
        valid_edges=edges((3, 4)),
        valid_negatives=edges((1, 4)),
    )
    scores = replace(SCORES, negatives=torch.tensor([[[0, 0], [2, 1]]], dtype=torch.int32))

    findings = failed(check_scores(scores, CONTEXTS, split))

    assert findings["negatives_are_no_edges"].offenders == ("train edge 2 - 3 and its negatives",)


def test_a_probability_outside_0_to_1_in_the_table_fails() -> None:
    table = context_score_table(SCORES, PRODUCTION)
    table.rows["probability_in_range"] = [True, False, True, True]
    rules = [rule for rule in score_rules() if rule.table == "context_scores"]

    assert list(failed(run_checks([table], rules))) == ["probabilities_in_range"]


def test_a_rule_on_a_column_that_is_not_there_is_an_error() -> None:
    table = context_score_table(SCORES, PRODUCTION)
    rule = Rule("unknown", "context_scores", "no_such_column", "ColumnValuesToNotBeNull", "it is there", "Nothing.")

    with pytest.raises(RuntimeError, match="unknown of context_scores could not be checked"):
        run_checks([table], [rule])


def test_scores_that_are_no_numbers_at_all_fail_without_an_error(tmp_path: Path) -> None:
    findings = check_scores(
        made_wrong(SCORES, context_logits=torch.full((1, 4, 2), float("nan"))), CONTEXTS, PRODUCTION
    )
    write_findings(findings, tmp_path)

    assert {"logits_finite", "probabilities_in_range", "scores_differ"} <= set(failed(findings))
    assert failed(findings)["scores_differ"].found == "found no number"


def test_great_expectations_writes_no_notes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        check_graph(GRAPH, PARAMS)

    assert not [record for record in caplog.records if record.name.startswith("great_expectations")]
