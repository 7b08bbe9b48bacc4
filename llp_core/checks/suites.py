"""The checks that stages call: which tables are made of what, and which rules hold for them."""

from llp_core.checks.expectations import run_checks
from llp_core.checks.findings import Findings
from llp_core.checks.frames import (
    context_score_table,
    edge_score_table,
    edge_table,
    node_table,
    score_size_table,
    split_size_table,
    split_table,
    training_table,
)
from llp_core.checks.rules import graph_rules, score_rules, score_size_rules, split_rules, training_rules
from llp_core.config import ValidateParams
from llp_core.splits import training_graph
from llp_core.types import Contexts, Graph, LinkSplit, TeacherScores


def check_graph(graph: Graph, params: ValidateParams) -> Findings:
    """What must hold of nodes and edges before anything is made of them."""
    rules = graph_rules(params, weighted=graph.edge_weight is not None)
    return run_checks([node_table(graph), edge_table(graph)], rules)


def check_split(split: LinkSplit, graph: Graph) -> Findings:
    """What must hold of a split of `graph`, so that nothing held out leaks into training or messages.

    What training will see is made of the split, and looked at, only where the split itself holds.
    """
    tables = [split_size_table(split, graph), split_table(split, graph)]
    findings = run_checks(tables, split_rules(split.setting))
    if not findings.passed:
        return findings
    training = training_graph(split, graph)
    return findings + run_checks([training_table(training, split, graph)], training_rules())


def check_scores(scores: TeacherScores, contexts: Contexts, split: LinkSplit) -> Findings:
    """What must hold of the teacher's scores on `contexts` and on the training pairs of `split`.

    The scores themselves are looked at only where there are as many as there should be.
    """
    findings = run_checks([score_size_table(scores, contexts, split)], score_size_rules())
    if not findings.passed:
        return findings
    return findings + run_checks([context_score_table(scores, split), edge_score_table(scores, split)], score_rules())
