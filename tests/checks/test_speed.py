"""How long the checks take. `pytest -m slow tests/checks -o log_cli=true --log-cli-level=INFO` shows the times."""

import logging
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from llp_core.checks import check_graph, check_scores, check_split, write_findings
from llp_core.checks.expectations import import_great_expectations
from llp_core.config import ProductionParams, SplitParams, TransductiveParams, ValidateParams
from llp_core.graph import canonical_edges, pair_keys
from llp_core.sampling import PairSpace, sample_negatives
from llp_core.splits import make_split, training_graph
from llp_core.types import Contexts, Graph, LinkSplit, TeacherScores

T = TypeVar("T")
logger = logging.getLogger(__name__)

VALIDATE = ValidateParams(min_nodes=1, min_edges=1, max_featureless_share=0.1, min_component_share=0.2)
SPLIT = SplitParams(
    seed=0,
    transductive=TransductiveParams(valid_share=0.05, test_share=0.1),
    production=ProductionParams(new_node_share=0.1, test_share=0.1, valid_share=0.1, extra_share=0.1),
)
ROUNDS, CONTEXT_SIZE = 3, 12


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "edges", "limit_seconds"), [(3_500, 9_000, 2.0), (1_000_000, 5_000_000, 60.0)])
def test_checks_are_fast(nodes: int, edges: int, limit_seconds: float, tmp_path: Path) -> None:
    """Each call with the writing of its findings, beyond the import of Great Expectations, stays below the limit."""
    import_great_expectations()
    rng = torch.Generator().manual_seed(0)
    graph = made_graph(nodes, edges, rng)
    split = make_split(graph, "production", SPLIT)
    scores, contexts = made_scores(split, graph, rng)
    calls = {
        "check_graph": lambda: check_graph(graph, VALIDATE),
        "check_split": lambda: check_split(split, graph),
        "check_scores": lambda: check_scores(scores, contexts, split),
    }

    for name, call in calls.items():
        findings, seconds = timed(call)
        _, writing_seconds = timed(lambda: write_findings(findings, tmp_path))  # noqa: B023 - called at once
        gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        logger.info(
            "%d nodes, %d edges: %s %.2f s, write_findings %.2f s, peak memory so far %.1f GB",
            graph.num_nodes,
            graph.num_edges,
            name,
            seconds,
            writing_seconds,
            gigabytes,
        )
        assert findings.passed, findings.failed
        assert seconds + writing_seconds < limit_seconds


def timed(call: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def made_graph(nodes: int, edges: int, rng: torch.Generator) -> Graph:
    """Uniform edges, and 20 of 3,000 sparse features a node."""
    offsets = torch.arange(0, 20 * nodes + 1, 20)
    columns = torch.randint(150, (nodes, 20), generator=rng) + 150 * torch.arange(20)
    features = torch.sparse_csr_tensor(
        offsets, columns.flatten(), torch.ones(20 * nodes), size=(nodes, 3000), check_invariants=True
    )
    ends = torch.randint(nodes, (2, edges), generator=rng)
    ids = tuple(f"node-{node}" for node in range(nodes))
    return Graph("made", ids, features, canonical_edges(ends, nodes).edges)


def made_scores(split: LinkSplit, graph: Graph, rng: torch.Generator) -> tuple[TeacherScores, Contexts]:
    """Random logits on uniform contexts and on sampled negatives."""
    training = training_graph(split, graph)
    anchors, edges = training.num_nodes, training.edges.shape[1]
    known = pair_keys(training.edges, anchors).sort().values
    negatives = [sample_negatives(known, PairSpace(anchors), edges, rng).int() for _ in range(ROUNDS)]
    shape = (ROUNDS, anchors, CONTEXT_SIZE)
    scores = TeacherScores(
        context_logits=torch.randn(shape, generator=rng),
        edge_logits=torch.randn(edges, generator=rng),
        negatives=torch.stack(negatives),
        negative_logits=torch.randn(ROUNDS, edges, generator=rng),
        representations=torch.randn(anchors, 64, generator=rng),
    )
    return scores, Contexts(torch.randint(anchors, shape, generator=rng, dtype=torch.int32))
