"""A graph with two communities, small enough to train on in a moment, and what a teacher would leave."""

import pytest
import torch

from llp_core.config import ContextsParams, Params, RunParams, StudentParams, TeacherParams
from llp_core.graph import pair_keys
from llp_core.models import LinkModel, ModelSpec
from llp_core.sampling import PairSpace, generator, sample_contexts, sample_negatives
from llp_core.training.runs import Lessons
from llp_core.types import Contexts, TeacherScores, TrainingGraph

NUM_NODES = 60


@pytest.fixture(scope="session")
def run_params() -> RunParams:
    return RunParams(seed=0, threads=1, device="cpu", precision="float32")


@pytest.fixture(scope="session")
def teacher_params(params: Params) -> TeacherParams:
    return params.teacher.model_copy(update={"hidden": 16, "max_epochs": 12, "patience": 12, "candidates": 2})


@pytest.fixture(scope="session")
def student_params(params: Params) -> StudentParams:
    sizes = {"hidden": 16, "max_epochs": 12, "patience": 12, "batch_size": 64}
    quick = {"learning_rate": 0.01, "feature_dropout": 0.1, "average": 0.5, "distribution_weight": 1.0}
    return params.student.model_copy(update=sizes | quick)


@pytest.fixture(scope="session")
def training_graph() -> TrainingGraph:
    """Nodes 0-29 and 30-59 are linked among themselves only; the features tell which community a node is of."""
    every = torch.combinations(torch.arange(NUM_NODES)).T
    within = every[:, (every[0] < 30) == (every[1] < 30)]
    chosen = within[:, torch.randperm(within.shape[1], generator=generator(0, "edges"))[:180]]
    known = pair_keys(chosen, NUM_NODES).sort().values
    noise = (torch.rand(NUM_NODES, 20, generator=generator(0, "features")) < 0.1).float()
    community = torch.zeros(NUM_NODES, 2)
    community[:30, 0] = community[30:, 1] = 1
    return TrainingGraph(
        nodes=torch.arange(NUM_NODES),
        features=torch.cat((community, noise), dim=1).to_sparse_csr(),
        edges=chosen[:, :140],
        valid_edges=chosen[:, 140:],
        valid_negatives=sample_negatives(known, PairSpace(NUM_NODES), 40, generator(0, "negatives")),
    )


@pytest.fixture(scope="session")
def contexts(training_graph: TrainingGraph) -> Contexts:
    sizes = ContextsParams(walks=2, length=2, random_ratio=1, rounds=3)
    return sample_contexts(training_graph, sizes, generator(0, "contexts"))


@pytest.fixture(scope="session")
def scores(training_graph: TrainingGraph, contexts: Contexts) -> TeacherScores:
    """Logits that are high within a community."""
    anchors = torch.arange(NUM_NODES)[None, :, None]
    same = ((contexts.nodes < 30) == (anchors < 30)).float()
    known = pair_keys(training_graph.edges, NUM_NODES).sort().values
    drawn = [sample_negatives(known, PairSpace(NUM_NODES), 140, generator(0, "drawn", number)) for number in range(3)]
    negatives = torch.stack(drawn).int()
    return TeacherScores(
        context_logits=4 * same - 2,
        edge_logits=torch.full((140,), 2.0),
        negatives=negatives,
        negative_logits=4 * ((negatives[:, 0] < 30) == (negatives[:, 1] < 30)).float() - 2,
        representations=torch.randn(NUM_NODES, 16, generator=generator(0, "representations")),
    )


@pytest.fixture
def lessons(training_graph: TrainingGraph, contexts: Contexts, scores: TeacherScores) -> Lessons:
    spec = ModelSpec(encoder="sage", features=training_graph.features.shape[1], hidden=16, layers=2, dropout=0.5)
    return Lessons(contexts, scores, LinkModel(spec, generator(0, "teacher")))
