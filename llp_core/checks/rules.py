"""Every check, as data: which column of which table, what Great Expectations asks of it, what to do if it fails.

docs/checks.md lists the same checks for users.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llp_core.config import ValidateParams
from llp_core.names import Setting

ROWS = "rows"
"""Stands for the column in a rule about how many rows a table has."""

PARTS = ("train_edges", "valid_edges", "valid_negatives", "inference_edges", "test_edges", "test_negatives")

Kind = Literal[
    "ColumnMaxToBeBetween",
    "ColumnValuesToBeInSet",
    "ColumnValuesToBeUnique",
    "ColumnValuesToNotBeNull",
    "TableRowCountToBeBetween",
]


@dataclass(frozen=True)
class Rule:
    """One check.

    Attributes:
        check: its name, unique within the table.
        table: of `llp_core.checks.frames`.
        column: of that table, or ROWS.
        kind: the expectation of Great Expectations, without its `Expect`.
        expected: what must hold, in words.
        remedy: what the user does when it does not.
        settings: of the expectation. `mostly` is the share of the rows that must pass, 1 by default.
    """

    check: str
    table: str
    column: str
    kind: Kind
    expected: str
    remedy: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def _flag(table: str, check: str, column: str, wanted: bool, expected: str, remedy: str, mostly: float = 1.0) -> Rule:
    """A rule on a column of yes and no."""
    settings = {"value_set": [wanted], "mostly": mostly}
    return Rule(check, table, column, "ColumnValuesToBeInSet", expected, remedy, settings)


def graph_rules(params: ValidateParams, *, weighted: bool) -> list[Rule]:
    """Of the tables `nodes` and `edges`."""
    rebuild = "Run `prepare` again; if it stays, the data set's reader is at fault."
    # Rounded, since 1 - 0.7 is a little more than 0.3.
    with_features = round(1 - params.max_featureless_share, 12)
    component = params.min_component_share
    rules = [
        Rule(
            "enough_nodes",
            "nodes",
            ROWS,
            "TableRowCountToBeBetween",
            f"there are at least {params.min_nodes} nodes",
            "Take a larger graph, or lower validate.min_nodes.",
            {"min_value": params.min_nodes},
        ),
        Rule(
            "ids_present",
            "nodes",
            "node_id",
            "ColumnValuesToNotBeNull",
            "every node has an id",
            "Give each row of the nodes file an id.",
        ),
        Rule(
            "ids_unique",
            "nodes",
            "node_id",
            "ColumnValuesToBeUnique",
            "no two nodes share an id",
            "Keep one row for each id in the nodes file.",
        ),
        _flag("nodes", "features_present", "has_features", True, "every node has a row of features", rebuild),
        _flag(
            "nodes",
            "features_finite",
            "features_finite",
            True,
            "every feature is a finite number",
            "Fill or remove NaN and infinite values in the feature columns.",
        ),
        _flag(
            "nodes",
            "features_not_zero",
            "has_nonzero_feature",
            True,
            f"at least {100 * with_features:g} % of the nodes have a feature other than zero",
            "Add feature columns that describe these nodes, or raise validate.max_featureless_share.",
            mostly=with_features,
        ),
        _flag(
            "nodes",
            "largest_component",
            "in_largest_component",
            True,
            f"the largest connected component holds at least {100 * component:g} % of the nodes",
            "Look for missing edges or ids that differ in spelling, or lower validate.min_component_share.",
            mostly=component,
        ),
        Rule(
            "enough_edges",
            "edges",
            ROWS,
            "TableRowCountToBeBetween",
            f"there are at least {params.min_edges} edges",
            "Take a larger graph, or lower validate.min_edges.",
            {"min_value": params.min_edges},
        ),
        _flag("edges", "source_known", "source_known", True, "every edge starts at a node of the graph", rebuild),
        _flag("edges", "target_known", "target_known", True, "every edge ends at a node of the graph", rebuild),
        _flag("edges", "no_self_loops", "self_loop", False, "no edge joins a node to itself", rebuild),
        _flag("edges", "no_duplicates", "duplicate", False, "no edge occurs twice, in either direction", rebuild),
    ]
    if weighted:
        remedy = "Fill or remove NaN and infinite values in the weight column."
        rules.append(_flag("edges", "weights_finite", "weight_finite", True, "every weight is a finite number", remedy))
    return rules


def split_rules(setting: Setting) -> list[Rule]:
    """Of the tables `split_sizes` and `split` (pairs)."""
    leak = "Do not train on it: this is a leak. Run `split` again; if it stays, make_split is at fault."
    wrong = "Run `split` again; if it stays, make_split is at fault."
    rules = [
        _flag(
            "split_sizes",
            "right_sizes",
            "as_expected",
            True,
            "each part of the split holds a pair, each node of the graph is old or new, and there are new nodes "
            "in production and cold_start alone",
            "Take a larger graph, or change the shares in the section split of params.yaml.",
        ),
        _flag("split", "ends_known", "ends_known", True, "both ends of every pair are nodes of the graph", wrong),
        _flag("split", "no_self_pairs", "self_pair", False, "no pair is a node with itself", wrong),
        _flag(
            "split",
            "no_repeated_pairs",
            "repeated",
            False,
            "no pair occurs twice in one part, in either direction, and no negative in both parts of negatives",
            leak,
        ),
        _flag(
            "split",
            "parts_disjoint",
            "in_another_part",
            False,
            "no edge is in two of train, valid and test, in either direction",
            leak,
        ),
        _flag(
            "split",
            "no_held_out_messages",
            "held_out",
            False,
            "no valid or test edge, nor its reverse, is among the train or inference edges that messages pass over",
            leak,
        ),
        _flag("split", "positives_are_edges", "not_an_edge", False, "every positive is an edge of the graph", wrong),
        _flag("split", "negatives_are_no_edges", "is_an_edge", False, "no negative is an edge of the graph", leak),
        _flag(
            "split",
            "negatives_join_types_that_edges_join",
            "unlike_an_edge",
            False,
            "every negative joins nodes of types that edges join",
            wrong,
        ),
        _flag(
            "split",
            "training_without_new_nodes",
            "new_node_in_training",
            False,
            "no train edge, valid edge or valid negative touches a new node",
            leak,
        ),
    ]
    if setting == "cold_start":
        expected = "no inference edge touches a new node in cold_start"
        rules.append(_flag("split", "new_nodes_isolated", "new_node_at_inference", False, expected, leak))
    return rules


def training_rules() -> list[Rule]:
    """Of the table `training_nodes`."""
    leak = "Do not train on it: this is a leak. Run `split` again; if it stays, training_graph is at fault."
    return [
        _flag("training_nodes", "only_old_nodes", "is_old", True, "every node that training sees is old", leak),
        _flag(
            "training_nodes",
            "one_feature_row_each",
            "has_node_and_features",
            True,
            "training sees one row of features for each of its nodes and no more",
            leak,
        ),
    ]


def score_size_rules() -> list[Rule]:
    """Of the table `score_sizes`."""
    remedy = "The scores are of another split or of other contexts: run `teacher_scores` again."
    expected = "there are as many scores as the contexts and the split's train edges ask for"
    return [_flag("score_sizes", "right_sizes", "as_expected", True, expected, remedy)]


def score_rules() -> list[Rule]:
    """Of the tables `context_scores` and `edge_scores`."""
    retrain = "Train the teacher again, with a smaller teacher.learning_rate if it stays."
    resample = "Run `teacher_scores` again; if it stays, the sampler of negatives is at fault."
    both = [
        rule
        for table, what in (("context_scores", "context pair"), ("edge_scores", "train edge and its negatives"))
        for rule in (
            _flag(table, "logits_finite", "logits_finite", True, f"every logit of a {what} is finite", retrain),
            _flag(
                table,
                "probabilities_in_range",
                "probability_in_range",
                True,
                f"every probability of a {what}, the sigmoid of its logit, lies in 0..1",
                retrain,
            ),
        )
    ]
    return [
        *both,
        _flag(
            "context_scores",
            "representations_finite",
            "representation_finite",
            True,
            "every node representation is finite",
            retrain,
        ),
        Rule(
            "scores_differ",
            "context_scores",
            "logit_range",
            "ColumnMaxToBeBetween",
            "the teacher tells some context node of some anchor from another",
            "This teacher has learnt nothing to pass on. " + retrain,
            {"min_value": 0, "strict_min": True},
        ),
        _flag(
            "edge_scores",
            "negatives_known",
            "negatives_known",
            True,
            "both ends of every negative are nodes that training sees",
            resample,
        ),
        _flag("edge_scores", "negatives_no_self_pairs", "self_pair", False, "no negative is a self pair", resample),
        _flag(
            "edge_scores",
            "negatives_are_no_edges",
            "is_an_edge",
            False,
            "no negative is a train edge, in either direction",
            resample,
        ),
    ]
