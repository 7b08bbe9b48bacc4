"""A heavy-tailed graph with dense and sparse features, and models of each kind with weights that give scores apart."""

import pytest
import torch
from contestant_models import MakeModel

from llp_core.graph import CSR, csr
from llp_core.models import Adjacency, LinkModel, ModelSpec, NodeFeatures
from llp_core.sampling import generator

NUM_NODES, WIDTH = 200, 24


@pytest.fixture(scope="session")
def heavy_graph() -> CSR:
    """Node v is linked to others about as often as 1 / (v + 1); some nodes have no neighbour."""
    every = torch.combinations(torch.arange(NUM_NODES)).T
    chance = 3 / ((every[0] + 1) * (every[1] + 1).sqrt())
    return csr(every[:, torch.rand(every.shape[1], generator=generator(0, "graph")) < chance], NUM_NODES)


@pytest.fixture(scope="session", params=["dense", "sparse"])
def node_features(request: pytest.FixtureRequest) -> NodeFeatures:
    values = torch.randn(NUM_NODES, WIDTH, generator=generator(0, "features"))
    if request.param == "dense":
        return NodeFeatures.of(values)
    kept = torch.rand(NUM_NODES, WIDTH, generator=generator(0, "kept")) < 0.1
    return NodeFeatures.of((values * kept).to_sparse_csr())


@pytest.fixture(scope="session")
def make_model(heavy_graph: CSR) -> MakeModel:
    """Makes a model; its weights are scaled to dense random features, so that scores differ from pair to pair."""

    def make(encoder: str, layers: int = 3, hidden: int = 32, decoder: str = "mlp") -> LinkModel:
        spec = ModelSpec(encoder=encoder, decoder=decoder, features=WIDTH, hidden=hidden, layers=layers, dropout=0.5)
        model = LinkModel(spec, generator(1, encoder)).eval()
        features = NodeFeatures.of(torch.randn(NUM_NODES, WIDTH, generator=generator(2)))
        whole = Adjacency.from_csr(*heavy_graph, heavy_graph.degree)
        model.encoder.scale(features, (whole,))
        return model

    return make


@pytest.fixture(scope="session")
def pairs() -> torch.Tensor:
    return torch.randint(NUM_NODES, (2, 90), generator=generator(0, "pairs"))
